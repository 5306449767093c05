"""Localisation by proposals of each class (ResNet paper, 1512.03385, Appendix C)."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

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
from lit_vision.ops import box, losses, matching, selection
from lit_vision.ops.anchor import Anchors
from lit_vision.ops.matching import Matcher
from lit_vision.ops.sampling import Sampler
from lit_vision.ops.selection import Selection
from lit_vision.types import Batch, Candidates, Detections, Features, Target

MATCHER = Matcher(low=0.3, high=0.7, keep_best="always")  # Faster R-CNN's, whose design the paper follows
SAMPLER = Sampler(size=8, fraction=0.5)  # "8 anchors sampled per image, positive:negative 1:1"


class ClassProposals(nn.Module):
    """Proposes regions of each class on given feature maps: what the localiser and its R-CNN have in common.

    Args:
        channels: Of every level.
        num_classes: K.
        head: Makes the head from channels, anchors per location and K.
        anchors: Default: three scales, from eight strides, and three ratios, as in Faster R-CNN.
        matcher: Overlaps that make an anchor background or an object's.
        sampler: Anchors of an image that are trained.
        box_beta: Where smooth L1 turns linear; 1 in Faster R-CNN.
    """

    def __init__(
        self,
        channels: int,
        num_classes: int,
        head: Callable[[int, int, int], LocalisationHead] = LocalisationHead,
        anchors: Anchors | None = None,
        matcher: Matcher = MATCHER,
        sampler: Sampler = SAMPLER,
        box_beta: float = 1.0,
    ) -> None:
        super().__init__()
        self.anchors = anchors or Anchors(base=8, scales=(1, 2, 4))
        self.head = head(channels, self.anchors.per_location, num_classes)
        self.matcher = matcher
        self.sampler = sampler
        self.box_beta = box_beta

    def loss(
        self, features: Features, image_size: Sequence[int], boxes: Sequence[Tensor], labels: Sequence[Tensor]
    ) -> dict[str, Tensor]:
        """Losses of sampled anchors; see `class_losses`.

        Args:
            features: Of the batch.
            image_size: Height and width of the padded batch.
            boxes: [G, 4] of each image's objects.
            labels: int64 [G] of each image's objects.
        """
        logits, deltas = self.head(features)
        anchors, _ = self.anchors(features, image_size)
        with full_precision(logits):
            matched = torch.stack(matching.assign(self.matcher, boxes, [anchors] * len(boxes)))
            sampled = self.sampler(matched >= 0, matched == matching.NEGATIVE)
            image, anchor = sampled.nonzero(as_tuple=True)
            objects = torch.cat(list(boxes)), torch.cat(list(labels))
            answers = logits[image, anchor], deltas[image, anchor]
            return class_losses(answers, anchors[anchor], matched[image, anchor], objects, self.box_beta)

    def candidates(
        self,
        features: Features,
        image_size: Sequence[int],
        sizes: Tensor,
        most: int,
        classes: Tensor | None = None,
        guesses: int | None = None,
    ) -> list[Candidates]:
        """The best anchors of each class, moved by the class's own offsets; a class is a group.

        Args:
            features: Of the batch.
            image_size: Height and width of the padded batch.
            sizes: int64 [B, 2], height and width of each image without padding.
            most: Anchors of a class.
            classes: int64 [n], those that are looked for; None for all.
            guesses: Of these, how many are looked for in each image, those with the best anchors; None for all.
        """
        logits, deltas = self.head(features)
        anchors, _ = self.anchors(features, image_size)
        with full_precision(logits):
            wanted = torch.arange(logits.shape[2], device=logits.device) if classes is None else classes
            chosen = wanted.expand(len(logits), -1)
            if guesses is not None and guesses < len(wanted):
                best = logits[..., wanted].amax(1)  # [B, n]
                chosen = wanted[best.topk(guesses).indices]
            images = zip(logits.float(), deltas.float(), chosen, sizes, strict=True)
            return [_best(anchors, *image, most) for image in images]


def class_losses(
    answers: tuple[Tensor, Tensor],
    anchors: Tensor,
    matched: Tensor,
    objects: tuple[Tensor, Tensor],
    box_beta: float,
    weights: box.Weights = box.ONES,
) -> dict[str, Tensor]:
    """Losses `cls` and `box`: K log losses of each sampled anchor, and the offsets of a positive one's own class.

    Both are divided by the number of sampled anchors, as in Faster R-CNN's code.

    Args:
        answers: Logits [N, K] and offsets [N, K, 4].
        anchors: [N, 4], or regions.
        matched: int64 [N], the object of each, or `NEGATIVE`.
        objects: Boxes [G, 4] and labels [G] of the batch.
        box_beta: Where smooth L1 turns linear.
        weights: Factors of the offsets.
    """
    logits, deltas = answers
    boxes, labels = objects
    on = (matched >= 0).nonzero()[:, 0]
    own = labels[matched[on]]
    wanted = torch.zeros_like(logits, dtype=torch.float32)
    wanted[on, own] = 1
    targets = box.encode(boxes[matched[on]], anchors[on], weights)
    count = max(1, len(matched))
    return {
        "cls": F.binary_cross_entropy_with_logits(logits.float(), wanted, reduction="sum") / count,
        "box": losses.smooth_l1(deltas[on, own].float(), targets, box_beta).sum() / count,
    }


class Localiser(Detector):
    """A region proposal network of each class: finds the best box of every class, whatever the image shows.

    It does not know which class that is: `LocalisationError` asks for the box of the image's own class
    (`loc_error_given`), and ranks classes by the boxes' scores otherwise.

    Args:
        pyramid: One level of a network trained on ImageNet.
        num_classes: K; linked from the data in a recipe.
        proposals: Makes the network behind the feature maps from their channels and K.
        limit: Classes of an image whose boxes are kept; None for all.
        normalise: See `Detector`.

    Attributes:
        classes: int64 [n], those that are looked for; None for all. See `only`.

    Raises:
        InputError: The pyramid's levels differ in width, or `limit` is not positive.
    """

    def __init__(
        self,
        pyramid: Pyramid | Backbone,
        num_classes: int,
        proposals: Callable[[int, int], ClassProposals] = ClassProposals,
        limit: int | None = None,
        normalise: Normalise | None = None,
    ) -> None:
        super().__init__(pyramid, num_classes, normalise)
        if limit is not None and limit < 1:
            raise InputError(f"localiser: limit is {limit}; keep at least one class, or null for all")
        self.proposals = proposals(width(pyramid), num_classes)
        self.classes: Tensor | None = None
        # One box of each class is left: nothing is to be suppressed.
        self._limits = Selection(score=0.0, per_level=num_classes, nms=1.0, limit=limit or num_classes)

    def loss(self, batch: Batch[list[Target]]) -> dict[str, Tensor]:
        """Losses `cls` and `box` of sampled anchors; see `class_losses`."""
        features = self.extract(batch.images, batch.sizes)
        boxes, labels = zip(*map(matching.trainable, batch.targets), strict=True)
        return self.proposals.loss(features, batch.images.shape[-2:], boxes, labels)

    def candidates(self, features: Features, image_size: Sequence[int], sizes: Tensor) -> list[Candidates]:
        """The best anchor of each class."""
        return self.proposals.candidates(features, image_size, sizes, 1, self.classes)

    def select(self, candidates: Iterable[Candidates], limits: Selection | None = None) -> list[Detections]:
        """The best candidate of each class, of as many classes as `limits` keeps."""
        return [selection.best_of_each(*image, limit=(limits or self.limits).limit) for image in candidates]

    @property
    def limits(self) -> Selection:
        """A box of each class."""
        return self._limits

    def static(self) -> Iterable[nn.Module]:
        """Backbone and head."""
        return self.pyramid, self.proposals.head

    def class_layers(self) -> list[ClassLayer]:
        """Both layers of the head."""
        cells = self.proposals.anchors.per_location
        return [ClassLayer("proposals.head.cls", cells, 1), ClassLayer("proposals.head.box", cells, 4)]

    @classmethod
    def example(cls) -> "Localiser":
        """Of twenty classes on one level of a ResNet-18."""
        return cls(OneLevel(resnet.resnet18(), 4), num_classes=20)


@contextmanager
def only(classes: Tensor, networks: Iterable[nn.Module]) -> Iterator[None]:
    """Within it, localisers look for some classes, int64 [n], alone; other networks are as they were."""
    localisers = [network for network in networks if isinstance(network, Localiser)]
    before = [network.classes for network in localisers]
    try:
        for network in localisers:
            network.classes = classes
        yield
    finally:
        for network, own in zip(localisers, before, strict=True):
            network.classes = own


def _best(anchors: Tensor, logits: Tensor, deltas: Tensor, classes: Tensor, size: Tensor, most: int) -> Candidates:
    """The `most` best anchors [A, 4] of each class, [n], in one image, from logits [A, K] and offsets [A, K, 4]."""
    scores, anchor = logits[:, classes].topk(min(most, len(anchors)), 0)  # [most, n]
    labels = classes.expand_as(anchor)
    boxes = box.clip(box.decode(deltas[anchor, labels], anchors[anchor]).flatten(0, 1), size)
    groups = labels.flatten()
    return Candidates(boxes, scores.flatten().sigmoid(), groups, groups)
