"""How far a figure of a small test set may be off: percentile intervals over images drawn with replacement."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from lit_vision.errors import InputError
from lit_vision.metrics.detections import Floats, Integers
from lit_vision.metrics.matches import ClassMetric, average_precision
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


class Estimate(NamedTuple):
    """A figure of all classes, and of each.

    Attributes:
        mean: Over the classes with objects, [].
        per_class: [K]; NaN for a class without objects.
    """

    mean: Interval
    per_class: Interval


class Drawing(NamedTuple):
    """How images are drawn.

    Attributes:
        samples: Number of samples, S.
        level: Percent of the samples inside the interval.
        seed: Of the drawing; the images are drawn in the order of their ids.
    """

    samples: int = 1000
    level: float = 95.0
    seed: int = 0


DRAWING = Drawing()
Figures = Callable[[Integers], dict[str, Floats]]
"""Mean and each class in percent, [S, 1 + K] by name, of images drawn so often, [S, N]."""


def intervals(
    metric: Callable[[], ClassMetric],
    found: Sequence[Detections],
    targets: Sequence[Target],
    drawing: Drawing = DRAWING,
) -> dict[str, Estimate]:
    """Percentile bootstrap of `ap` and `ap50` (CocoAP) or of `map` (VocAP) over images.

    Every sample holds as many images as the set, drawn with replacement; an image drawn twice counts as two images.
    Images are matched once; a sample only weighs the matches. A class without objects in a sample is left out of that
    sample's mean and of its own percentiles.

    Args:
        metric: Makes the metric, such as `functools.partial(CocoAP, num_classes=3)`.
        found: Detections of N images in original pixels.
        targets: The truth of the same images.
        drawing: How images are drawn.

    Raises:
        InputError: No image, no sample, or a level outside 0 to 100.
    """
    _check(len(targets), drawing)
    return _estimates(_figures(metric, found, targets), len(targets), drawing)


def differences(
    metric: Callable[[], ClassMetric],
    a: Sequence[Detections],
    b: Sequence[Detections],
    targets: Sequence[Target],
    drawing: Drawing = DRAWING,
) -> dict[str, Estimate]:
    """Percentile bootstrap of B - A, paired: every sample holds the same images for both.

    Args:
        metric: See `intervals`.
        a: Detections of N images in original pixels.
        b: Other detections of the same images, in the same order.
        targets: Their truth.
        drawing: See `intervals`.

    Raises:
        InputError: See `intervals`.
    """
    _check(len(targets), drawing)
    of_a, of_b = (_figures(metric, found, targets) for found in (a, b))

    def difference(times: Integers) -> dict[str, Floats]:
        theirs = of_a(times)
        return {name: values - theirs[name] for name, values in of_b(times).items()}

    return _estimates(difference, len(targets), drawing)


def samples(
    metric: Callable[[], ClassMetric],
    found: Sequence[Detections],
    targets: Sequence[Target],
    drawing: Drawing = DRAWING,
) -> dict[str, Floats]:
    """The mean figure in each sample of `intervals`, in percent, [S] by name.

    With one seed, the samples of several networks on the same images hold the same images, one by one.

    Args:
        metric: See `intervals`, as the others.
        found: Detections of N images in original pixels.
        targets: The truth of the same images.
        drawing: How images are drawn.

    Raises:
        InputError: See `intervals`.
    """
    _check(len(targets), drawing)
    figures = _figures(metric, found, targets)
    chunks = [figures(times) for times in _draw(len(targets), drawing)]
    return {name: np.concatenate([chunk[name][:, 0] for chunk in chunks]) for name in chunks[0]}


def _figures(metric: Callable[[], ClassMetric], found: Sequence[Detections], targets: Sequence[Target]) -> Figures:
    """Matches the images once."""
    measured = metric()
    measured.update(found, targets)
    matches = measured.matches()

    def figures(times: Integers) -> dict[str, Floats]:
        return {
            name: _with_mean(np.mean([average_precision(one, times, measured.interpolation) for one in each], 0))
            for name, each in matches.items()
        }

    return figures


def _check(images: int, drawing: Drawing) -> None:
    if not images or drawing.samples < 1 or not 0 < drawing.level < 100:
        raise InputError(
            f"bootstrap got {images} images, samples={drawing.samples}, level={drawing.level:g}; "
            "give at least one image and one sample, and a level between 0 and 100"
        )


def _estimates(figures: Figures, images: int, drawing: Drawing) -> dict[str, Estimate]:
    value = figures(np.ones((1, images), dtype=np.int64))
    drawn = [figures(times) for times in _draw(images, drawing)]
    return {
        name: _estimate(of_all[0], np.concatenate([chunk[name] for chunk in drawn]), drawing.level)
        for name, of_all in value.items()
    }


def _estimate(value: Floats, drawn: Floats, level: float) -> Estimate:
    """From a figure [1 + K] and its samples [S, 1 + K]."""
    ends = (value, _percentile(drawn, 50 - level / 2), _percentile(drawn, 50 + level / 2))
    return Estimate(
        Interval(*(torch.from_numpy(end)[0] for end in ends)), Interval(*(torch.from_numpy(end)[1:] for end in ends))
    )


def _draw(images: int, drawing: Drawing) -> Iterator[Integers]:
    """How often each image is in each sample, [at most SAMPLES, N] at a time."""
    generator = np.random.default_rng(drawing.seed)
    for first in range(0, drawing.samples, SAMPLES):
        size = min(SAMPLES, drawing.samples - first)
        yield generator.multinomial(images, np.full(images, 1 / images), size=size)


def _with_mean(classes: Floats) -> Floats:
    """The mean of the known classes, and each class [S, K], in percent: [S, 1 + K]."""
    classes = 100 * classes
    known = ~np.isnan(classes)
    total = np.where(known, classes, 0).sum(1, keepdims=True)
    mean = np.where(known.any(1, keepdims=True), total / np.maximum(known.sum(1, keepdims=True), 1), np.nan)
    return np.concatenate([mean, classes], 1)


def _percentile(drawn: Floats, percent: float) -> Floats:
    """Of each column over the samples where it exists; NaN where it never does."""
    columns = [column[~np.isnan(column)] for column in drawn.T]
    return np.array([np.percentile(column, percent) if len(column) else np.nan for column in columns])
