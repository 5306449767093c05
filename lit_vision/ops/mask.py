"""Masks of objects: as windows of few cells, as pixels, and in COCO's run lengths."""

from typing import Any

import numpy as np
import torch
from pycocotools import mask as coco
from torch import Tensor

POINTS = 4  # per side of a cell; a cell belongs to an object that covers at least half of its points
AT_ONCE = 64  # masks laid over an image at a time: 80 MB for one of 480 x 640 pixels
LIKELY = 0.5


def crop(masks: Tensor, objects: Tensor, windows: Tensor, size: int) -> Tensor:
    """What windows see of objects; there is nothing beyond the image.

    Args:
        masks: bool [G, H, W], pixels of one image.
        objects: int64 [R], 0..G-1, the object of each window.
        windows: float32 [R, 4] xyxy.
        size: M, cells per side of a window.

    Returns:
        bool [R, M, M].
    """
    height, width = masks.shape[1:]
    steps = (torch.arange(size * POINTS, device=windows.device) + 0.5) / (size * POINTS)
    x, y = ((windows[:, [low]] + (windows[:, [low + 2]] - windows[:, [low]]) * steps).floor().long() for low in (0, 1))
    seen = masks[objects[:, None, None], y.clamp(0, height - 1)[:, :, None], x.clamp(0, width - 1)[:, None, :]]
    within = ((y >= 0) & (y < height))[:, :, None] & ((x >= 0) & (x < width))[:, None, :]
    cells = (seen & within).float().reshape(-1, size, POINTS, size, POINTS)
    covered: Tensor = cells.mean((2, 4)) >= LIKELY
    return covered


def bounds(masks: Tensor, windows: Tensor) -> Tensor:
    """Boxes around the likely cells of each mask, float32 [R, 4]; the whole window where there is none.

    Args:
        masks: [R, M, M], probabilities.
        windows: [R, 4] xyxy.
    """
    size = masks.shape[-1]
    on = masks >= LIKELY
    on |= ~on.any(2, keepdim=True).any(1, keepdim=True)
    cells = torch.arange(size, device=masks.device)
    sides = []
    for seen in (on.any(1), on.any(2)):  # columns, rows
        sides += [torch.where(seen, cells, size).amin(1), torch.where(seen, cells + 1, 0).amax(1)]
    left, right, top, bottom = sides
    share = torch.stack([left, top, right, bottom], 1) / size
    return windows[:, :2].repeat(1, 2) + share * (windows[:, 2:] - windows[:, :2]).repeat(1, 2)


def paste(masks: Tensor, windows: Tensor, height: int, width: int) -> Tensor:
    """Masks laid over an image, bool [R, H, W]: pixels whose bilinear probability is at least one half.

    Args:
        masks: float32 [R, M, M], probabilities.
        windows: float32 [R, 4] xyxy, in pixels of the image.
        height: H.
        width: W.
    """
    rows = _between(windows[:, 1], windows[:, 3], height, masks.shape[-1])
    columns = _between(windows[:, 0], windows[:, 2], width, masks.shape[-1])
    return rows @ masks @ columns.mT >= LIKELY


def _between(start: Tensor, end: Tensor, count: int, size: int) -> Tensor:
    """Weights of linear interpolation between the centres of cells, at pixels' centres: [R, count, size].

    Outermost cells reach to the window's edge; pixels outside get no weight.
    """
    pixels = torch.arange(count, dtype=start.dtype, device=start.device) + 0.5
    share = (pixels - start[:, None]) / (end - start)[:, None]
    at = (share * size - 0.5).clamp(0, size - 1)[..., None]
    weights = (1 - (at - torch.arange(size, dtype=start.dtype, device=start.device)).abs()).clamp(min=0)
    return weights * ((share >= 0) & (share < 1))[..., None]


def encode(masks: Tensor, windows: Tensor, height: int, width: int) -> list[dict[str, Any]]:
    """Masks of one image in COCO's compressed run lengths: `size` and `counts` of each. Arguments as of `paste`."""
    found: list[dict[str, Any]] = []
    for some, theirs in zip(torch.split(masks, AT_ONCE), torch.split(windows, AT_ONCE), strict=True):
        pixels = paste(some, theirs, height, width)
        # Column by column, as COCO counts; the copy is what its C reads in one run.
        found += coco.encode(np.asfortranarray(pixels.permute(1, 2, 0).numpy().view(np.uint8)))
    return found


def run_lengths(rows: Tensor, height: int, width: int) -> list[dict[str, Any]]:
    """What `encode` gives, of run lengths as a `Target` has them.

    Args:
        rows: uint8 [G, L].
        height: Of the file's image.
        width: Of the file's image.
    """
    return [{"size": [height, width], "counts": row.tobytes().rstrip(b"\0")} for row in rows.numpy()]
