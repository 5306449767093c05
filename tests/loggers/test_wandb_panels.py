"""The diagnosis as W&B tables, charts and pictures, and checkpoints as artifacts when asked."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image

from lit_vision.callbacks.workspace import Workspace
from lit_vision.errors import InputError
from lit_vision.loggers import wandb_panels
from lit_vision.loggers.wandb import Wandb
from lit_vision.loggers.wandb_identity import Identity
from lit_vision.runs.folder import RunFolder
from tests.wandb_frames import artifacts, history, pieces, updates

CALIBRATION = [
    {"low": 0.0, "high": 0.1, "score": None, "accuracy": None, "count": 0},
    {"low": 0.9, "high": 1.0, "score": 0.95, "accuracy": 0.75, "count": 4},
]
CLASSIFIER = {
    "version": 1,
    "task": "classification",
    "split": "test",
    "class_names": ["zero", "one"],
    "images": 4,
    "calibration": CALIBRATION,
    "calibration_error": 20.0,
    "confusion": [[0, 0, 2], [0, 1, 1], [1, 1, 1]],
    "per_class": [{"class": "zero", "count": 3, "error": 33.3}, {"class": "one", "count": 1, "error": 0.0}],
    "mistakes": [
        {"image": 7, "name": 7, "truth": 0, "predicted": 1, "score": 0.9, "picture": "diagnosis/mistake_00.jpg"},
        {"image": 9, "name": 9, "truth": 0, "predicted": 1, "score": 0.6, "picture": "diagnosis/gone.jpg"},
    ],
}
ERRORS = {
    "ap50": 80.0,
    "classification": {"count": 2, "delta": 5.0},
    "missed": {"count": 1, "delta": 2.5},
    "false_positive": {"delta": None},
}
DETECTOR = {
    "version": 1,
    "task": "detection",
    "class_names": ["cell", "platelet"],
    "per_class": [{"class": "cell", "count": 5, "ap": 50.0}, {"class": "platelet", "count": 9, "ap": None}],
    "errors": {"all": ERRORS, "by_class": {"cell": ERRORS}, "by_size": {"small": None}},
    "precision_recall": {
        name: {"recall": [0.0, 1.0], "precision": [1.0, None], "score": [0.9, None]}
        for name in ("all", "cell", "platelet")
    },
    "recall_iou": {"iou": [0.5, 1.0], "recall": [0.8, 0.0]},
    "worst": [
        {"image": 1, "name": "a.jpg", "f1": 0.0, "wrong": 2, "missed": 1, "picture": "diagnosis/mistake_00.jpg"},
    ],
    "calibration": CALIBRATION,
}


@pytest.fixture
def folder():
    """A run's folder with the picture that the diagnoses name."""
    path = Path("run")
    (path / "diagnosis").mkdir(parents=True)
    Image.new("RGB", (8, 6)).save(path / "diagnosis" / "mistake_00.jpg")
    return path


def rows(panel):
    """The table of a panel, or of its chart."""
    return getattr(panel, "table", panel).data


def test_a_classifier_s_panels(folder):
    panels = wandb_panels.of(CLASSIFIER, folder)
    assert list(panels) == [
        f"diagnosis/{key}" for key in ("per_class", "confusion", "mistakes", "calibration", "calibration_error")
    ]
    assert rows(panels["diagnosis/per_class"]) == [["zero", 3, 33.3], ["one", 1, 0.0]]
    assert panels["diagnosis/per_class"].columns == ["class", "count", "error"]
    cells = [("zero", "zero", 2), ("zero", "one", 1), ("one", "zero", 0), ("one", "one", 1)]
    assert rows(panels["diagnosis/confusion"]) == [list(cell) for cell in cells]
    (picture, *first), (gone, *_) = rows(panels["diagnosis/mistakes"])
    assert first == ["7", "zero", "one", 0.9]
    assert picture.image.size == (8, 6)
    assert gone is None
    assert rows(panels["diagnosis/calibration"]) == [[0.95, 0.75, 4]]  # a bin without detections is no point
    assert panels["diagnosis/calibration_error"] == 20.0


def test_a_detector_s_panels(folder):
    panels = wandb_panels.of(DETECTOR, folder)
    assert rows(panels["diagnosis/errors"]) == [
        [where, *row]
        for where in ("all", "class cell")
        for row in (["classification", 2, 5.0], ["missed", 1, 2.5], ["false positive", None, None])
    ]
    assert rows(panels["diagnosis/given_back"]) == [["classification", 5.0], ["missed", 2.5]]
    curves = rows(panels["diagnosis/precision_recall"])
    assert curves == [[0.0, 1.0, name] for name in ("all", "platelet", "cell")]  # the commonest first
    assert rows(panels["diagnosis/recall_iou"]) == [[0.5, 0.8], [1.0, 0.0]]
    ((picture, *worst),) = rows(panels["diagnosis/worst"])
    assert (picture.image.size, worst) == ((8, 6), ["a.jpg", 0.0, 2, 1])


