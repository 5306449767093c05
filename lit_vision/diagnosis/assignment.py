"""Which detection finds which object, one to one, as COCO's evaluation decides it, for all images at once."""

from typing import NamedTuple

import numpy as np

from lit_vision.metrics.detections import Evidence, Flags, Floats, Integers
from lit_vision.metrics.voc import chunks, iou_of_pairs, shared_area

NONE = -1
"""Row of no object."""

_LARGEST = 1 - 1e-10  # as in pycocotools: equal boxes reach an overlap of 1 whatever their last digit is


class Pairs(NamedTuple):
    """Detections and objects of the same image, of any class, that overlap.

    Attributes:
        found: [P], rows of the detections, ascending.
        truth: [P], rows of the objects, ascending within a detection.
        iou: [P]; for a crowd the share of the detection's area that lies in it.
    """

    found: Integers
    truth: Integers
    iou: Floats

    def take(self, chosen: Flags | Integers) -> "Pairs":
        """Some of the pairs."""
        return Pairs(self.found[chosen], self.truth[chosen], self.iou[chosen])


def ignored(evidence: Evidence) -> Flags:
    """Objects that are not counted, [G]: COCO's crowds and VOC's difficult ones."""
    return evidence.truth_crowd | evidence.truth_difficult


def at(flags: Flags, objects: Integers) -> Flags:
    """Flags of objects by row, [D]; false for `NONE`.

    Args:
        flags: [G].
        objects: [D], rows.
    """
    return np.append(flags, False)[objects]


def best(evidence: Evidence, most: int) -> Evidence:
    """The evidence with the `most` best detections of each image and class, COCO's limit; first of equal scores."""
    order = np.lexsort((-evidence.found_scores, evidence.found_labels, evidence.found_images))
    group = evidence.found_images[order] * (evidence.found_labels.max(initial=0) + 1) + evidence.found_labels[order]
    rank = np.arange(len(order)) - np.searchsorted(group, group)
    kept = np.sort(order[rank < most])
    columns = {name: getattr(evidence, name)[kept] for name in evidence._fields if name.startswith("found_")}
    return evidence._replace(**columns)


def overlapping(evidence: Evidence, least: float) -> Pairs:
    """All pairs that overlap by at least `least`, which is above 0."""
    first = np.searchsorted(evidence.truth_images, evidence.found_images)
    count = np.searchsorted(evidence.truth_images, evidence.found_images, side="right") - first
    parts = [_compare(evidence, rows, first[rows], count[rows], least) for rows in chunks(count)]
    return Pairs(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def _compare(evidence: Evidence, rows: Integers, first: Integers, count: Integers, least: float) -> Pairs:
    """Some detections with all objects of their images, which begin at `first` and are so many."""
    found = np.repeat(rows, count)
    within = np.arange(len(found)) - np.repeat(count.cumsum() - count, count)
    truth = np.repeat(first, count) + within
    boxes, objects = evidence.found_boxes[found].astype(np.float64), evidence.truth_boxes[truth]
    iou = iou_of_pairs(boxes, objects)
    crowd = np.flatnonzero(evidence.truth_crowd[truth])
    if len(crowd):
        area = (boxes[crowd, 2:] - boxes[crowd, :2]).prod(1)
        shared = shared_area(boxes[crowd], objects[crowd])
        iou[crowd] = np.divide(shared, area, out=np.zeros_like(shared), where=shared > 0)
    return Pairs(found, truth, iou).take(iou >= least)


def assign(evidence: Evidence, pairs: Pairs, iou: float) -> Integers:
    """Row of the object that each detection takes at one overlap, [D], or `NONE`.

    Detections choose in the order of their scores, each the counted object of its class that it overlaps most and that
    is still free, the last of equals; with none left, one that is not counted, which several may choose.
    pycocotools does the same, except that only crowds may be chosen by several: it does not know VOC's difficult
    objects, where VOC's devkit allows it.

    Args:
        evidence: All images.
        pairs: Of these images; those below `iou` are not looked at.
        iou: Least overlap.
    """
    same = evidence.found_labels[pairs.found] == evidence.truth_labels[pairs.truth]
    near = pairs.take(same & (pairs.iou >= min(iou, _LARGEST)))
    place = np.empty(len(evidence.found_scores), dtype=np.int64)
    place[np.argsort(-evidence.found_scores, kind="stable")] = np.arange(len(place))
    shared = ignored(evidence)[near.truth]
    order = np.lexsort((-near.truth, -near.iou, shared, place[near.found]))
    objects = [NONE] * len(place)
    taken: set[int] = set()
    columns = (near.found[order].tolist(), near.truth[order].tolist(), shared[order].tolist())
    for found, truth, several in zip(*columns, strict=True):
        if objects[found] == NONE and truth not in taken:
            objects[found] = truth
            if not several:
                taken.add(truth)
    return np.array(objects, dtype=np.int64)
