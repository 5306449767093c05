"""pycocotools as its documentation uses it: whole dictionaries, every class at once."""

import contextlib

from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

NAMES = ("ap", "ap50", "ap75", "ap_s", "ap_m", "ap_l", "ar1", "ar10", "ar100", "ar_s", "ar_m", "ar_l")


def dataset(targets, category_ids, sizes=None):
    """A COCO object with the file's own category ids."""
    coco, annotations = COCO(), []
    for target in targets:
        rows = zip(
            target.original_boxes.tolist(), target.labels.tolist(), target.area.tolist(), target.crowd.tolist(),
            strict=True,
        )  # fmt: skip
        for (x1, y1, x2, y2), label, area, crowd in rows:
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": int(target.image_id),
                    "category_id": category_ids[label],
                    "bbox": [x1, y1, x2 - x1, y2 - y1],
                    "area": area,
                    "iscrowd": int(crowd),
                }
            )
    coco.dataset = {
        "images": [{"id": int(target.image_id)} for target in targets],
        "categories": [{"id": number} for number in category_ids],
        "annotations": annotations,
    }
    with contextlib.redirect_stdout(None):
        coco.createIndex()
    return coco


def entries(found, targets, category_ids):
    """The result file, worked out beside the package's own."""
    return [
        {
            "image_id": int(target.image_id),
            "category_id": category_ids[label],
            "bbox": [x1, y1, x2 - x1, y2 - y1],
            "score": score,
        }
        for one, target in zip(found, targets, strict=True)
        for (x1, y1, x2, y2), score, label in zip(
            one.boxes.tolist(), one.scores.tolist(), one.labels.tolist(), strict=True
        )
    ]


def evaluate(truth, results, **parameters):
    """A finished COCOeval; `results` are entries or a file."""
    with contextlib.redirect_stdout(None):
        found = truth.loadRes(results) if len(results) else dataset([], [])
        evaluation = COCOeval(truth, found, "bbox")
        for name, value in parameters.items():
            setattr(evaluation.params, name, value)
        evaluation.evaluate()
        evaluation.accumulate()
        if not parameters:
            evaluation.summarize()
    return evaluation


def figures(evaluation):
    """The twelve by name, in percent; NaN where pycocotools says -1."""
    return {
        name: 100 * value if value > -1 else float("nan")
        for name, value in zip(NAMES, evaluation.stats.tolist(), strict=True)
    }
