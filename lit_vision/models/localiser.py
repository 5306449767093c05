"""Localisation by proposals of each class (ResNet paper, 1512.03385, Appendix C)."""

from collections.abc import Callable, Iterable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lit_vision.errors import InputError
from lit_vision.models.backbones import resnet
from lit_vision.models.backbones.base import Backbone
from lit_vision.models.backbones.one_level import OneLevel
from lit_vision.models.detector import ClassLayer, Detector, full_precision, width
from lit_vision.models.heads.localisation import LocalisationHead
from lit_vision.models.normalise import Normalise
from lit_vision.models.pyramid import Pyramid
from lit_vision.ops import box, losses, matching
from lit_vision.ops.anchor import Anchors
from lit_vision.ops.matching import Matcher
from lit_vision.ops.sampling import Sampler
from lit_vision.ops.selection import Selection
from lit_vision.types import Batch, Candidates, Features, Target

MATCHER = Matcher(low=0.3, high=0.7, keep_best="always")  # Faster R-CNN's, whose design the paper follows
SAMPLER = Sampler(size=8, fraction=0.5)  # "8 anchors sampled per image, positive:negative 1:1"


class Localiser(Detector):
    """A region proposal network of each class: finds the best box of every class, whatever the image shows.

    It does not know which class that is: `LocalisationError` asks for the box of the image's own class
    (`loc_error_given`), and ranks classes by the boxes' scores otherwise.

    Args:
        pyramid: One level of a network trained on ImageNet.
        num_classes: K; linked from the data in a recipe.
        head: Makes the head from channels, anchors per location and K.
        anchors: Default: three scales, from eight strides, and three ratios, as in Faster R-CNN.
        matcher: Overlaps that make an anchor background or an object's.
        sampler: Anchors of an image that are trained.
        box_beta: Where smooth L1 turns linear; 1 in Faster R-CNN.
        limit: Classes of an image whose boxes are kept; None for all.
        normalise: See `Detector`.

    Raises:
        InputError: The pyramid's levels differ in width, or `limit` is not positive.
    """

    def __init__(
        self,
        pyramid: Pyramid | Backbone,
        num_classes: int,
        head: Callable[[int, int, int], LocalisationHead] = LocalisationHead,
        anchors: Anchors | None = None,
        matcher: Matcher = MATCHER,
        sampler: Sampler = SAMPLER,
        box_beta: float = 1.0,
        limit: int | None = None,
        normalise: Normalise | None = None,
    ) -> None:
        super().__init__(pyramid, num_classes, normalise)
        if limit is not None and limit < 1:
            raise InputError(f"localiser: limit is {limit}; keep at least one class, or null for all")
        self.anchors = anchors or Anchors(base=8, scales=(1, 2, 4))
        self.head = head(width(pyramid), self.anchors.per_location, num_classes)
        self.matcher = matcher
        self.sampler = sampler
        self.box_beta = box_beta
        # One box of each class is left: nothing is to be suppressed.
        self._limits = Selection(score=0.0, per_level=num_classes, nms=1.0, limit=limit or num_classes)

    def loss(self, batch: Batch[list[Target]]) -> dict[str, Tensor]:
        """Losses `cls` and `box`: K log losses of each sampled anchor, and the offsets of a positive one's own class.

        Both are divided by the number of sampled anchors, as in Faster R-CNN's code.
        """
        features = self.extract(batch.images, batch.sizes)
        logits, deltas = self.head(features)
        anchors, _ = self.anchors(features, batch.images.shape[-2:])
        boxes, labels = zip(*map(matching.trainable, batch.targets), strict=True)
        with full_precision(batch.images):
            matched = torch.stack(matching.assign(self.matcher, boxes, [anchors] * len(boxes)))
            sampled = self.sampler(matched >= 0, matched == matching.NEGATIVE)
            image, anchor = sampled.nonzero(as_tuple=True)
            objects = matched[image, anchor]
            on = objects >= 0
            own = torch.cat(list(labels))[objects[on]]
            wanted = torch.zeros(len(image), self.num_classes, device=logits.device)
            wanted[on.nonzero().flatten(), own] = 1
            cls = F.binary_cross_entropy_with_logits(logits[image, anchor].float(), wanted, reduction="sum")
            offsets = box.encode(torch.cat(list(boxes))[objects[on]], anchors[anchor[on]])
            off = losses.smooth_l1(deltas[image[on], anchor[on], own].float(), offsets, self.box_beta).sum()
        count = max(1, len(image))
        return {"cls": cls / count, "box": off / count}

    def candidates(self, features: Features, image_size: Sequence[int], sizes: Tensor) -> list[Candidates]:
        """The best anchor of each class, decoded by the class's own offsets; a class is a group."""
        logits, deltas = self.head(features)
        anchors, _ = self.anchors(features, image_size)
        with full_precision(logits):
            best, place = logits.float().max(1)  # [B, K]
            classes = torch.arange(self.num_classes, device=logits.device)
            chosen = deltas.float().gather(1, place[:, None, :, None].expand(-1, -1, -1, 4))[:, 0]
            boxes = box.clip(box.decode(chosen, anchors[place]), sizes)
            scores = best.sigmoid()
        return [Candidates(*image, classes, classes) for image in zip(boxes, scores, strict=True)]

    @property
    def limits(self) -> Selection:
        """A box of each class."""
        return self._limits

    def static(self) -> Iterable[nn.Module]:
        """Backbone and head."""
        return self.pyramid, self.head

    def class_layers(self) -> list[ClassLayer]:
        """Both layers of the head."""
        cells = self.anchors.per_location
        return [ClassLayer("head.cls", cells, 1), ClassLayer("head.box", cells, 4)]

    @classmethod
    def example(cls) -> "Localiser":
        """Of twenty classes on one level of a ResNet-18."""
        return cls(OneLevel(resnet.resnet18(), 4), num_classes=20)
