"""Result files by hand, and the pictures of the gallery."""

import json
import zipfile
from types import SimpleNamespace

import pytest
import torch
from pycocotools import mask as coco_mask

from lit_vision.callbacks.detections import DetectionFiles, coco_results, voc_results
from lit_vision.callbacks.gallery import pair
from lit_vision.data.coco import COCO
from lit_vision.data.voc import VOC
from lit_vision.diagnosis import drawing
from lit_vision.errors import InputError
from lit_vision.loggers.wandb import Wandb
from lit_vision.types import Detections, Target
from tests.twins import coco, voc

FOUND = Detections(
    torch.tensor([[10.0, 20.0, 30.5, 60.25], [0.0, 0.0, 5.0, 5.0]]), torch.tensor([0.75, 0.25]), torch.tensor([1, 0])
)


def truth(image_id=7):
    boxes = torch.tensor([[8.0, 16.0, 32.0, 48.0]], dtype=torch.float64)
    flag = torch.tensor([False])
    return Target(
        boxes.float(),
        torch.tensor([1]),
        flag,
        flag,
        torch.ones(1),
        torch.tensor(image_id),
        torch.tensor([64, 64]),
        boxes,
    )


def test_coco_results_are_xywh_with_the_file_s_own_ids():
    lines = json.loads(coco_results([(9, FOUND), (7, FOUND)], [5, 90]))
    assert [line["image_id"] for line in lines] == [7, 7, 9, 9]
    assert lines[0] == {"image_id": 7, "category_id": 90, "bbox": [10.0, 20.0, 20.5, 40.25], "score": 0.75}
    assert lines[1]["category_id"] == 5


def test_masks_are_kept_small_and_written_in_run_lengths(tmp_path):
    found = FOUND._replace(masks=torch.ones(2, 2, 2), windows=FOUND.boxes)
    files = DetectionFiles(tmp_path)
    files.on_test_batch_end(None, None, {"found": [found, FOUND]}, SimpleNamespace(targets=[truth(), truth(8)]), 0)
    assert [len(one.masks) + len(one.windows) for _, one in files._found] == [0, 0]
    data = SimpleNamespace(category_ids=[5, 90], coco_results=None, voc_results=None, submission=lambda *_: {})
    files._write(SimpleNamespace(sanity_checking=False, datamodule=data), "test")
    lines = json.loads((tmp_path / "detections_test.json").read_text())
    assert [("segmentation" in line, line["image_id"]) for line in lines] == [(True, 7)] * 2 + [(False, 8)] * 2
    assert lines[0]["segmentation"]["size"] == [64, 64]
    # Pixels whose centres lie in 10 to 30.5 and 20 to 60.25
    assert [coco_mask.area(line["segmentation"]) for line in lines[:2]] == [20 * 40, 25]
    assert files._outlines == {}


def test_voc_results_count_from_one_and_include_both_corners():
    files = voc_results([(3, FOUND)], ["bolt", "nut", "washer"], {3: "000042"})
    assert files["nut"] == "000042 0.750000 11.000000 21.000000 30.500000 60.250000\n"
    assert files["bolt"] == "000042 0.250000 1.000000 1.000000 5.000000 5.000000\n"
    assert files["washer"] == ""