def test_a_confusion_of_many_classes_leaves_zeros_out():
    names = [f"class {number}" for number in range(101)]
    (panel,) = wandb_panels.of({"class_names": names, "confusion": [[0, 1, 2], [100, 0, 5]]}, Path()).values()
    assert rows(panel) == [["class 100", "class 0", 5], ["class 0", "class 1", 2]]


def test_a_run_without_diagnosis_has_no_panels():
    assert wandb_panels.read(Path()) == {}
    assert wandb_panels.of({"version": 1, "mistakes": [], "class_names": []}, Path()) == {}


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"errors": {"by_class": {}}}', '{"class_names": ["a"], "confusion": [[0, 3, 1]]}']
)
def test_a_damaged_diagnosis_is_told(content):
    Path("diagnosis.json").write_text(content)
    with pytest.raises(InputError, match=r"^diagnosis.json is damaged \(") as caught:
        wandb_panels.read(Path())
    assert len(str(caught.value).splitlines()) <= 3


def finished(folder, **options):
    """A test pass' end as W&B sees it; the offline piece that it leaves."""
    logger = Wandb(**options)
    logger.describe(folder, "ab12cd34", Identity("row", "recipe", [], {}))
    logger.log_metrics({"test/error": 5.0}, 4)
    Workspace(RunFolder(folder)).on_test_end(SimpleNamespace(loggers=[logger]), None)
    logger.finish()
    (file,) = pieces(folder)
    return file


def test_the_panels_reach_w_b_with_their_pictures(folder):
    (folder / "diagnosis.json").write_text(json.dumps(CLASSIFIER))
    file = finished(folder)
    keys = {key.split("/")[1] for line in history(file) for key in line if key.startswith("diagnosis/")}
    assert keys >= {"per_class", "mistakes", "confusion_table", "calibration_table", "calibration_error"}
    assert updates(file, "summary")["diagnosis/calibration_error"] == 20.0
    tables = {name: files for kind, name, _, files in artifacts(file) if kind == "run_table"}
    (mistakes,) = (files for name, files in tables.items() if name.startswith("run-ab12cd34-diagnosismistakes"))
    assert any(name.endswith("mistake_00.jpg") for name in mistakes)
    content = json.loads(next((file.parent / "files/media/table/diagnosis").glob("mistakes*.json")).read_text())
    assert content["data"][0][1:] == ["7", "zero", "one", 0.9]
    staged = folder.resolve() / "wandb" / "staging"
    assert all(Path(path).is_relative_to(staged) for files in tables.values() for path in files.values())
    assert [entry for entry in artifacts(file) if entry[0] == "model"] == []  # nobody asked for checkpoints


@pytest.mark.parametrize(
    ("asked", "sent"),
    [
        ("none", []),
        ("last", ["last"]),
        ("best", ["best-200", "best-400"]),
        ("all", ["last", "best-200", "best-400", "step-300"]),
    ],
)
def test_checkpoints_are_sent_when_asked(asked, sent):
    folder = RunFolder(Path("run"))
    folder.checkpoints.mkdir(parents=True)
    for name in ("last", "previous", "best-200", "best-400", "step-300"):
        (folder.checkpoints / f"{name}.ckpt").write_bytes(name.encode())
    file = finished(folder.path, checkpoints=asked)
    models = [entry for entry in artifacts(file) if entry[0] == "model"]
    assert [entry[1] for entry in models] == ["checkpoint-ab12cd34"] * len(sent)
    assert [entry[2] for entry in models] == [{"latest", name} for name in sent]
    paths = [entry[3] for entry in models]
    assert paths == [{f"{name}.ckpt": str(folder.checkpoints.resolve() / f"{name}.ckpt")} for name in sent]  # no copy


def test_a_w_b_that_breaks_at_the_panels_ends_nothing(folder, monkeypatch):
    (folder / "diagnosis.json").write_text(json.dumps(CLASSIFIER))
    monkeypatch.setattr("wandb.Artifact", None)
    monkeypatch.setattr("wandb.Table", None)
    (folder / "checkpoints").mkdir()
    (folder / "checkpoints" / "last.ckpt").touch()
    with pytest.warns(UserWarning, match="W&B failed and is left out") as caught:
        finished(folder, checkpoints="last")
    assert len([entry for entry in caught if "W&B" in str(entry.message)]) == 1
