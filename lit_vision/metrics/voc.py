"""Average precision as the PASCAL VOC development kits compute it."""

from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from lit_vision.errors import InputError
from lit_vision.experiment import figures
from lit_vision.metrics.detections import Evidence, Flags, Floats, Integers
from lit_vision.metrics.matches import ClassMetric, Interpolation, Matches, average_precision, count_positives

# Pairs of a detection and an object that are compared at a time: about 100 MB.
PAIRS = 1_000_000


class VocAP(ClassMetric):
    """VOC's mean average precision in percent, `map`, over the classes with objects; NaN without any.

    As in the devkit's `VOCevaldet.m`: detections of a class are ranked over all images by descending score, equal
    scores in the order of image ids and then of detection. Each takes the object of its image and class that it
    overlaps most, the first of equals, taken or not; it is right if the overlap reaches `iou` and it is the object's
    first. A second detection of an object is wrong. One of a `difficult` object (or a crowd, which VOC does not have)
    is neither right nor wrong, and such objects are not counted.

    The devkit's corners are inclusive pixels, hence its `+ 1`; ours are exclusive, `x2 - x1` is its `x2 - x1 + 1`, and
    the overlap is the same number.

    Args:
        style: `11point` for VOC2007, `area` (under the interpolated curve) for VOC2010 and later.
        iou: Least overlap of a right detection, 0 to 1.
        num_classes: Classes, K; None takes the highest label seen.
        kwargs: Options of `torchmetrics.Metric`.

    Raises:
        InputError: Unknown style, or an overlap outside (0, 1].
    """

    logs: ClassVar = figures.VOC

    def __init__(
        self,
        style: Literal["area", "11point"] = "area",
        iou: float = 0.5,
        num_classes: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(num_classes, **kwargs)
        if style not in ("area", "11point"):
            raise InputError(f"VocAP style is {style!r}; choose area (VOC2010 and later) or 11point (VOC2007)")
        if not 0 < iou <= 1:
            raise InputError(f"VocAP iou is {iou}; give an overlap above 0 and at most 1")
        self.interpolation: Interpolation = style
        self.iou = iou

    def compute(self) -> dict[str, Tensor]:
        """`map` in percent, float64 []."""
        (matches,) = self.matches()["map"]
        once = np.ones((1, len(matches.positives)), dtype=np.int64)
        ap = torch.from_numpy(100 * average_precision(matches, once, self.interpolation)[0])
        self._by_class = {"map": ap}
        return {"map": ap.nanmean()}

    def matches(self) -> dict[str, list[Matches]]:
        """Those of `map`, at the one overlap."""
        evidence = self.evidence()
        return {"map": [match(evidence, self.count_classes(evidence), self.iou)]}


def match(evidence: Evidence, num_classes: int, iou: float) -> Matches:
    """Compares detections with the objects of their image and class as `VOCevaldet.m` does.

    Args:
        evidence: All images.
        num_classes: K.
        iou: Least overlap.
    """
    counted = ~(evidence.truth_difficult | evidence.truth_crowd)
    positives = count_positives(evidence, counted, num_classes)
    order = np.lexsort((-evidence.found_scores, evidence.found_labels))
    best, overlap = best_objects(evidence, order)
    near = overlap >= iou
    hits = np.zeros(len(order), dtype=np.bool_)
    hits[np.flatnonzero(near)[np.unique(best[near], return_index=True)[1]]] = True
    ignored = np.zeros(len(order), dtype=np.bool_)
    ignored[near] = ~counted[best[near]]
    return Matches(evidence.found_images[order], evidence.found_labels[order], hits, ~ignored, positives)


def best_objects(evidence: Evidence, order: Integers) -> tuple[Integers, Floats]:
    """Row of the object that each detection overlaps most, and the overlap; 0 without any, [D] each.

    Args:
        evidence: All images.
        order: [D], rows of the detections in the order of the answer.
    """
    truth_order, first, count = candidates(evidence, order)
    best, overlap = np.zeros(len(order), dtype=np.int64), np.zeros(len(order))
    for rows in chunks(count):
        owners = np.repeat(rows, count[rows])
        if not len(owners):
            continue
        starts = count[rows].cumsum() - count[rows]
        within = np.arange(len(owners)) - np.repeat(starts, count[rows])
        objects = truth_order[first[owners] + within]
        found = evidence.found_boxes[order[owners]].astype(np.float64)
        shared = iou_of_pairs(found, evidence.truth_boxes[objects])
        some = count[rows] > 0
        overlap[rows[some]] = np.maximum.reduceat(shared, starts[some])
        winners = np.flatnonzero(shared == overlap[owners])
        owner, first_of_equals = np.unique(owners[winners], return_index=True)
        best[owner] = objects[winners[first_of_equals]]
    return best, overlap


def candidates(evidence: Evidence, order: Integers) -> tuple[Integers, Integers, Integers]:
    """The objects sorted by class and image, [G], and where each detection's begin and how many there are, [D] each."""
    images = len(evidence.image_ids)
    truth_keys = evidence.truth_labels * images + evidence.truth_images
    truth_order = np.argsort(truth_keys, kind="stable")
    keys = (evidence.found_labels * images + evidence.found_images)[order]
    first = np.searchsorted(truth_keys[truth_order], keys)
    return truth_order, first, np.searchsorted(truth_keys[truth_order], keys, side="right") - first


def chunks(count: Integers) -> list[Integers]:
    """The rows in runs of about `PAIRS` pairs."""
    runs = count.cumsum() // PAIRS
    return np.split(np.arange(len(count)), np.flatnonzero(np.diff(runs)) + 1)


def iou_of_pairs(found: Floats, truth: Floats) -> Floats:
    """Overlap of each pair of xyxy boxes, [P].

    Args:
        found: [P, 4].
        truth: [P, 4].
    """
    shared = shared_area(found, truth)
    union = (found[:, 2:] - found[:, :2]).prod(1) + (truth[:, 2:] - truth[:, :2]).prod(1) - shared
    overlap: Floats = np.divide(shared, union, out=np.zeros_like(shared), where=shared > 0)
    return overlap


def shared_area(found: Floats, truth: Floats) -> Floats:
    """Area that the boxes of each pair have in common, [P]; arguments as for `iou_of_pairs`."""
    sides = np.minimum(found[:, 2:], truth[:, 2:]) - np.maximum(found[:, :2], truth[:, :2])
    touches: Flags = np.all(sides > 0, axis=1)
    return np.where(touches, sides.prod(1), 0.0)
