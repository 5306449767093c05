"""Reference boxes of Faster R-CNN (Section 3.1.1), over any number of levels."""

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from lit_vision.errors import InputError
from lit_vision.types import Features

Corners = Literal["exact", "rounded", "published"]
Stride = Literal["level", "floor"]
Grid = tuple[int, int, int]

_CACHED = 64  # grids kept: more than the sizes that multi-scale training meets in a row, at 1.6 MB for a large image


class Anchors:
    """Makes the anchors of a batch; the same for all its images, and remembered while the sizes stay.

    They are centred where the cells' receptive fields are: with padded convolutions cell `x` of level `l` looks at
    pixel `x * 2**l`. Those that are `published` are centred half a stride further, in the middle of the cell's pixels.
    In each cell the order is by ratio, then by scale.

    Args:
        base: Side of the square anchor of scale 1, in strides: 4 gives 32 pixels on P3 and 512 on P7 (RetinaNet), 8
            gives 32 on P2 and 512 on P6 (FPN), or 128 on C4 (Faster R-CNN).
        scales: Multiples of the base side. A number k means the k steps `2**(j/k)` of one octave (RetinaNet,
            Table 1c); (1, 2, 4) are the scales of Faster R-CNN.
        ratios: Height divided by width, at equal area.
        corners: `exact`; `rounded`: sides cut and corners rounded to whole pixels, as in torchvision; or `published`,
            the reference boxes of Faster R-CNN's released code, whose sides are rounded in the box of one stride and
            then multiplied: 23 x 12, 16 x 16 and 11 x 22 at stride 16, so that areas are 1.08 and 0.945 of the nominal.
        stride: `level` is `2**level`; `floor` is the batch's size divided by the map's, rounded down, as in
            torchvision. They differ where the batch's sides are no multiple of the coarsest stride.

    Raises:
        InputError: A side, scale or ratio is not positive, or there is none.
    """

    def __init__(
        self,
        base: float = 4,
        scales: int | Sequence[float] = 3,
        ratios: Sequence[float] = (0.5, 1.0, 2.0),
        corners: Corners = "exact",
        stride: Stride = "level",
    ) -> None:
        self.base = base
        self.scales = [2 ** (step / scales) for step in range(scales)] if isinstance(scales, int) else list(scales)
        self.ratios = list(ratios)
        self.corners = corners
        self.stride = stride
        for name, values in (("base", [base]), ("scales", self.scales), ("ratios", self.ratios)):
            if not values or min(values) <= 0:
                raise InputError(f"anchors: {name} must be positive, got {values}")
        self._cache: dict[object, tuple[Tensor, tuple[int, ...]]] = {}

    @property
    def per_location(self) -> int:
        """Anchors of one cell."""
        return len(self.scales) * len(self.ratios)

    def __call__(self, features: Features, image_size: Sequence[int]) -> tuple[Tensor, tuple[int, ...]]:
        """Anchors of all levels in ascending order.

        Args:
            features: {level: [B, C, H_l, W_l]}.
            image_size: Height and width of the padded batch.

        Returns:
            float32 [A, 4] in pixels, rows of cells first; and the number of each level's anchors.
        """
        grids = [(level, *features[level].shape[-2:]) for level in sorted(features)]
        device = features[grids[0][0]].device
        key = (tuple(grids), tuple(image_size), device)
        if key not in self._cache:
            if len(self._cache) >= _CACHED:
                self._cache.pop(next(iter(self._cache)))
            # Never inference tensors, even if made in evaluation: training may be the next to use them.
            with torch.inference_mode(False):
                levels = [self._level(grid, image_size) for grid in grids]
                self._cache[key] = torch.cat(levels).to(device), tuple(len(level) for level in levels)
        return self._cache[key]

    def cell(self, level: int) -> Tensor:
        """Anchors of one cell around the origin, float32 [per_location, 4]."""
        if self.corners == "published":
            return self._published(2**level)
        sides = torch.tensor([self.base * 2**level * scale for scale in self.scales], dtype=torch.float64)
        roots = torch.tensor(self.ratios, dtype=torch.float64).sqrt()
        if self.corners == "rounded":
            sides = sides.trunc()
        halves = torch.stack([(sides / roots[:, None]).flatten(), (sides * roots[:, None]).flatten()], 1).float() / 2
        corners = torch.cat([-halves, halves], 1)
        return corners.round() if self.corners == "rounded" else corners

    def names(self, level: int) -> list[str]:
        """The anchors of one cell as papers name them, by nominal side and width to height: `128 2:1`."""
        told = [f"{1 / ratio:g}:1" if ratio < 1 else f"1:{ratio:g}" for ratio in self.ratios]
        return [f"{self.base * 2**level * scale:g} {ratio}" for ratio in told for scale in self.scales]

    def _published(self, stride: int) -> Tensor:
        roots = [math.sqrt(stride**2 / ratio) for ratio in self.ratios]
        # To whole pixels as the code does: the height from the rounded width.
        units = [(round(root), round(round(root) * ratio)) for root, ratio in zip(roots, self.ratios, strict=True)]
        sides = torch.tensor([[self.base * scale * side for side in unit] for unit in units for scale in self.scales])
        return torch.cat([stride - sides, stride + sides], 1) / 2

    def _level(self, grid: Grid, image_size: Sequence[int]) -> Tensor:
        level, *cells = grid
        steps = [2**level if self.stride == "level" else side // n for side, n in zip(image_size, cells, strict=True)]
        y, x = (torch.arange(n, dtype=torch.float32) * step for n, step in zip(cells, steps, strict=True))
        centres = torch.cartesian_prod(y, x).flip(1).repeat(1, 2)
        return (centres[:, None] + self.cell(level)).reshape(-1, 4)
