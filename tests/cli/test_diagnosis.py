"""The diagnosis of real runs agrees with the figures of the test pass."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import TINY
from tests.cli.test_detection import CATEGORIES, fit
from tests.twins import coco, folders


def left(folder=Path("run")):
    lines = (folder / "per_image.jsonl").read_text().splitlines()
    return json.loads((folder / "diagnosis.json").read_text()), [json.loads(line) for line in lines]


def test_a_classifier(command, only_run):
    command("fit", *TINY)
    folder, result = only_run()
    found, lines = left(folder)
    assert found["images"] == len(lines) == 299
    wrong = [line for line in lines if line["truth"] != line["predicted"]]
    assert 100 * len(wrong) / 299 == pytest.approx(result["figures"]["test/error"], abs=1e-4)
    assert sum(count for truth, predicted, count in found["confusion"] if truth != predicted) == len(wrong)
    assert sum(entry["count"] for entry in found["calibration"]) == 299
    scores = [entry["score"] for entry in found["mistakes"]]
    assert scores == sorted((line["score"] for line in wrong), reverse=True)[:40]
    assert all((folder / entry["picture"]).is_file() for entry in found["mistakes"])


def test_a_classifier_of_files_names_them(command, tmp_path):
    folders.small(tmp_path / "images")
    data = ("--data", "lit_vision.data.image_folder.ImageFolder", "--data.root", "images", "--data.batch_size", "6")
    command("fit", *TINY, *data, "--data.eval_batch_size", "4", "--run", "run")
    found, lines = left()
    assert [line["name"] for line in lines] == [f"{name}/00{n}.png" for name in folders.CLASSES for n in range(2)]
    assert [line["truth"] for line in lines] == [0, 0, 1, 1, 2, 2]
    assert [entry["count"] for entry in found["per_class"]] == [2, 2, 2]


def test_a_detector(command, tmp_path):
    coco.write(tmp_path / "own", {"train": 6, "val": 3}, CATEGORIES, used=(1, 5, 90))
    result = fit(
        command,
        "retinanet/r50_fpn_coco",
        *("--data", "lit_vision.data.coco.CocoFormat", "--data.root", tmp_path / "own"),
        *("--data.train", "annotations/instances_train.json", "--data.val", "annotations/instances_val.json"),
        *("--model.network.selection", '{"score": 0.0, "per_level": 300, "nms": 0.7, "limit": 100}'),
    )
    found, lines = left()
    assert (found["split"], found["images"]) == ("val", 3)
    figures = result["figures"]
    assert found["errors"]["all"]["ap50"] == pytest.approx(figures["test/ap50"], abs=1e-4)
    assert 100 * sum(found["recall_iou"]["recall"][:10]) / 10 == pytest.approx(figures["test/ar100"], abs=1e-3)
    assert figures["test/ar100"] > 0
    for entry in found["per_class"]:
        assert entry["ap"] == pytest.approx(figures[f"test/ap/{entry['class']}"], abs=1e-4)
    assert sum(line["objects"] for line in lines) == sum(entry["count"] for entry in found["per_class"])
    assert (
        len(json.loads(Path("run/detections_test.json").read_text())) >= found["errors"]["all"]["background"]["count"]
    )
    assert all(Path("run", entry["picture"]).is_file() for entry in found["worst"])


def test_proposals(command, tmp_path):
    coco.write(tmp_path / "own", {"train2017": 6, "val2017": 3})
    fit(command, "fpn/rpn_coco", "--data.root", tmp_path / "own")
    found, _ = left()
    assert found["class_names"] == ["object"]
    assert found["errors"]["all"]["classification"]["count"] == 0
