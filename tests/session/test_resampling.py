"""Figures on resampled test images, from the files of stub runs on digit scenes."""

import dataclasses
import json

import pytest
import torch

from lit_vision.data.digit_scenes import DigitScenes
from lit_vision.errors import InputError
from lit_vision.experiment import yamlio
from lit_vision.experiment.evidence import Evidence, Images
from lit_vision.metrics.coco import CocoAP
from lit_vision.runs import claim_runs, claim_verdicts
from lit_vision.runs.folder import RunFolder
from lit_vision.session import resampling, trial
from lit_vision.session.trial import Machine
from tests.runs.test_claim_runs import CLAIM, finish

DATA = {"class_path": "lit_vision.data.digit_scenes.DigitScenes", "init_args": {"size": 64, "test": 12}}

IDS = DigitScenes().category_ids


@pytest.fixture(scope="module")
def targets():
    data = DigitScenes(size=64, test=12)
    data.setup("test")
    return [data.splits["test"].target(index) for index in range(12)]


def detections(path, targets, missed):
    """Finds every object but those of the named images."""
    found = []
    for target in targets:
        for box, label in zip(target.boxes.tolist(), target.labels.tolist(), strict=True):
            if int(target.image_id) not in missed:
                x1, y1, x2, y2 = box
                entry = {"image_id": int(target.image_id), "category_id": IDS[label], "score": 0.9}
                found.append(entry | {"bbox": [x1, y1, x2 - x1, y2 - y1]})
    path.write_text(json.dumps(found))


def test_samples_lie_beside_the_result_and_hold_the_same_images(tmp_path, targets):
    claim = dataclasses.replace(
        CLAIM, metric="test/ap50", margin=0.0, seeds=[3], evidence=Evidence(images=Images(samples=300))
    )
    claim_runs.begin(claim, tmp_path)
    for arm, missed in {"a": [], "b": [0, 1, 2]}.items():
        finish(tmp_path, arm, 3, None, data=DATA)
        folder = claim_runs.training(claim, arm, 3, tmp_path)
        detections(folder.path / "detections_test.json", targets, missed)
        found = resampling.of_run(folder.path, targets, IDS)
        metric = CocoAP(num_classes=10)
        metric.update(found, targets)
        result = json.loads(folder.result.read_text())
        result["figures"] = {"test/ap50": float(metric.compute()["ap50"])}
        folder.result.write_text(json.dumps(result))
    assert claim_runs.lines(claim, tmp_path) == []  # their images were not drawn yet
    assert trial.run(claim, [3], Machine(), tmp_path) == 0
    first, second = claim_runs.lines(claim, tmp_path)
    assert set(first.drawn["test/ap50"]) == {100.0}
    assert len(set(second.drawn["test/ap50"])) > 10

    judged = claim_verdicts.judge(claim, [first, second])
    low, high = judged.judgement.interval
    assert judged.judgement.mean == pytest.approx(100 - second.figure)
    assert 0 < low < judged.judgement.mean < high
    assert judged.judgement.word == "holds"
    # None of the three images is in one sample of 32: these have no difference.
    level = sum(a <= b for a, b in zip(first.drawn["test/ap50"], second.drawn["test/ap50"], strict=True))
    assert 0 < level < 25
    assert judged.judgement.p == pytest.approx(2 * (level + 1) / 301)


def test_a_run_without_detections_is_told(tmp_path):
    (tmp_path / "config.yaml").write_text(yamlio.dump({"data": DATA}))
    with pytest.raises(InputError, match=r"detections_test.json is not there, so that no images can be resampled"):
        resampling.note(RunFolder(tmp_path), "test/ap50", 100)


def test_an_image_without_detections_has_none(tmp_path, targets):
    (tmp_path / "detections_test.json").write_text("[]")
    found = resampling.of_run(tmp_path, targets, IDS)
    assert len(found) == 12
    assert all(isinstance(one.boxes, torch.Tensor) and not len(one.boxes) for one in found)
