"""Windows that slide over a pyramid, and the objects that they are for (1612.03144, Figure 4)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from lit_vision.errors import InputError
from lit_vision.ops.matching import NEGATIVE
from lit_vision.types import Features

_WHOLE_OCTAVE = 5  # cells of the window whose objects double from level to level as the anchors do


class Places(NamedTuple):
    """Every window on every cell of some maps: windows in their order, levels ascending, cells by rows.

    Attributes:
        centres: float32 [A, 2], x and y in pixels.
        strides: float32 [N], pixels of a cell, for each of the N pairs of window and level.
        canonical: float32 [N], longest side of the objects that the pair is for.
        regions: float32 [N], sides of the squares that its masks cover.
        counts: Cells of each pair; their sum is A.
    """

    centres: Tensor
    strides: Tensor
    canonical: Tensor
    regions: Tensor
    counts: list[int]

    def pairs(self) -> Tensor:
        """The pair that each place belongs to, int64 [A]."""
        counts = torch.tensor(self.counts, device=self.centres.device)
        return torch.repeat_interleave(torch.arange(len(counts), device=counts.device), counts)

    def squares(self, places: Tensor) -> Tensor:
        """What masks of some places cover, float32 [..., 4]; they may reach out of the image."""
        halves = (self.regions / 2)[self.pairs()[places]][..., None]
        centres = self.centres[places]
        return torch.cat([centres - halves, centres + halves], -1)


@dataclass(frozen=True)
class Windows:
    """Which windows look at which objects. Centres of cells are those of `Anchors`.

    Attributes:
        cells: Sides of the windows. One of 5 cells is for objects of `base` strides; others for objects larger in
            proportion, to the nearest half octave: 7 is nearly `5 * sqrt(2)`.
        base: 8 gives objects of 32 pixels on P2, and of 512 on P6.
        padding: How much larger than its objects the square is that a mask covers; 0.25 makes 40 of 32 pixels.
        reach: Strides by which an object's centre may be off, along x and along y, and still be a window's.

    Raises:
        InputError: There is no window, or a number is out of range.
    """

    cells: Sequence[int] = (5,)
    base: float = 8.0
    padding: float = 0.25
    reach: float = 1.0

    def __post_init__(self) -> None:
        if not self.cells or min(self.cells) < 1 or self.base <= 0 or self.padding < 0 or self.reach <= 0:
            raise InputError(
                f"windows: cells, base and reach must be positive and padding at least 0, got {list(self.cells)}, "
                f"{self.base}, {self.reach} and {self.padding}"
            )

    def canonical(self, cells: int, level: int) -> float:
        """Longest side, in pixels, of the objects that a window is for."""
        half_octaves = round(2 * math.log2(cells / _WHOLE_OCTAVE))
        return float(self.base * 2 ** (level + half_octaves / 2))

    def region(self, cells: int, level: int) -> float:
        """Side of the square that a mask covers, in pixels."""
        return self.canonical(cells, level) * (1 + self.padding)

    def places(self, features: Features) -> Places:
        """Every window on every cell.

        Args:
            features: {level: [B, C, H_l, W_l]}.
        """
        levels = sorted(features)
        device = features[levels[0]].device
        pairs = [(cells, level) for cells in self.cells for level in levels]
        grids = [_centres(features[level], 2**level) for level in levels]
        numbers = [(2**level, self.canonical(cells, level), self.region(cells, level)) for cells, level in pairs]
        strides, canonical, regions = torch.tensor(numbers, dtype=torch.float32, device=device).unbind(1)
        every = grids * len(self.cells)
        return Places(torch.cat(every), strides, canonical, regions, [len(grid) for grid in every])

    def assign(self, places: Places, boxes: Tensor) -> Tensor:
        """The object of each place: the pair for the size nearest to the object's on a logarithmic scale has it.

        Args:
            places: A of them.
            boxes: float32 [G, 4] xyxy, each with positive area.

        Returns:
            int64 [A]: index of the object, of the nearest one if several are within reach, or `NEGATIVE`.
        """
        middles = (boxes[:, :2] + boxes[:, 2:]) / 2
        longest = (boxes[:, 2:] - boxes[:, :2]).amax(1)
        pair = (longest.log()[:, None] - places.canonical.log()).abs().argmin(1)
        matched = []
        for number, centres in enumerate(torch.split(places.centres, places.counts)):
            theirs = (pair == number).nonzero()[:, 0]
            matched.append(_nearest(centres, middles[theirs], theirs, self.reach * places.strides[number]))
        return torch.cat(matched)


def _nearest(centres: Tensor, middles: Tensor, objects: Tensor, reach: Tensor) -> Tensor:
    """The object whose middle is nearest to each centre, if it is within reach; else `NEGATIVE`."""
    if not len(objects):
        return torch.full((len(centres),), NEGATIVE, device=centres.device)
    off, nearest = (centres[:, None] - middles).abs().amax(2).min(1)
    return torch.where(off <= reach, objects[nearest], NEGATIVE)


def _centres(feature: Tensor, stride: int) -> Tensor:
    y, x = (torch.arange(count, dtype=torch.float32, device=feature.device) * stride for count in feature.shape[-2:])
    return torch.cartesian_prod(y, x).flip(1)
