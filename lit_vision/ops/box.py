"""Box arithmetic: the parameterisation of R-CNN and clipping."""

import math

import torch
from torch import Tensor

Weights = tuple[float, float, float, float]

ONES: Weights = (1.0, 1.0, 1.0, 1.0)
# Not in the papers: their code limits the growth to 1000 pixels from a 16-pixel cell, so that exp() stays finite.
MAX_LOG_SCALE = math.log(1000 / 16)


def encode(boxes: Tensor, anchors: Tensor, weights: Weights = ONES) -> Tensor:
    """Offsets that lead from anchors to boxes (Faster R-CNN, Eq. 2).

    Args:
        boxes: [..., 4] xyxy, each with positive area.
        anchors: [..., 4] xyxy, one for each box, each with positive area.
        weights: Factors of `tx, ty, tw, th`; (10, 10, 5, 5) in Fast R-CNN's box head, which amounts to targets
            divided by their typical standard deviations.

    Returns:
        [..., 4], `tx ty tw th`.
    """
    centres, sizes = _centres_and_sizes(boxes)
    origins, scales = _centres_and_sizes(anchors)
    offsets = torch.cat([(centres - origins) / scales, torch.log(sizes / scales)], -1)
    return offsets * offsets.new_tensor(weights)


def decode(deltas: Tensor, anchors: Tensor, weights: Weights = ONES) -> Tensor:
    """Boxes from anchors and offsets: the inverse of `encode`, for growth up to `MAX_LOG_SCALE`.

    Args:
        deltas: [..., 4].
        anchors: [..., 4] xyxy, of a shape that broadcasts with `deltas`.
        weights: As in `encode`.

    Returns:
        [..., 4] xyxy, not clipped.
    """
    shifts, growth = torch.split(deltas / deltas.new_tensor(weights), 2, -1)
    origins, scales = _centres_and_sizes(anchors)
    centres = origins + shifts * scales
    halves = growth.clamp(max=MAX_LOG_SCALE).exp() * scales / 2
    return torch.cat([centres - halves, centres + halves], -1)


def clip(boxes: Tensor, sizes: Tensor) -> Tensor:
    """Cut boxes off at the borders of their image.

    Args:
        boxes: [..., R, 4] xyxy.
        sizes: [..., 2], height and width of each image.
    """
    limits = sizes.to(boxes)[..., None, [1, 0, 1, 0]]
    return torch.minimum(boxes.clamp(min=0), limits)


def inside(boxes: Tensor, size: Tensor, border: float = 0.0) -> Tensor:
    """Which boxes lie in an image, bool [R].

    Args:
        boxes: [R, 4] xyxy.
        size: [2], height and width of the image.
        border: Pixels by which a box may leave it on each side.
    """
    limits = size.to(boxes)[[1, 0]] + border
    return (boxes[:, :2] >= -border).all(1) & (boxes[:, 2:] <= limits).all(1)


def whole(sizes: Tensor) -> Tensor:
    """The box of each whole image, float32 [B, 4], of heights and widths [B, 2]."""
    corners = sizes.flip(1).float()
    return torch.cat([torch.zeros_like(corners), corners], 1)


def mirror(boxes: Tensor, width: Tensor | float) -> Tensor:
    """Boxes [..., 4] xyxy in the mirror image of an image of that width."""
    left, top, right, bottom = boxes.unbind(-1)
    return torch.stack([width - right, top, width - left, bottom], -1)


def _centres_and_sizes(boxes: Tensor) -> tuple[Tensor, Tensor]:
    lower, upper = torch.split(boxes, 2, -1)
    sizes = upper - lower
    # In this order, not as the mean of the corners: to the last bit what torchvision computes, so that suppression
    # decides alike.
    return lower + 0.5 * sizes, sizes
