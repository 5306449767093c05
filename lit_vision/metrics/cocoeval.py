"""COCO's evaluation of boxes from arrays, one class at a time, by pycocotools or by faster-coco-eval's compiled core.

Classes are judged independently, so a class at a time gives the same numbers and needs the memory of one class.
Both libraries then see only the images where the class is found or present; the rest add nothing to either curve.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lit_vision.errors import InputError
from lit_vision.metrics.backends import AREAS, BACKENDS, RECALLS, Backend, Part, Protocol, run_pycocotools
from lit_vision.metrics.detections import Evidence, Floats, Integers
from lit_vision.metrics.matches import Matches, count_positives


class Scores(NamedTuple):
    """What both libraries give; -1 where there is no object to find.

    Attributes:
        precision: [T, R, K, A, M], interpolated, at `RECALLS`.
        recall: [T, K, A, M], of all counted detections.
    """

    precision: Floats
    recall: Floats


def select(evidence: Evidence, found: Integers, truth: Integers, most: int) -> Part:
    """The part of the evidence at some rows.

    Args:
        evidence: All images.
        found: Rows of detections, ascending.
        truth: Rows of objects, ascending.
        most: Detections that count, the best of each image.
    """
    # Equal scores keep the detector's order, as the stable sort of both libraries does.
    order = np.lexsort((-evidence.found_scores[found], evidence.found_images[found]))
    found = found[order]
    images, places = np.unique(
        np.concatenate([evidence.found_images[found], evidence.truth_images[truth]]), return_inverse=True
    )
    found_images, truth_images = places[: len(found)], places[len(found) :]
    rank = np.arange(len(found)) - np.searchsorted(found_images, found_images)
    found, found_images = found[rank < most], found_images[rank < most]
    return Part(
        images,
        found_images,
        xywh(evidence.found_boxes[found]),
        evidence.found_scores[found].astype(np.float64),
        truth_images,
        xywh(evidence.truth_boxes[truth]),
        evidence.truth_area[truth],
        evidence.truth_crowd[truth],
    )


def of_class(evidence: Evidence, label: int, protocol: Protocol) -> Part:
    """The part of one class."""
    found, truth = (np.flatnonzero(labels == label) for labels in (evidence.found_labels, evidence.truth_labels))
    return select(evidence, found, truth, protocol.max_detections[-1])


def xywh(boxes: np.ndarray) -> Floats:
    """COCO's corner and size, in float64: a difference of float32 corners would move boxes over a threshold.

    Args:
        boxes: [D, 4] xyxy.
    """
    boxes = boxes.astype(np.float64)
    return np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], 1)


def evaluate(evidence: Evidence, num_classes: int, protocol: Protocol, backend: Backend) -> Scores:
    """Precision and recall of every class.

    Args:
        evidence: All images.
        num_classes: K.
        protocol: Thresholds and counts.
        backend: `official` is pycocotools; `fast` is faster-coco-eval.
    """
    shape = (len(protocol.ious), len(RECALLS), num_classes, len(AREAS), len(protocol.max_detections))
    precision, recall = -np.ones(shape), -np.ones(shape[:1] + shape[2:])
    for label in range(num_classes):
        part = of_class(evidence, label, protocol)
        if len(part.truth_area):
            precision[:, :, label], recall[:, label] = BACKENDS[backend](part, protocol)
    return Scores(precision, recall)


def matches(evidence: Evidence, num_classes: int, protocol: Protocol) -> list[Matches]:
    """Matches of pycocotools over all sizes at each threshold.

    Args:
        evidence: All images.
        num_classes: K.
        protocol: Thresholds; the largest of its counts is the one that counts.
    """
    ranked = [_ranked(of_class(evidence, label, protocol), protocol) for label in range(num_classes)]
    empty: Integers = np.zeros((len(protocol.ious), 0, 3), dtype=np.int64)
    labels = np.repeat(np.arange(num_classes), [rows.shape[1] for rows in ranked])
    positives = count_positives(evidence, ~evidence.truth_crowd, num_classes)
    return [
        Matches(images, labels, hits.astype(np.bool_), counted.astype(np.bool_), positives)
        for images, hits, counted in np.concatenate([empty, *ranked], 1).transpose(0, 2, 1)
    ]


def _ranked(part: Part, protocol: Protocol) -> Integers:
    """Image, whether matched, and whether counted, of each detection of a class by descending score, [T, D, 3]."""
    judged = run_pycocotools(part, protocol, ["all"]).evalImgs if len(part.images) else []
    none = np.zeros((len(protocol.ious), 0))
    hits = np.concatenate([none, *(image["dtMatches"] for image in judged)], 1) > 0
    ignored = np.concatenate([none, *(image["dtIgnore"] for image in judged)], 1) > 0
    images = np.broadcast_to(part.images[part.found_images], hits.shape)
    rows: Integers = np.stack([images, hits, ~ignored], 2).astype(np.int64)
    return rows[:, np.argsort(-part.found_scores, kind="stable")]


def ascending(name: str, counts: Sequence[int]) -> tuple[int, ...]:
    """The counts, if they are positive and ascend; the error calls them by `name`."""
    counts = tuple(counts)
    if not counts or list(counts) != sorted(set(counts)) or counts[0] < 1:
        raise InputError(f"{name} is {list(counts)}; give positive numbers in ascending order, as [1, 10, 100]")
    return counts
