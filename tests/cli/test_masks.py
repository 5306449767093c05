"""Mask proposals through the real command, on digit scenes: losses, recall, and a result file that COCO's API reads."""

import contextlib
import json
from pathlib import Path

import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from lit_vision.data.digit_scenes import DigitScenes
from lit_vision.ops import mask
from lit_vision.runs import folder as runs

SMALL = (
    *("fit", "--config", "quickstart/digit_masks", "--data.size", "64", "--data.train", "8", "--data.val", "2"),
    *("--data.test", "4", "--data.batch_size", "4", "--data.eval_batch_size", "2", "--trainer.max_steps", "3"),
    *("--trainer.val_check_interval", "3", "--trainer.log_every_n_steps", "1", "--trainer.logger", "false"),
    *("--trainer.accelerator", "cpu", "--trainer.precision", "32"),
)


def truth():
    """The test scenes' objects as COCO's API wants them."""
    data = DigitScenes(64, train=8, val=2, test=4, masks=True)
    data.setup("test")
    split, annotations = data.splits["test"], []
    for index in range(len(split)):
        target = split.target(index)
        for run, area in zip(mask.run_lengths(target.original_masks, 64, 64), target.area.tolist(), strict=True):
            ids = {"id": len(annotations) + 1, "image_id": int(target.image_id), "category_id": 1}
            annotations.append(ids | {"segmentation": run, "area": area, "iscrowd": 0})
    coco = COCO()
    images = [{"id": number, "height": 64, "width": 64} for number in split.image_ids.tolist()]
    coco.dataset = {"images": images, "categories": [{"id": 1}], "annotations": annotations}
    with contextlib.redirect_stdout(None):
        coco.createIndex()
    return coco


def test_digits_are_outlined_and_judged_as_coco_does(command):
    command(*SMALL, "--run", "run")
    figures = json.loads(Path("run/result.json").read_text())["figures"]
    lines = [line for line in runs.read_metrics(Path("run/metrics.jsonl")) if "train/loss" in line]
    assert [line["train/loss"] for line in lines] == pytest.approx(
        [line["train/cls"] + line["train/mask"] for line in lines], rel=1e-5
    )
    with contextlib.redirect_stdout(None):
        coco = truth()
        found = coco.loadRes("run/detections_test.json")
        evaluation = COCOeval(coco, found, "segm")
        evaluation.params.useCats = 0
        evaluation.params.maxDets = [10, 100]
        evaluation.evaluate()
        evaluation.accumulate()
    assert len(found.anns) == 4 * 100
    assert figures["test/mask_ar100"] == pytest.approx(100 * evaluation.eval["recall"][:, 0, 0, 1].mean(), abs=1e-3)


def test_data_without_masks_are_told_at_once(command):
    message = command.error(*SMALL, "--data.masks", "false", "--run", "run")
    assert message == (
        "error: mask proposals learn from the objects' masks, and the data keep none; set data.masks to true"
    )
