"""Fast R-CNN on dense sliding windows, in one stage (Faster R-CNN paper, Section 4.1, Table 10), after OverFeat."""

from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor, nn

from lit_vision.errors import InputError
from lit_vision.models.backbones import resnet
from lit_vision.models.backbones.base import Backbone
from lit_vision.models.detector import Pool, full_precision, width
from lit_vision.models.faster_rcnn import OnRegions, RegionClassifier
from lit_vision.models.normalise import Normalise
from lit_vision.models.pyramid import Pyramid
from lit_vision.ops import box, matching
from lit_vision.ops.anchor import Anchors
from lit_vision.types import Batch, Features, Scores, Target


class SlidingWindows(OnRegions):
    """Every window of every place is classified and refined by class, without proposals: about 20,000 of an image.

    Args:
        pyramid: `OneLevel`, level 4, in the paper.
        num_classes: K; linked from the data in a recipe.
        anchors: The windows; three scales and three ratios in the paper. They end at the image's borders.
        regions: Makes the second stage from the channels and K.
        normalise: See `Detector`.
        at_once: Windows of an image that are scored together; of no effect on what is found.

    Raises:
        InputError: The pyramid's levels differ in width, there is none to pool from, or `at_once` is not positive.
    """

    def __init__(
        self,
        pyramid: Pyramid | Backbone,
        num_classes: int,
        anchors: Anchors | None = None,
        regions: Callable[[int, int], RegionClassifier] = RegionClassifier,
        normalise: Normalise | None = None,
        at_once: int = 2000,
    ) -> None:
        super().__init__(pyramid, num_classes, normalise)
        if at_once < 1:
            raise InputError(f"at_once is {at_once}; it must be at least 1 window")
        self.anchors = anchors or Anchors(base=8, scales=(1, 2, 4))
        self.build_regions(regions, width(pyramid))
        self.at_once = at_once

    def loss(self, batch: Batch[list[Target]]) -> dict[str, Tensor]:
        """Losses `cls` and `box` of sampled windows (Fast R-CNN, Eq. 1)."""
        features = self.extract(batch.images, batch.sizes)
        boxes, labels = zip(*map(matching.trainable, batch.targets), strict=True)
        windows = self.propose(features, batch.images.shape[-2:], batch.sizes)
        return self.regions.loss(features, windows, boxes, labels, batch.sizes)

    def propose(self, features: Features, image_size: Sequence[int], sizes: Tensor) -> list[Tensor]:
        """All windows that reach into their image, cut off at its borders."""
        anchors, _ = self.anchors(features, image_size)
        with full_precision(anchors):
            cut = [box.clip(anchors, size) for size in sizes]
        return [each[(each[:, 2:] > each[:, :2]).all(1)] for each in cut]

    def score_pooled(self, pool: Pool, regions: Sequence[Tensor], sizes: Tensor) -> list[Scores]:
        """What Fast R-CNN says about regions, some of each image at a time: their pooled features fill gigabytes."""
        parts = max(1, -(-max(map(len, regions)) // self.at_once))
        split = zip(*(each.tensor_split(parts) for each in regions), strict=True)
        found = [self.regions.score(pool, part, sizes) for part in split]
        return [Scores(*map(torch.cat, zip(*image, strict=True))) for image in zip(*found, strict=True)]

    def static(self) -> Iterable[nn.Module]:
        """The pyramid."""
        return (self.pyramid,)

    @classmethod
    def example(cls) -> "SlidingWindows":
        """On a ResNet-18 with a narrow pyramid."""
        pyramid = Pyramid(resnet.resnet18(), levels=range(3, 6), channels=32)
        return cls(pyramid, num_classes=3, anchors=Anchors(base=4, scales=(1,)))
