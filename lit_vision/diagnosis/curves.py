"""Precision over recall at one overlap, recall over the overlap, and the AP of each class that belongs to them."""

from typing import NamedTuple

import numpy as np

from lit_vision.diagnosis import assignment
from lit_vision.diagnosis.assignment import NONE, Pairs
from lit_vision.metrics.backends import IOUS, RECALLS
from lit_vision.metrics.detections import Evidence, Flags, Floats, Integers

OVERLAPS = np.array([*IOUS, 1.0])
"""0.5 to 0.95, which AP and AR run over, and 1 for the end of the curve."""


class Curve(NamedTuple):
    """Precision over recall of one class, or of several in the mean.

    Attributes:
        precision: [101], the best at this recall or beyond, at recalls 0 to 1; 0 where it is never reached.
        score: [101], of the detection that reaches the recall; NaN where none does.
    """

    precision: Floats
    score: Floats


class Curves(NamedTuple):
    """What COCO's AP averages.

    Attributes:
        precision: [T, K, 101] at `OVERLAPS`, NaN for a class without objects.
        score: [K, 101] at an overlap of 0.5.
        recall: [T, K], of all counted detections.
    """

    precision: Floats
    score: Floats
    recall: Floats

    @property
    def ap(self) -> Floats:
        """AP of each class in percent over IoU 0.5 to 0.95, [K]."""
        ap: Floats = 100 * self.precision[: len(IOUS)].mean((0, 2))
        return ap

    @property
    def ap50(self) -> Floats:
        """AP of each class in percent at IoU 0.5, [K]."""
        ap: Floats = 100 * self.precision[0].mean(1)
        return ap

    def of_class(self, label: int) -> Curve:
        """Precision over recall of a class at IoU 0.5."""
        return Curve(self.precision[0, label], self.score[label])

    def mean(self) -> Curve:
        """In the mean of the classes with objects, whose area is AP50; scores of the classes that get that far."""
        known = ~np.isnan(self.precision[0, :, 0])
        scores, reached = self.score[known], ~np.isnan(self.score[known])
        count = reached.sum(0)
        score = np.where(reached, scores, 0).sum(0) / np.where(count > 0, count, np.nan)
        precision = self.precision[0, known]
        return Curve(precision.mean(0) if len(precision) else np.full(len(RECALLS), np.nan), score)

    def mean_recall(self) -> Floats:
        """Recall at `OVERLAPS` in the mean of the classes with objects, [T]; the first ten average to AR100."""
        known = ~np.isnan(self.recall[0])
        return self.recall[:, known].mean(1) if known.any() else np.full(len(OVERLAPS), np.nan)


def of(evidence: Evidence, pairs: Pairs, num_classes: int) -> Curves:
    """Curves of every class, as pycocotools computes them, with difficult objects as little counted as crowds.

    Args:
        evidence: All images, limited to the detections that count.
        pairs: Of these images, all from an overlap of 0.5 on.
        num_classes: K.
    """
    order = np.lexsort((-evidence.found_scores, evidence.found_labels))
    edges = np.searchsorted(evidence.found_labels[order], np.arange(num_classes + 1))
    counted = ~assignment.ignored(evidence)
    objects = np.bincount(evidence.truth_labels[counted], minlength=num_classes)
    curves = Curves(
        np.full((len(OVERLAPS), num_classes, len(RECALLS)), np.nan),
        np.full((num_classes, len(RECALLS)), np.nan),
        np.full((len(OVERLAPS), num_classes), np.nan),
    )
    for number, iou in enumerate(OVERLAPS):
        taken = assignment.assign(evidence, pairs, iou)[order]
        hits = assignment.at(counted, taken)
        shown = hits | (taken == NONE)
        for label in np.flatnonzero(objects):
            rows = edges[label] + np.flatnonzero(shown[edges[label] : edges[label + 1]])
            curve = along(hits[rows], evidence.found_scores[order[rows]], int(objects[label]))
            curves.precision[number, label] = curve.precision
            curves.recall[number, label] = hits[rows].sum() / objects[label]
            if number == 0:
                curves.score[label] = curve.score
    return curves


def along(hits: Flags, scores: Floats, objects: int) -> Curve:
    """Precision over recall of ranked detections.

    Args:
        hits: [D], best-scored first, whether each found an object.
        scores: [D].
        objects: How many there are to find, at least 1.
    """
    right: Integers = hits.cumsum()
    ceiling = np.maximum.accumulate((right / np.arange(1, len(hits) + 1))[::-1])[::-1]
    places = np.searchsorted(right / objects, RECALLS)
    precision, score = (np.append(values, end)[places] for values, end in ((ceiling, 0.0), (scores, np.nan)))
    return Curve(precision, score)
