"""Two libraries that judge boxes as COCO does, pycocotools and faster-coco-eval, fed with the arrays of one class."""

import contextlib
from collections.abc import Callable
from typing import Literal, NamedTuple

import faster_coco_eval.faster_eval_api_cpp as core
import numpy as np
from faster_coco_eval.core import mask
from faster_coco_eval.core.cocoeval import Params
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from lit_vision.errors import InputError
from lit_vision.metrics.detections import Flags, Floats, Integers
from lit_vision.metrics.matches import POINTS

Backend = Literal["official", "fast"]

# COCO's bounds are squares of pixels, closed on both sides; 1e5 is its infinity.
AREAS = {"all": (0.0, 1e10), "small": (0.0, 32.0**2), "medium": (32.0**2, 96.0**2), "large": (96.0**2, 1e10)}
IOUS = np.linspace(0.5, 0.95, 10)
RECALLS = POINTS["101point"]


class Protocol(NamedTuple):
    """What is measured; shapes below are [T, R, K, A, M] as in pycocotools.

    Attributes:
        ious: [T], thresholds of overlap.
        max_detections: [M], ascending; the best-scored of each image and class count.
    """

    ious: Floats
    max_detections: tuple[int, ...]


class Part(NamedTuple):
    """One class of all images, or some images of all classes.

    Attributes:
        images: [I], positions of the images that occur, ascending.
        found_images: [D], 0..I-1 ascending; within an image by descending score.
        found_boxes: [D, 4] xywh.
        found_scores: [D].
        truth_images: [G], 0..I-1 ascending.
        truth_boxes: [G, 4] xywh.
        truth_area: [G].
        truth_crowd: [G].
    """

    images: Integers
    found_images: Integers
    found_boxes: Floats
    found_scores: Floats
    truth_images: Integers
    truth_boxes: Floats
    truth_area: Floats
    truth_crowd: Flags


def official(part: Part, protocol: Protocol) -> tuple[Floats, Floats]:
    """Precision [T, R, A, M] and recall [T, A, M] by pycocotools."""
    evaluation = run_pycocotools(part, protocol, list(AREAS))
    with contextlib.redirect_stdout(None):
        evaluation.accumulate()
    return evaluation.eval["precision"][:, :, 0], evaluation.eval["recall"][:, 0]


def run_pycocotools(part: Part, protocol: Protocol, areas: list[str]) -> COCOeval:
    """Matches of each image by pycocotools, before they are accumulated."""
    annotations = zip(*(column.tolist() for column in part[4:]), strict=True)
    truth = [
        {"id": number, "image_id": image, "category_id": 1, "bbox": box, "area": area, "iscrowd": int(crowd)}
        for number, (image, box, area, crowd) in enumerate(annotations, 1)
    ]
    results = zip(*(column.tolist() for column in part[1:4]), strict=True)
    found = [
        {"id": number, "image_id": image, "category_id": 1, "bbox": box, "area": box[2] * box[3], "score": score}
        for number, (image, box, score) in enumerate(results, 1)
    ]
    with contextlib.redirect_stdout(None):  # it prints its progress
        evaluation = COCOeval(_index(truth, len(part.images)), _index(found, len(part.images)), "bbox")
        evaluation.params.iouThrs = protocol.ious
        evaluation.params.maxDets = list(protocol.max_detections)
        evaluation.params.areaRng = [list(AREAS[name]) for name in areas]
        evaluation.params.areaRngLbl = areas
        evaluation.evaluate()
    return evaluation


def _index(annotations: list[dict[str, object]], images: int) -> COCO:
    coco = COCO()
    coco.dataset = {
        "images": [{"id": image} for image in range(images)],
        "categories": [{"id": 1}],
        "annotations": annotations,
    }
    coco.createIndex()
    return coco


def fast(part: Part, protocol: Protocol) -> tuple[Floats, Floats]:
    """Precision [T, R, A, M] and recall [T, A, M] by faster-coco-eval's compiled core."""
    return accumulate(part, protocol, overlaps(part))


def accumulate(part: Part, protocol: Protocol, tables: list[list[object]]) -> tuple[Floats, Floats]:
    """What `fast` gives, from overlaps of boxes or of masks.

    The library's Python half wants COCO dictionaries with boxes; its core wants area, score, flags and the overlaps.

    Args:
        part: Objects and detections.
        protocol: What is measured.
        tables: Of each detection with each object of its image, [I][1][D, G]; see `overlaps`.
    """
    truth, found = core.Dataset(), core.Dataset()
    objects = zip(part.truth_images.tolist(), part.truth_area.tolist(), part.truth_crowd.tolist(), strict=True)
    for number, (image, area, crowd) in enumerate(objects, 1):
        truth.append(image, 1, {"id": number, "area": area, "iscrowd": int(crowd), "ignore": int(crowd)})
    areas = (part.found_boxes[:, 2] * part.found_boxes[:, 3]).tolist()
    detections = zip(part.found_images.tolist(), areas, part.found_scores.tolist(), strict=True)
    for number, (image, area, score) in enumerate(detections, 1):
        found.append(image, 1, {"id": number, "area": area, "score": score})
    params = Params("bbox")
    params.iouThrs = protocol.ious
    params.maxDets = list(protocol.max_detections)
    params.areaRng = [list(bounds) for bounds in AREAS.values()]
    params.imgIds, params.catIds = list(range(len(part.images))), [1]
    result = core.COCOevalEvaluateAccumulate(
        params, tables, truth, found, params.imgIds, params.catIds, bool(params.useCats)
    )
    times, recalls, classes, bounds, counts = result["counts"]
    precision = np.reshape(result["precision"], (times, recalls, classes, bounds, counts))
    recall = np.reshape(result["recall"], (times, classes, bounds, counts))
    return precision[:, :, 0], recall[:, 0]


def overlaps(part: Part) -> list[list[object]]:
    """IoU of every detection with every object of its image, [I][1][D, G]; over the detection's area for crowds."""
    edges = np.arange(len(part.images) + 1)
    found, truth = np.searchsorted(part.found_images, edges), np.searchsorted(part.truth_images, edges)
    crowd = part.truth_crowd.astype(int)
    tables: list[list[object]] = []
    for image in range(len(part.images)):
        rows, columns = slice(found[image], found[image + 1]), slice(truth[image], truth[image + 1])
        both = rows.start < rows.stop and columns.start < columns.stop
        table = mask.iou(part.found_boxes[rows], part.truth_boxes[columns], crowd[columns].tolist()) if both else []
        tables.append([table])
    return tables


BACKENDS: dict[Backend, Callable[[Part, Protocol], tuple[Floats, Floats]]] = {"official": official, "fast": fast}


def check_backend(backend: str) -> None:
    """Refuses an unknown name."""
    if backend not in BACKENDS:
        raise InputError(f"backend is {backend!r}; choose one of {', '.join(BACKENDS)}")
