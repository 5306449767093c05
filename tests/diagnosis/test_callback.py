"""What the diagnosis leaves in a run's folder, from outputs made by hand."""

import json
from types import SimpleNamespace

import pytest
import torch
from PIL import Image

from lit_vision.diagnosis import detection as diagnosis_detection
from lit_vision.diagnosis import drawing
from lit_vision.diagnosis.callback import Diagnosis
from lit_vision.errors import InputError
from lit_vision.types import Batch
from tests.metrics import scenes

HERE, FAR, HALF = [0, 0, 100, 100], [200, 200, 300, 300], [50, 0, 150, 100]


class Data:
    """A data module for either task, of grey images."""

    test_split = "test"
    tested = (torch.tensor([0, 1]), torch.tensor([2]))
    class_names = ("cat", "dog", "elk")
    num_classes = 3
    size = (240, 320)

    def image_names(self, split):
        assert split == "test"
        return {number: f"{number:03}.jpg" for number in range(20)}

    def original(self, split, image_id):
        assert split == "test"
        return torch.full((3, *self.size), 10 * image_id % 256, dtype=torch.uint8)


def examine(folder, batches, data=None, agnostic=False):
    """The callback over (outputs, targets) batches; `diagnosis.json` and the lines of `per_image.jsonl`."""
    callback = Diagnosis(folder)
    trainer = SimpleNamespace(world_size=1, global_rank=0, datamodule=data or Data())
    module = SimpleNamespace(network=SimpleNamespace(agnostic=agnostic))
    callback.on_test_start(trainer, module)
    for number, (outputs, targets) in enumerate(batches):
        callback.on_test_batch_end(trainer, module, outputs, Batch(torch.empty(0), torch.empty(0), targets), number)
    callback.on_test_end(trainer, module)
    lines = (folder / "per_image.jsonl").read_text().splitlines()
    return json.loads((folder / "diagnosis.json").read_text()), [json.loads(line) for line in lines]


def logits(*chances):
    return torch.tensor(chances).log()


CLASSIFIED = [
    (logits([0.92, 0.05, 0.03], [0.65, 0.25, 0.1]), torch.tensor([0, 1])),
    (logits([0.15, 0.75, 0.1]), torch.tensor([0])),
]


def test_classification(tmp_path):
    found, lines = examine(tmp_path, CLASSIFIED)
    assert list(found) == [
        *("version", "task", "split", "class_names", "images"),
        *("calibration", "calibration_error", "confusion", "per_class", "mistakes"),
    ]
    assert (found["task"], found["split"], found["images"]) == ("classification", "test", 3)
    assert found["confusion"] == [[0, 0, 1], [0, 1, 1], [1, 0, 1]]
    assert found["per_class"] == [
        {"class": "cat", "count": 2, "error": 50.0},
        {"class": "dog", "count": 1, "error": 100.0},
        {"class": "elk", "count": 0, "error": None},
    ]
    assert [one["count"] for one in found["calibration"]] == [0, 0, 0, 0, 0, 0, 1, 1, 0, 1]
    assert found["calibration_error"] == pytest.approx(100 * (0.65 + 0.75 + 0.08) / 3, abs=1e-3)
    assert lines[1] == {
        **{"image": 1, "name": "001.jpg", "truth": 1, "predicted": 0, "score": 0.65, "truth_score": 0.25}
    }
    first, second = found["mistakes"]
    assert first == {
        **{"image": 2, "name": "002.jpg", "truth": 0, "predicted": 1, "score": 0.75},
        "picture": "diagnosis/mistake_00.jpg",
    }
    assert (second["image"], second["picture"]) == (1, "diagnosis/mistake_01.jpg")
    with Image.open(tmp_path / first["picture"]) as picture:
        assert picture.size == (320, 240)
        assert picture.getpixel((9, 9)) == (20, 20, 20)


def test_images_keep_their_names_where_batches_are_in_another_order(tmp_path):
    """Whole images of one size make a batch: neither are batches full, nor are they in the order of the split."""
    grouped = Data()
    grouped.tested = (torch.tensor([1, 2]), torch.tensor([0]))
    _, lines = examine(tmp_path, CLASSIFIED, grouped)
    assert [(line["name"], line["score"]) for line in lines] == [
        *(("000.jpg", 0.75), ("001.jpg", 0.92), ("002.jpg", 0.65)),
    ]


def test_a_later_pass_replaces_the_pictures_of_an_earlier_one(tmp_path):
    examine(tmp_path, CLASSIFIED)
    found, _ = examine(tmp_path, [(logits([0.9, 0.05, 0.05]), torch.tensor([0]))])
    assert found["mistakes"] == []
    assert not (tmp_path / "diagnosis").exists()


def test_at_most_forty_mistakes_and_none_without_numbers(tmp_path):
    many = Data()
    many.image_names = lambda split: dict.fromkeys(range(100), "x")
    many.original = lambda split, image_id: torch.zeros(3, 8, 8, dtype=torch.uint8)
    many.tested = (torch.arange(50),)
    outputs = torch.full((50, 3), float("nan"))
    found, lines = examine(tmp_path, [(outputs, torch.full((50,), 2))], many)
    assert len(found["mistakes"]) == len(list((tmp_path / "diagnosis").iterdir())) == 40
    assert lines[0]["score"] is None  # a run that diverged; JSON has no NaN
    with Image.open(tmp_path / "diagnosis" / "mistake_39.jpg") as picture:
        assert picture.size == (320, 320)  # eight pixels grow so that they can be seen


