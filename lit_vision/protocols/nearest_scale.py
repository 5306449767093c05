"""Features of several scales, each region from the one that brings it nearest to 224 pixels a side."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from lit_vision.errors import InputError
from lit_vision.models.detector import Detector, RegionDetector
from lit_vision.protocols.base import BoxProtocol
from lit_vision.types import Detections, Scores

CANONICAL = 224


class NearestScale(BoxProtocol):
    """Image pyramid of SPP-net and Fast R-CNN, which the one-stage systems of Faster R-CNN's Table 10 have too.

    Regions are proposed at the scale that the pipeline hands over. Each is pooled from the scale at which its area is
    nearest to 224 x 224 pixels. The scales are made from the pipeline's image, and larger ones hold no more detail.

    Args:
        sides: Short sides of the scales. The paper gives their number alone; 480, 576, 688, 864 and 1200 are SPP-net's.
        cap: Longest long side.

    Raises:
        InputError: There is no scale, or one is not positive.
    """

    def __init__(self, sides: Sequence[int] = (480, 576, 688, 864, 1200), cap: int = 2000) -> None:
        if min(sides, default=0) < 1 or cap < 1:
            raise InputError(f"protocol: sides and cap are in pixels, from 1 on, got {list(sides)} and {cap}")
        self.sides = list(sides)
        self.cap = cap

    @torch.no_grad()
    def detect(
        self, network: Detector, images: Tensor, sizes: Tensor, proposals: Sequence[Tensor] | None = None
    ) -> list[Detections]:
        """See `BoxProtocol`.

        Raises:
            InputError: The detector has no second stage that could score regions at other scales.
        """
        if not isinstance(network, RegionDetector):
            raise InputError(f"protocol: NearestScale pools regions, but {type(network).__name__} has no second stage")
        if proposals is None:
            proposals = network.propose(network.extract(images, sizes), images.shape[-2:], sizes)
        each = zip(images, sizes, proposals, strict=True)
        scores = [self._score(network, image[:, : size[0], : size[1]], regions) for image, size, regions in each]
        return network.select(network.candidates_of(scores, sizes))

    def _score(self, network: RegionDetector, image: Tensor, regions: Tensor) -> Scores:
        """What the second stage says about regions [R, 4] of one image [3, H, W], in its pixels."""
        factors = [self._factor(image, side) for side in self.sides]
        nearest = nearest_scale(regions, regions.new_tensor(factors))
        scores = regions.new_zeros(len(regions), network.num_classes)
        boxes = regions.new_zeros(len(regions), network.num_classes, 4)
        for index, factor in enumerate(factors):
            of = (nearest == index).nonzero()[:, 0]
            if len(of):
                scaled, ratio = _resized(image, factor)
                (found,) = network.score(network.extract(*scaled), [regions[of] * ratio])
                scores[of], boxes[of] = found.scores, found.boxes / ratio
        return Scores(scores, boxes)

    def _factor(self, image: Tensor, side: int) -> float:
        height, width = image.shape[-2:]
        return min(side / min(height, width), self.cap / max(height, width))


def nearest_scale(regions: Tensor, factors: Tensor) -> Tensor:
    """Which of the factors brings each region's area nearest to 224 x 224 pixels.

    Args:
        regions: [R, 4] xyxy.
        factors: [S].

    Returns:
        int64 [R].
    """
    sides = (regions[:, 2:] - regions[:, :2]).prod(1)
    return (sides[:, None] * factors.square() - CANONICAL**2).abs().argmin(1)


def _resized(image: Tensor, factor: float) -> tuple[tuple[Tensor, Tensor], Tensor]:
    """A batch of one image and its size, and the factors by which its boxes grew, [4]."""
    height, width = image.shape[-2:]
    size = max(1, round(height * factor)), max(1, round(width * factor))
    resized = F.interpolate(image[None].float(), size=size, mode="bilinear", align_corners=False, antialias=True)
    batch = resized.round().clamp(0, 255).to(torch.uint8)
    grown = torch.tensor([size[1] / width, size[0] / height], device=image.device).repeat(2)
    return (batch, torch.tensor([size], device=image.device)), grown
