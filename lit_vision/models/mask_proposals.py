"""Instance-mask proposals of a feature pyramid (1612.03144, Figure 4 and Table 6), in DeepMask's manner."""

import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lit_vision.errors import InputError
from lit_vision.models.backbones import resnet
from lit_vision.models.backbones.base import Backbone
from lit_vision.models.detector import Detector, full_precision, width
from lit_vision.models.heads.mask import MaskHead
from lit_vision.models.normalise import Normalise
from lit_vision.models.pyramid import Pyramid
from lit_vision.ops import box, mask, matching
from lit_vision.ops.sampling import Sampler
from lit_vision.ops.selection import Selection
from lit_vision.ops.window import Places, Windows
from lit_vision.types import Batch, Candidates, Detections, Features, Target

WINDOWS = Windows()
SAMPLER = Sampler(size=128, fraction=0.25)  # of 16 images 2048, one positive for three negatives


class MaskProposals(Detector):
    """Scores every place of a pyramid and outlines objects at the best; class-agnostic, without suppression.

    Args:
        pyramid: Levels 2 to 6 with 128 channels in the paper.
        num_classes: Accepted because the data's number is linked to every detector; proposals have no class.
        head: Makes a head from the channels and its window's cells; there is one for each window.
        windows: Which windows look at which objects.
        sampler: Places of an image that are trained.
        mask_weight: Factor of the mask loss beside that of the score.
        limit: Masks of an image.
        normalise: See `Detector`.

    Raises:
        InputError: The pyramid's levels differ in width, or a number is out of range.
    """

    agnostic = True

    def __init__(
        self,
        pyramid: Pyramid | Backbone,
        num_classes: int = 1,
        head: Callable[[int, int], MaskHead] = MaskHead,
        windows: Windows = WINDOWS,
        sampler: Sampler = SAMPLER,
        mask_weight: float = 10.0,
        limit: int = 1000,
        normalise: Normalise | None = None,
    ) -> None:
        super().__init__(pyramid, num_classes, normalise)
        if mask_weight < 0 or limit < 1:
            raise InputError(
                f"mask proposals: mask_weight must be at least 0 and limit at least 1, got {mask_weight} and {limit}"
            )
        channels = width(pyramid)
        self.heads = nn.ModuleList(head(channels, cells) for cells in windows.cells)
        self.windows = windows
        self.sampler = sampler
        self.mask_weight = mask_weight
        self.limit = limit

    def loss(self, batch: Batch[list[Target]]) -> dict[str, Tensor]:
        """Log losses of sampled places: `cls` of their scores, and `mask` of the positive ones' cells, weighted.

        Raises:
            InputError: The data keep no masks.
        """
        features = self.extract(batch.images, batch.sizes)
        places = self.windows.places(features)
        matched = torch.stack([self._assign(places, *each) for each in zip(batch.targets, batch.sizes, strict=True)])
        sampled = self.sampler(matched >= 0, matched == matching.NEGATIVE)
        image, place = sampled.nonzero(as_tuple=True)
        logits, masks = self._look(features, places, image, place)
        with full_precision(batch.images):
            positive = matched[image, place] >= 0
            cls = F.binary_cross_entropy_with_logits(logits.float(), positive.float(), reduction="sum")
            wanted = self._wanted(places, batch.targets, matched, sampled & (matched >= 0), masks.shape[-1])
            off = F.binary_cross_entropy_with_logits(masks[positive].float(), wanted.float(), reduction="sum")
        return {"cls": cls / max(1, len(place)), "mask": self.mask_weight * off / max(1, wanted.numel())}

    def _assign(self, places: Places, target: Target, size: Tensor) -> Tensor:
        """The object of each place, counted among those to learn from; places outside the image are ignored."""
        if len(target.boxes) != len(target.masks):
            raise InputError(
                "mask proposals learn from the objects' masks, and the data keep none; set data.masks to true"
            )
        found = self.windows.assign(places, matching.trainable(target)[0])
        return torch.where(_inside(places, size), found, matching.IGNORED)

    def _wanted(self, places: Places, targets: Sequence[Target], matched: Tensor, chosen: Tensor, size: int) -> Tensor:
        """The masks to learn, bool [P, M, M], image by image."""
        found = []
        for target, objects, of_image in zip(targets, matched, chosen, strict=True):
            place = of_image.nonzero()[:, 0]
            masks = target.masks[matching.learnable(target)]
            if len(place):
                found.append(mask.crop(masks, objects[place], places.squares(place), size))
        return torch.cat(found) if found else chosen.new_zeros(0, size, size)

    def _look(self, features: Features, places: Places, image: Tensor, place: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of some places' scores [N] and masks [N, M, M], in their order."""
        pairs, start = places.pairs()[place], 0
        order, logits, masks = [], [], []
        heads: Iterable[Any] = self.heads
        for number, (head, level) in enumerate(itertools.product(heads, sorted(features))):
            # A pair without places is asked too: it stays in the graph, and its layers get a gradient of zero.
            chosen = (pairs == number).nonzero()[:, 0]
            score, outline = head.at(features[level], image[chosen], place[chosen] - start)
            order.append(chosen)
            logits.append(score)
            masks.append(outline)
            start += places.counts[number]
        back = torch.cat(order).argsort()
        return torch.cat(logits)[back], torch.cat(masks)[back]

    def _best(self, features: Features, places: Places, sizes: Tensor) -> tuple[Tensor, Tensor]:
        """Scores and places of each image, best first, [B, N] each; a score of zero is no place of the image."""
        logits = torch.cat([head(features) for head in self.heads], 1).float()
        inside = torch.stack([_inside(places, size) for size in sizes])
        scores = logits.sigmoid().masked_fill(~inside, 0)
        found = scores.topk(min(self.limit, scores.shape[1]))
        return found.values, found.indices

    @torch.no_grad()
    def detect(self, images: Tensor, sizes: Tensor) -> list[Detections]:
        """The masks at the best places of each image; their boxes are drawn around the likely cells."""
        features = self.extract(images, sizes)
        places = self.windows.places(features)
        scores, place = self._best(features, places, sizes)
        image = torch.arange(len(images), device=place.device).repeat_interleave(place.shape[1])
        masks = self._look(features, places, image, place.flatten())[1].float().sigmoid()
        each = zip(scores, places.squares(place), torch.split(masks, place.shape[1]), sizes, strict=True)
        return [_detections(*of_image) for of_image in each]

    def candidates(self, features: Features, image_size: Sequence[int], sizes: Tensor) -> list[Candidates]:
        """The squares at the best places, without masks."""
        places = self.windows.places(features)
        scores, place = self._best(features, places, sizes)
        boxes, none = box.clip(places.squares(place), sizes), torch.zeros_like(place)
        return [Candidates(*of_image) for of_image in zip(boxes, scores, none, none, strict=True)]

    @property
    def limits(self) -> Selection:
        """The best, without suppression."""
        return Selection(score=0.0, per_level=self.limit, nms=1.0, limit=self.limit)

    def static(self) -> Iterable[nn.Module]:
        """Pyramid and heads."""
        return self.pyramid, *self.heads

    @classmethod
    def example(cls) -> "MaskProposals":
        """On a ResNet-18 with a narrow pyramid, with both windows of the paper."""

        def head(channels: int, cells: int) -> MaskHead:
            return MaskHead(channels, cells, width=32)

        return cls(Pyramid(resnet.resnet18(), range(2, 7), channels=16), head=head, windows=Windows((5, 7)))


def _inside(places: Places, size: Tensor) -> Tensor:
    """Which places lie in an image of that height and width, bool [A]."""
    return (places.centres < size.flip(0)).all(1)


def _detections(scores: Tensor, windows: Tensor, masks: Tensor, size: Tensor) -> Detections:
    kept = scores > 0
    scores, windows, masks = scores[kept], windows[kept], masks[kept]
    boxes = box.clip(mask.bounds(masks, windows), size)
    return Detections(boxes, scores, torch.zeros_like(scores, dtype=torch.int64), masks, windows)
