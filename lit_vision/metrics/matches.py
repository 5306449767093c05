"""From matched detections to average precision, also for images that are drawn several times."""

from abc import abstractmethod
from typing import Any, Literal, NamedTuple

import numpy as np
from torch import Tensor

from lit_vision.errors import InputError
from lit_vision.metrics.detections import DetectionMetric, Evidence, Flags, Floats, Integers

Interpolation = Literal["area", "11point", "101point"]

# The VOC2007 devkit says `0:0.1:1`, and MATLAB counts such a range from both ends: its fourth value is 3 * 0.1, a hair
# above 0.3, so that 3 objects of 10 do not reach it, while 7 of 10 reach 1 - 3 * 0.1.
TENTHS = np.array([*(0.1 * np.arange(5)), 0.5, *(1 - 0.1 * np.arange(4, -1, -1))])
POINTS = {"11point": TENTHS, "101point": np.linspace(0.0, 1.0, 101)}


class Matches(NamedTuple):
    """Detections of all images at one overlap, sorted by class, then by descending score.

    Attributes:
        images: [D], 0..N-1.
        labels: [D], ascending.
        hits: [D], whether the detection is its object's first.
        counted: [D], false for detections of objects that are not counted (crowd, difficult): neither right nor wrong.
        positives: [N, K], objects to find in each image.
    """

    images: Integers
    labels: Integers
    hits: Flags
    counted: Flags
    positives: Integers


class ClassMetric(DetectionMetric):
    """A detection metric with a figure for each class.

    Args:
        num_classes: Classes, K; None takes the highest label seen.
        kwargs: Options of `torchmetrics.Metric`.

    Attributes:
        interpolation: How AP is read off the curve.
    """

    interpolation: Interpolation
    remembered = ("_by_class",)

    def __init__(self, num_classes: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.num_classes = num_classes
        self._by_class: dict[str, Tensor] = {}

    @abstractmethod
    def matches(self) -> dict[str, list[Matches]]:
        """Which detection found its object, for `bootstrap`: by figure, at each overlap that the figure averages."""

    def per_class(self) -> dict[str, Tensor]:
        """The figures of each class in percent, [K] each, of the last `compute`; NaN for a class without objects.

        Raises:
            InputError: `compute` was not called since the last `reset`.
        """
        if not self._by_class:
            raise InputError(f"{type(self).__name__}.per_class() tells the last result: call compute() before it")
        return self._by_class

    def reset(self) -> None:
        """Forgets all images."""
        super().reset()
        self._by_class = {}

    def count_classes(self, evidence: Evidence) -> int:
        """K, given or found.

        Raises:
            InputError: A label lies outside 0..K-1.
        """
        labels = np.concatenate([evidence.found_labels, evidence.truth_labels])
        low, high = (int(labels.min()), int(labels.max())) if len(labels) else (0, -1)
        count = high + 1 if self.num_classes is None else self.num_classes
        if low < 0 or high >= count:
            raise InputError(
                f"{type(self).__name__} got label {low if low < 0 else high}; labels of {count} classes are "
                f"0..{count - 1}: check num_classes, and that detections and truth count their classes alike"
            )
        return count


def count_positives(evidence: Evidence, counted: Flags, num_classes: int) -> Integers:
    """Objects to find in each image, [N, K].

    Args:
        evidence: N images.
        counted: [G], whether an object counts.
        num_classes: K.
    """
    positives = np.zeros((len(evidence.image_ids), num_classes), dtype=np.int64)
    np.add.at(positives, (evidence.truth_images[counted], evidence.truth_labels[counted]), 1)
    return positives


def average_precision(matches: Matches, times: Integers, interpolation: Interpolation) -> Floats:
    """AP of each class, [S, K], 0 to 1; NaN where there is no object.

    An image drawn twice counts as two images. A detection and its copy follow one another in the ranking, and the point
    between them never changes an interpolated curve, so one weight says it all.

    Args:
        matches: N images, K classes.
        times: [S, N], how often each of S samples holds each image.
        interpolation: Mean over 11 or 101 recalls, or the area under the curve.
    """
    positives = times @ matches.positives
    edges = np.searchsorted(matches.labels, np.arange(positives.shape[1] + 1))
    ap = np.empty(positives.shape)
    for label in range(positives.shape[1]):
        rows = slice(edges[label], edges[label + 1])
        ap[:, label] = _of_class(matches, rows, times, positives[:, label], interpolation)
    return ap


def _of_class(
    matches: Matches, rows: slice, times: Integers, positives: Integers, interpolation: Interpolation
) -> Floats:
    """AP of one class in each sample, [S]."""
    weights = times[:, matches.images[rows]]
    right = (weights * (matches.hits[rows] & matches.counted[rows])).cumsum(1)
    wrong = (weights * (~matches.hits[rows] & matches.counted[rows])).cumsum(1)
    recall = right / np.maximum(positives, 1)[:, None]
    precision = right / np.maximum(right + wrong, 1)
    ceiling = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    ap = _area(recall, ceiling) if interpolation == "area" else _sampled(recall, ceiling, POINTS[interpolation])
    return np.where(positives > 0, ap, np.nan)


def _area(recall: Floats, ceiling: Floats) -> Floats:
    """Area under the best precision at each recall or beyond (VOC2010 devkit, `VOCap.m`), [S]."""
    area: Floats = (np.diff(recall, axis=1, prepend=0.0) * ceiling).sum(1)
    return area


def _sampled(recall: Floats, ceiling: Floats, points: Floats) -> Floats:
    """Mean over some recalls of the best precision there or beyond; 0 at recalls never reached, [S]."""
    beyond = np.concatenate([ceiling, np.zeros((len(ceiling), 1))], 1)
    places = np.stack([np.searchsorted(row, points) for row in recall])
    sampled: Floats = np.take_along_axis(beyond, places, 1).mean(1)
    return sampled
