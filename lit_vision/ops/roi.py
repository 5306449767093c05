"""Fixed-size features of regions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torchvision.ops import roi_align, roi_pool

from lit_vision.types import Features

Op = Literal["align", "pool"]
Ends = Literal["exclusive", "inclusive"]


@dataclass(frozen=True)
class Pooler:
    """Pools regions to one size, each from the level of its own size.

    Attributes:
        size: Cells of the result, per side.
        op: `align` interpolates (RoIAlign, without the later half-pixel shift); `pool` takes maxima of whole pixels
            of the map (Fast R-CNN, Section 2.1), which both papers used and no current code does.
        sampling_ratio: Points per side of a cell that `align` averages; 0 for as many as there are pixels.
        levels: Levels to pool from, ascending, of those that exist. P6 is for proposals only (FPN,
            Section 4.1).
        canonical: Level of a 224-pixel region, k0 in FPN's Eq. 1.
        ends: Which corner both operations are given as the lower right one: `exclusive` gives ours, which lies behind
            the last pixel; `inclusive` gives the last pixel's own, as Caffe's boxes do, one less in each direction.

    `pool` rounds halves away from zero, and takes the end in: with corners x1 and x2 and stride s, the columns
    `round(x1 / s)` to `round(x2 / s)` of the map are pooled, both included, `w = max(1, round(x2 / s) - round(x1 / s)
    + 1)` in number. Cell i of n takes the maximum of the columns from `floor(i w / n)` up to, but not including,
    `ceil((i + 1) w / n)`, counted from the first: neighbours may share one. Rows likewise. With exclusive ends a region
    of 24 pixels from 0 on at stride 16 has three columns (24 / 16 = 1.5 is rounded to 2), with inclusive ends two
    (23 / 16 = 1.4).
    """

    size: int = 7
    op: Op = "align"
    sampling_ratio: int = 2
    levels: Sequence[int] = (2, 3, 4, 5)
    canonical: int = 4
    ends: Ends = "exclusive"

    def __call__(self, features: Features, boxes: Sequence[Tensor]) -> Tensor:
        """Pool regions.

        Args:
            features: {level: [B, C, H_l, W_l]}.
            boxes: float32 [R_b, 4] of each image.

        Returns:
            [R, C, size, size], in the order of `boxes` and the dtype of `features`.
        """
        levels = [level for level in self.levels if level in features]
        images = torch.cat([each.new_full((len(each), 1), index) for index, each in enumerate(boxes)])
        corners = torch.cat(list(boxes))
        of_level = levels_of(corners, levels[0], levels[-1], self.canonical)
        rois = torch.cat([images, self._given(corners)], 1)
        chosen = [(of_level == level).nonzero()[:, 0] for level in levels]
        # A level without regions is asked too: it stays in the graph, and its layers get a gradient of zero.
        pooled = [self._pool(features[level], rois[of], level) for level, of in zip(levels, chosen, strict=True)]
        return torch.cat(pooled)[torch.cat(chosen).argsort()]

    def _given(self, corners: Tensor) -> Tensor:
        return corners - corners.new_tensor([0, 0, 1, 1]) if self.ends == "inclusive" else corners

    def _pool(self, feature: Tensor, rois: Tensor, level: int) -> Tensor:
        # Corners need float32: a half-precision 1000 is known to the nearest pixel or worse.
        source, scale = feature.to(rois.dtype), 1 / 2**level
        if self.op == "pool":
            pooled: Tensor = roi_pool(source, rois, self.size, scale)
        else:
            pooled = roi_align(source, rois, self.size, scale, self.sampling_ratio)
        return pooled.to(feature.dtype)


def crops(images: Tensor, sizes: Tensor, boxes: Sequence[Tensor], side: int) -> Tensor:
    """Regions cut out of their images and warped to squares (R-CNN; ResNet paper, Appendix C).

    A pixel of the square is the mean of as many points, interpolated bilinearly, as there are pixels of the image below
    it. Half of a pixel at the border of an image lies between that pixel's centre and nothing: it is the pixel's own.

    Args:
        images: float32 [B, C, H, W].
        sizes: int64 [B, 2], height and width of each image without padding, which no crop sees.
        boxes: float32 [R_b, 4] of each image, xyxy.
        side: Of the squares.

    Returns:
        [R, C, side, side], in the order of `boxes`.
    """
    found = [
        roi_align(image[None, :, :height, :width], [regions], side, sampling_ratio=0, aligned=True)
        for image, (height, width), regions in zip(images, sizes.tolist(), boxes, strict=True)
    ]
    return torch.cat(found)


def levels_of(boxes: Tensor, lowest: int, highest: int, canonical: int = 4) -> Tensor:
    """Level that each box is pooled from: `floor(canonical + log2(sqrt(w h) / 224))` (FPN, Eq. 1).

    Args:
        boxes: [R, 4] xyxy, in the pixels of the network's input.
        lowest: Smaller boxes are pooled from this level.
        highest: Larger boxes are pooled from this level.
        canonical: Level of a 224-pixel box, ImageNet's size.

    Returns:
        int64 [R].
    """
    sides = (boxes[:, 2:] - boxes[:, :2]).prod(1).sqrt()
    # The small number, from the authors' code, keeps boxes of exactly 112, 224 and 448 pixels on the upper side.
    return torch.floor(canonical + torch.log2(sides / 224) + 1e-6).clamp(lowest, highest).long()
