"""How well a detector's anchors fit the boxes of a data set."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from lit_vision.data.formats.annotations import Annotations
from lit_vision.ops.anchor import Anchors
from lit_vision.ops.matching import Matcher

Floats = npt.NDArray[np.float64]

_CHUNK = 4096  # boxes compared at once


class Fit(NamedTuple):
    """What is compared with the boxes.

    Attributes:
        anchors: The network's.
        levels: On which they lie.
        matcher: Which overlaps make an anchor an object's.
    """

    anchors: Anchors
    levels: Sequence[int]
    matcher: Matcher


def of(network: nn.Module) -> Fit | None:
    """The anchors of a network, which may lie on the `meta` device; None where it has none."""
    for part in (network, getattr(network, "proposals", None)):
        anchors: Any = getattr(part, "anchors", None)
        matcher = getattr(part, "matcher", None) or getattr(getattr(part, "objective", None), "matcher", None)
        if isinstance(anchors, Anchors) and isinstance(matcher, Matcher):
            pyramid: Any = network.pyramid
            return Fit(anchors, sorted(pyramid.channels), matcher)
    return None


def statistics(found: Annotations, sizes: Sequence[tuple[int, int]], fit: Fit) -> dict[str, str]:
    """Shares of the boxes by their best anchor, wherever it lies.

    Args:
        found: The boxes, in the images' own pixels.
        sizes: Height and width of each image as the network is given it.
        fit: The anchors.
    """
    boxes = _scaled(found, sizes)
    if not len(boxes):
        return {}
    best = best_overlaps(boxes, fit)
    low, high = fit.matcher.low, fit.matcher.high
    saved = "" if fit.matcher.keep_best == "never" else f"; keep_best: {fit.matcher.keep_best} gives some of them one"
    return {
        f"boxes that no anchor overlaps by {high:g}": f"{(best < high).mean():.1%} of {len(best):,}{saved}",
        f"boxes that no anchor overlaps by {low:g}": f"{(best < low).mean():.1%}",
        "best overlap, 5th percentile and median": ", ".join(f"{value:.2f}" for value in np.percentile(best, [5, 50])),
    }


def best_overlaps(boxes: Floats, fit: Fit) -> Floats:
    """The largest overlap of each box with any anchor of an endless grid, [M].

    Of anchors of one shape the nearest overlaps most, so one for each shape and level is compared.

    Args:
        boxes: [M, 4] xyxy in the network's pixels.
        fit: The anchors.
    """
    best = np.zeros(len(boxes))
    for start in range(0, len(boxes), _CHUNK):
        part = boxes[start : start + _CHUNK]
        overlaps = [overlap for level in fit.levels for overlap in _overlaps(part, fit.anchors, level)]
        best[start : start + _CHUNK] = np.max(overlaps, axis=0)
    return best


def _overlaps(boxes: Floats, anchors: Anchors, level: int) -> Iterator[Floats]:
    """The overlap of each box with the nearest anchor of each shape of a level, [M] for each shape."""
    stride = 2**level
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    for cell in anchors.cell(level).double().numpy():
        middle = (cell[:2] + cell[2:]) / 2
        place = np.maximum(np.round((centres - middle) / stride), 0) * stride
        yield _iou(boxes, np.tile(place, 2) + cell)


def _iou(ours: Floats, theirs: Floats) -> Floats:
    sides = np.minimum(ours[:, 2:], theirs[:, 2:]) - np.maximum(ours[:, :2], theirs[:, :2])
    shared = np.maximum(sides, 0).prod(1)
    areas = (ours[:, 2:] - ours[:, :2]).prod(1) + (theirs[:, 2:] - theirs[:, :2]).prod(1)
    return np.asarray(shared / (areas - shared))


def _scaled(found: Annotations, sizes: Sequence[tuple[int, int]]) -> Floats:
    counted = found.starts[1:] - found.starts[:-1]
    scale = torch.tensor(sizes, dtype=torch.float64).reshape(-1, 2) / found.sizes
    factors = torch.repeat_interleave(scale.flip(1).repeat(1, 2), counted, dim=0)
    return (found.boxes * factors)[~found.crowd].numpy()
