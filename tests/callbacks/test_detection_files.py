"""Result files by hand, and the pictures of the gallery."""

import json

import torch

from lit_vision.callbacks.detections import coco_results, voc_results
from lit_vision.callbacks.gallery import pair
from lit_vision.diagnosis import drawing
from lit_vision.loggers.wandb import Wandb
from lit_vision.types import Detections, Target

FOUND = Detections(
    torch.tensor([[10.0, 20.0, 30.5, 60.25], [0.0, 0.0, 5.0, 5.0]]), torch.tensor([0.75, 0.25]), torch.tensor([1, 0])
)


def truth():
    boxes = torch.tensor([[8.0, 16.0, 32.0, 48.0]], dtype=torch.float64)
    flag = torch.tensor([False])
    return Target(
        boxes.float(), torch.tensor([1]), flag, flag, torch.ones(1), torch.tensor(7), torch.tensor([64, 64]), boxes
    )


def test_coco_results_are_xywh_with_the_file_s_own_ids():
    lines = json.loads(coco_results([(9, FOUND), (7, FOUND)], [5, 90]))
    assert [line["image_id"] for line in lines] == [7, 7, 9, 9]
    assert lines[0] == {"image_id": 7, "category_id": 90, "bbox": [10.0, 20.0, 20.5, 40.25], "score": 0.75}
    assert lines[1]["category_id"] == 5


def test_voc_results_count_from_one_and_include_both_corners():
    files = voc_results([(3, FOUND)], ["bolt", "nut", "washer"], {3: "000042"})
    assert files["nut"] == "000042 0.750000 11.000000 21.000000 30.500000 60.250000\n"
    assert files["bolt"] == "000042 0.250000 1.000000 1.000000 5.000000 5.000000\n"
    assert files["washer"] == ""


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
