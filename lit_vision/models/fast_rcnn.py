"""Fast R-CNN on given regions: from a file, or from a stage that proposed them (Faster R-CNN paper, Section 3.2)."""

from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor, nn

from lit_vision.errors import InputError
from lit_vision.models.backbones import resnet
from lit_vision.models.backbones.base import Backbone
from lit_vision.models.detector import width
from lit_vision.models.faster_rcnn import OnRegions, RegionClassifier
from lit_vision.models.normalise import Normalise
from lit_vision.models.pyramid import Pyramid
from lit_vision.ops import matching
from lit_vision.types import Batch, Detections, Features, Target

NEEDS_REGIONS = "FastRCNN finds objects among given regions only: name their files by data.proposals"


class FastRCNN(OnRegions):
    """The second stage as a detector of its own: classifies and refines the regions that come with the data.

    Args:
        pyramid: Levels 2 to 5 or 6 in FPN; a backbone restricted to one level in Fast R-CNN.
        num_classes: K; linked from the data in a recipe.
        regions: Makes the second stage from the channels and K.
        normalise: See `Detector`.

    Raises:
        InputError: The pyramid's levels differ in width, or there is none to pool from.
    """

    takes_proposals = True

    def __init__(
        self,
        pyramid: Pyramid | Backbone,
        num_classes: int,
        regions: Callable[[int, int], RegionClassifier] = RegionClassifier,
        normalise: Normalise | None = None,
    ) -> None:
        super().__init__(pyramid, num_classes, normalise)
        self.build_regions(regions, width(pyramid))

    def loss(self, batch: Batch[list[Target]]) -> dict[str, Tensor]:
        """Losses `cls` and `box` of the regions (Fast R-CNN, Eq. 1)."""
        boxes, labels = zip(*map(matching.trainable, batch.targets), strict=True)
        given = [target.proposals for target in batch.targets]
        return self.regions.loss(self.extract(batch.images, batch.sizes), given, boxes, labels, batch.sizes)

    @torch.no_grad()
    def detect(self, images: Tensor, sizes: Tensor, proposals: Sequence[Tensor] | None = None) -> list[Detections]:
        """The best boxes of the given regions.

        Args:
            images: uint8 [B, 3, H, W].
            sizes: int64 [B, 2], height and width of each image without padding.
            proposals: [R, 4] of each image, in the pixels of the batch.

        Raises:
            InputError: There are no proposals.
        """
        if proposals is None:
            raise InputError(NEEDS_REGIONS)
        return self.select(self.candidates_of(self.score(self.extract(images, sizes), proposals, sizes), sizes))

    def propose(self, features: Features, image_size: Sequence[int], sizes: Tensor) -> list[Tensor]:
        """Refuses: the regions come with the data."""
        raise InputError(NEEDS_REGIONS)

    def static(self) -> Iterable[nn.Module]:
        """The pyramid: how many regions there are depends on the data."""
        return (self.pyramid,)

    @classmethod
    def example(cls) -> "FastRCNN":
        """On a ResNet-18 with a narrow pyramid."""
        return cls(Pyramid(resnet.resnet18(), levels=range(2, 6), channels=32), num_classes=3)