def written(folder, data, split="test"):
    """What the callback writes of the first image of a split, with one detection of classes 1 and 0."""
    data.setup("test")
    folder.mkdir()
    files = DetectionFiles(folder)
    files._found = [(int(data.evaluated(split).image_ids[0]), FOUND)]
    files._write(SimpleNamespace(sanity_checking=False, datamodule=data), split)
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize(("year", "competition"), [("12", "comp4"), ("12", "comp3"), ("07", "comp4")])
def test_voc_s_server_finds_its_folders(tmp_path, year, competition):
    splits = {"train": 4, "val": 3, "test": 3}
    root = voc.write(tmp_path / "data", {"2007": splits, "2012": splits}) / "VOCdevkit"
    if year == "12":  # the test images' boxes are the server's secret
        stems = (root / "VOC2012" / "ImageSets" / "Main" / "test.txt").read_text().split()
        for stem in stems:
            (root / "VOC2012" / "Annotations" / f"{stem}.xml").unlink()
    data = VOC(str(root), train=year, test=year, competition=competition, batch_size=2)
    found = written(tmp_path / "run", data)
    names = [f"voc/results/VOC20{year}/Main/{competition}_det_test_{name}.txt" for name in data.class_names]
    assert found == ["detections_test.json", *sorted(names)]
    text = (tmp_path / "run" / names[1]).read_text()
    assert text == f"{data.splits['test'].names[0]} 0.750000 11.000000 21.000000 30.500000 60.250000\n"
    if year == "12":
        assert len(data.splits["test"]) == 3
        assert not len(data.splits["test"].boxes)


@pytest.mark.parametrize(
    ("split", "folder", "words"),
    [
        ("test-dev2015", "test2015", "test-dev"),
        ("test-dev2017", "test2017", "test-dev"),
        ("test2015", "test2015", "test-std"),
    ],
)
def test_coco_s_server_gets_one_archive_under_its_own_name(tmp_path, split, folder, words):
    root = coco.write(tmp_path / "data")
    coco.write_unlabelled(root, split, folder, 2)
    data = COCO(str(root), test=split, algorithm="R50-FPN", batch_size=2)
    found = written(tmp_path / "run", data)
    assert data.official_split == words
    name = f"detections_{split}_R50-FPN_results.zip"
    assert found == sorted([name, "detections_test.json"])
    with zipfile.ZipFile(tmp_path / "run" / name) as archive:
        assert archive.namelist() == [f"detections_{split}_R50-FPN_results.json"]
        content = archive.read(archive.namelist()[0])
    assert content == (tmp_path / "run" / "detections_test.json").read_bytes()
    ids = data.splits["test"].image_ids.tolist()
    assert [line["image_id"] for line in json.loads(content)] == [ids[0], ids[0]]
    assert written(tmp_path / "other", data, "val") == ["detections_val.json"]


def test_a_name_that_the_server_could_not_read_is_refused():
    with pytest.raises(InputError, match=r"data\.algorithm 'a b': the server takes letters, digits, - and _ alone"):
        COCO(test="test2015", algorithm="a b")


def test_the_gallery_shows_truth_beside_what_was_found_with_confidence():
    picture = pair(torch.zeros(3, 64, 64, dtype=torch.uint8), truth(), FOUND, ["bolt", "nut"])
    assert picture.size == (64 + 4 + 64, 64 + 20)
    colour = drawing.colour_of(1, 2)
    assert picture.getpixel((8, 20 + 40)) == colour  # left side of the true box
    assert picture.getpixel((68 + 10, 20 + 50)) == colour  # of the found one
    # The box with a score of one quarter is not drawn: its corner stays black.
    assert picture.getpixel((68 + 4, 20 + 4)) == (0, 0, 0)


def test_wandb_gets_both_layers_in_pixels(monkeypatch):
    logged = []

    class Run:
        def log(self, content):
            logged.append(content)

    monkeypatch.setattr(Wandb, "experiment", property(lambda self: Run()))
    logger = Wandb(mode="offline")
    logger.log_boxes("val/gallery", [(torch.zeros(3, 64, 64, dtype=torch.uint8), truth(), FOUND)], ["bolt", "nut"])
    (image,) = logged[0]["val/gallery"]
    layers = {name: layer._val for name, layer in image._boxes.items()}
    assert layers.keys() == {"ground truth", "found"}
    (true_box,) = layers["ground truth"]
    assert true_box["position"] == {"minX": 8.0, "minY": 16.0, "maxX": 32.0, "maxY": 48.0}
    assert [box["class_id"] for box in layers["found"]] == [1, 0]
    assert layers["found"][0]["scores"] == {"score": 0.75}
