"""Feature maps of an image at several scales, of which each region is pooled from those that suit it."""

from abc import ABC
from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from lit_vision.errors import InputError
from lit_vision.models.detector import Detector, RegionDetector
from lit_vision.protocols.regions import Look, OneScale, RegionProtocol, two_stage
from lit_vision.types import Features

MULTIPLE = 32  # sides of a padded batch, as the pipeline makes them


class View(NamedTuple):
    """An image at one scale.

    Attributes:
        features: Of a batch of this image alone.
        padded: Height and width of that batch.
        sizes: int64 [1, 2], height and width of the image.
        grown: float32 [4], the factors of its boxes.
    """

    features: Features
    padded: Sequence[int]
    sizes: Tensor
    grown: Tensor


Views = Callable[[float], View]
"""Gives the view of an image at a factor; computed when it is first asked for."""


class ImagePyramid(RegionProtocol, ABC):
    """Pools each region from the scales at which its area is nearest to `ideal` x `ideal`, and merges by maxout.

    Scales are made from the pipeline's image and padded as a batch of one would be; larger ones hold no more detail.
    Those that the cap makes equal are one. A whole image, which a head with context pools, is a region like any other.

    Args:
        sides: Short sides of the scales, in pixels.
        cap: Longest long side.
        proposed_at: Short side of the scale at which regions are proposed; None for the image as the pipeline hands it
            over.
        ideal: In pixels; the 224 of networks that were trained on ImageNet, as in SPP-net.

    Attributes:
        count: From how many scales a region is pooled.

    Raises:
        InputError: There are fewer scales than `count`, or a number is not positive.
    """

    count: ClassVar[int]

    def __init__(self, sides: Sequence[int], cap: int, proposed_at: int | None, ideal: int) -> None:
        name = f"protocol {type(self).__name__}"
        if len(sides) < self.count:
            raise InputError(f"{name} pools each region from {self.count} of its sides, got {list(sides)}; name more")
        if min(*sides, cap, ideal, cap if proposed_at is None else proposed_at) < 1:
            raise InputError(
                f"{name}: sides, cap, proposed_at and ideal are in pixels, from 1 on, "
                f"got {list(sides)}, {cap}, {proposed_at} and {ideal}"
            )
        self.sides = list(sides)
        self.cap = cap
        self.proposed_at = proposed_at
        self.ideal = ideal

    def look(self, network: Detector, images: Tensor, sizes: Tensor) -> Look:
        """See `RegionProtocol`."""
        detector = two_stage(network, self)
        shapes = sizes.tolist()
        whole = [image[:, :height, :width] for image, (height, width) in zip(images, shapes, strict=True)]
        views = [cache(partial(_view, detector, image)) for image in whole]
        factors = [sorted({_factor(shape, side, self.cap) for side in self.sides}) for shape in shapes]

        def propose() -> list[Tensor]:
            if self.proposed_at is None:
                return OneScale().look(detector, images, sizes).propose()
            own = [_factor(shape, self.proposed_at, self.cap) for shape in shapes]
            return [_proposed(detector, view(factor)) for view, factor in zip(views, own, strict=True)]

        def pool(boxes: Sequence[Tensor]) -> Tensor:
            return torch.cat([self._pool(detector, *image) for image in zip(views, factors, boxes, strict=True)])

        return Look(propose, lambda regions: detector.score_pooled(pool, regions, sizes))

    def _pool(self, network: RegionDetector, views: Views, factors: Sequence[float], boxes: Tensor) -> Tensor:
        """The larger of what the boxes [R, 4] of an image are at their scales, element by element."""
        of = nearest(boxes, boxes.new_tensor(factors), self.ideal, self.count)
        used = of.any(0).nonzero()[:, 0].tolist() or [0]
        pooled = [_pooled(network, views(factors[index]), boxes[of[:, index]]) for index in used]
        merged = pooled[0].new_full((len(boxes), *pooled[0].shape[1:]), -torch.inf)
        for index, each in zip(used, pooled, strict=True):
            merged[of[:, index]] = torch.maximum(merged[of[:, index]], each)
        return merged


def nearest(regions: Tensor, factors: Tensor, ideal: int, count: int) -> Tensor:
    """Which of the factors bring each region's area nearest to that of a square. Several are always neighbours.

    Args:
        regions: [R, 4] xyxy.
        factors: [S], ascending.
        ideal: Side of the square.
        count: How many; all if there are not so many.

    Returns:
        bool [R, S].
    """
    # Areas next to nothing would be lost in the square's, and the order of the scales with them.
    areas = (regions[:, 2:] - regions[:, :2]).double().prod(1).clamp(min=1e-3)
    distances = (areas[:, None] * factors.double().square() - ideal**2).abs()
    best = distances.argsort(dim=1, stable=True)[:, :count]
    return torch.zeros_like(distances, dtype=torch.bool).scatter(1, best, True)


def _factor(shape: Sequence[int], side: int, cap: int) -> float:
    """By which an image's short side, of height and width, becomes `side` without its long one passing the cap."""
    return min(side / min(shape), cap / max(shape))


def _view(network: RegionDetector, image: Tensor, factor: float) -> View:
    """An image, uint8 [3, H, W], at a scale; resized bilinearly with antialiasing, as the pipeline does."""
    height, width = image.shape[-2:]
    size = max(1, round(height * factor)), max(1, round(width * factor))
    resized = F.interpolate(image[None].float(), size=size, mode="bilinear", align_corners=False, antialias=True)
    padded = F.pad(resized.round().clamp(0, 255).to(torch.uint8), (0, -size[1] % MULTIPLE, 0, -size[0] % MULTIPLE))
    sizes = torch.tensor([size], device=image.device)
    grown = torch.tensor([size[1] / width, size[0] / height], device=image.device).repeat(2)
    return View(network.extract(padded, sizes), padded.shape[-2:], sizes, grown)


def _proposed(network: RegionDetector, view: View) -> Tensor:
    (regions,) = network.propose(view.features, view.padded, view.sizes)
    return regions / view.grown


def _pooled(network: RegionDetector, view: View, boxes: Tensor) -> Tensor:
    return network.pool(view.features, [boxes * view.grown])