DETECTED = [
    (
        {"found": [scenes.found([HERE, FAR], [0.9, 0.8], [0, 1]), scenes.found([HALF], [0.7], [0])]},
        [scenes.truth(4, [HERE, FAR], [0, 1]), scenes.truth(2, [HERE], [0])],
    ),
    ({"found": [scenes.found()]}, [scenes.truth(0, [FAR], [1], crowd=[True])]),
]


def test_detection(tmp_path):
    found, lines = examine(tmp_path, DETECTED)
    assert list(found) == [
        *("version", "task", "split", "class_names", "images", "shown_score", "calibration", "calibration_error"),
        *("per_class", "errors", "precision_recall", "recall_iou", "worst"),
    ]
    assert [line["image"] for line in lines] == [0, 2, 4]
    assert lines[0] == {
        **{"image": 0, "name": "000.jpg", "objects": 0, "found": 0, "right": 0, "wrong": 0, "missed": 0, "f1": None}
    }
    assert lines[2] == {
        **{"image": 4, "name": "004.jpg", "objects": 2, "found": 2, "right": 2, "wrong": 0, "missed": 0, "f1": 1.0}
    }
    half = 100 * 51 / 101
    assert [entry["class"] for entry in found["per_class"]] == ["cat", "dog", "elk"]
    assert found["per_class"][0] == {"class": "cat", "count": 2, "ap": pytest.approx(half), "ap50": pytest.approx(half)}
    assert found["per_class"][2] == {"class": "elk", "count": 0, "ap": None, "ap50": None}
    assert set(found["errors"]) == {"all", "by_class", "by_size"}
    for entry in [found["errors"]["all"], *found["errors"]["by_class"].values(), *found["errors"]["by_size"].values()]:
        assert list(entry) == [
            *("ap50", "classification", "localisation", "both", "duplicate", "background", "missed"),
            *("false_positive", "false_negative"),
        ]
    gain = (100 - half) / 2
    assert found["errors"]["all"]["localisation"] == {"count": 1, "delta": pytest.approx(gain, abs=1e-4)}
    assert found["errors"]["by_class"]["cat"]["localisation"]["delta"] == pytest.approx(2 * gain, abs=1e-4)
    assert found["errors"]["by_size"]["small"]["ap50"] is None
    assert list(found["precision_recall"]) == ["all", "cat", "dog"]  # no elk to find
    assert {len(values) for curve in found["precision_recall"].values() for values in curve.values()} == {101}
    assert found["recall_iou"]["iou"][0::10] == [0.5, 1.0]
    assert found["recall_iou"]["recall"] == [0.75] * 11
    assert found["worst"] == [
        {
            **{"image": 2, "name": "002.jpg", "f1": 0.0, "wrong": 1, "missed": 1},
            "picture": "diagnosis/worst_00.jpg",
        }
    ]
    with Image.open(tmp_path / "diagnosis" / "worst_00.jpg") as picture:
        assert max(picture.size) == 480


def test_the_order_of_batches_changes_nothing(tmp_path):
    ahead, back = (examine(tmp_path, batches) for batches in (DETECTED, DETECTED[::-1]))
    assert ahead == back


def test_what_became_of_each_box_is_drawn(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(drawing, "marked", lambda image, *marks: drawn.append(marks) or image)
    image = (
        scenes.found([HERE, HALF, FAR, FAR, FAR], [0.9, 0.8, 0.7, 0.6, 0.4], [0, 0, 1, 2, 2]),
        scenes.truth(3, [HERE, FAR, [0, 150, 20, 170]], [0, 1, 2], crowd=[False, True, False]),
    )
    examine(tmp_path, [({"found": [image[0]]}, [image[1]])])
    (truth, found) = drawn
    assert truth[1] == ["cat", "dog not counted", "elk missed"]
    assert found[1] == ["cat 90", "cat 80 localisation", "dog 70 not counted", "elk 60 background"]
    right, wrong, grey = (getattr(diagnosis_detection, name) for name in ("RIGHT", "WRONG", "UNCOUNTED"))
    assert truth[2] == [right, grey, wrong]
    assert found[2] == [right, wrong, grey, wrong]
    assert truth[0][0] == pytest.approx([0, 0, 238 / 320 * 100, 238 / 320 * 100])


def test_proposals_have_no_class(tmp_path):
    batches = [({"found": [scenes.found([HERE], [0.9], [0])]}, [scenes.truth(1, [HERE], [2])])]
    found, _ = examine(tmp_path, batches, agnostic=True)
    assert found["class_names"] == ["object"]
    assert found["per_class"] == [{"class": "object", "count": 1, "ap": 100.0, "ap50": 100.0}]


def test_curves_of_the_commonest_classes_only(tmp_path, monkeypatch):
    monkeypatch.setattr(diagnosis_detection, "CURVES", 1)
    found, _ = examine(tmp_path, DETECTED)
    assert list(found["precision_recall"]) == ["all", "cat"]


@pytest.mark.filterwarnings("ignore:no picture")
def test_a_file_that_vanished_costs_its_picture_only(tmp_path):
    class Gone(Data):
        def original(self, split, image_id):
            raise InputError("002.jpg: there is no such file")

    found, _ = examine(tmp_path, CLASSIFIED, Gone())
    assert [entry["picture"] for entry in found["mistakes"]] == [None, None]


def test_a_task_that_says_nothing_of_images_leaves_nothing(tmp_path):
    with pytest.raises(FileNotFoundError):
        examine(tmp_path, [(None, torch.tensor([0]))])
    assert list(tmp_path.iterdir()) == []
