"""How far a figure of a small test set may be off: percentile intervals over images drawn with replacement."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from lit_vision.errors import InputError
from lit_vision.metrics.detections import Floats, Integers
from lit_vision.metrics.matches import ClassMetric, Matches, average_precision
from lit_vision.types import Detections, Target

# Samples whose curves are in memory at a time: 20 MB for 10,000 detections of a class.
SAMPLES = 64


class Interval(NamedTuple):
    """A figure in percent and where it lies in the middle samples.

    Attributes:
        value: Of the images themselves; float64 [] or [K].
        low: Lower end, same shape.
        high: Upper end, same shape.
    """

    value: Tensor
    low: Tensor
    high: Tensor


def intervals(
    metric: Callable[[], ClassMetric],
    found: Sequence[Detections],
    targets: Sequence[Target],
    samples: int = 1000,
    level: float = 95.0,
    seed: int = 0,
) -> dict[str, Interval]:
    """Percentile bootstrap of `ap50` (CocoAP) or `map` (VocAP) over images, and of each class under `per_class`.

    Every sample holds as many images as the set, drawn with replacement; an image drawn twice counts as two images.
    Images are matched once; a sample only weighs the matches. A class without objects in a sample is left out of that
    sample's mean and of its own percentiles.

    Args:
        metric: Makes the metric, such as `functools.partial(CocoAP, num_classes=3)`.
        found: Detections of N images in original pixels.
        targets: The truth of the same images.
        samples: Number of samples, S.
        level: Percent of the samples inside the interval.
        seed: Of the drawing; the images are drawn in the order of their ids.

    Raises:
        InputError: No image, no sample, or a level outside 0 to 100.
    """
    if not len(targets) or samples < 1 or not 0 < level < 100:
        raise InputError(
            f"bootstrap got {len(targets)} images, samples={samples}, level={level}; "
            "give at least one image and one sample, and a level between 0 and 100"
        )
    measured = metric()
    measured.update(found, targets)
    matches = measured.matches()
    value = _figures(measured, matches, np.ones((1, len(targets)), dtype=np.int64))[0]
    chunks = _draw(len(targets), samples, np.random.default_rng(seed))
    drawn = np.concatenate([_figures(measured, matches, times) for times in chunks])
    low, high = (torch.from_numpy(_percentile(drawn, end)) for end in (50 - level / 2, 50 + level / 2))
    values = torch.from_numpy(value)
    return {
        measured.figure: Interval(values[0], low[0], high[0]),
        "per_class": Interval(values[1:], low[1:], high[1:]),
    }


def _draw(images: int, samples: int, generator: np.random.Generator) -> Iterator[Integers]:
    """How often each image is in each sample, [at most SAMPLES, N] at a time."""
    for first in range(0, samples, SAMPLES):
        size = min(SAMPLES, samples - first)
        yield generator.multinomial(images, np.full(images, 1 / images), size=size)


def _figures(metric: ClassMetric, matches: Matches, times: Integers) -> Floats:
    """Mean and each class in percent, [S, 1 + K]."""
    classes = 100 * average_precision(matches, times, metric.interpolation)
    known = ~np.isnan(classes)
    total = np.where(known, classes, 0).sum(1, keepdims=True)
    mean = np.where(known.any(1, keepdims=True), total / np.maximum(known.sum(1, keepdims=True), 1), np.nan)
    return np.concatenate([mean, classes], 1)


def _percentile(drawn: Floats, percent: float) -> Floats:
    """Of each column over the samples where it exists; NaN where it never does."""
    columns = [column[~np.isnan(column)] for column in drawn.T]
    return np.array([np.percentile(column, percent) if len(column) else np.nan for column in columns])
