"""Ground truth goes to W&B once, whatever the number of validations."""

from pathlib import Path

import torch

from lit_vision.loggers.wandb import Wandb
from lit_vision.loggers.wandb_identity import Identity
from lit_vision.types import Detections, Target
from tests.wandb_frames import history, pieces, uploaded

CLASSES = ["cell", "platelet"]


def target(image_id):
    boxes, no = torch.tensor([[1.0, 2.0, 5.0, 6.0 + image_id]]), torch.tensor([False])
    return Target(
        boxes, torch.tensor([1]), no, no, torch.tensor([16.0]), torch.tensor(image_id), torch.tensor([8, 8]), boxes
    )


def found(image_id, score):
    return Detections(torch.tensor([[0.0, 0.0, 4.0, 4.0 + image_id]]), torch.tensor([score]), torch.tensor([0]))


def scene(image_id):
    return torch.full((3, 8, 8), image_id, dtype=torch.uint8)


def validate(logger, score, images=(0, 1), name="val/gallery"):
    logger.log_boxes(name, [(scene(image), target(image), found(image, score)) for image in images], CLASSES)


def entries(file, name):
    """Paths of the pictures and of the layers of boxes in each entry of the gallery."""
    lines = [line for line in history(file) if f"{name}/filenames" in line]
    return [
        (line[f"{name}/filenames"], *([layers[key]["path"] for layers in line[f"{name}/all_boxes"]] for key in LAYERS))
        for line in lines
    ]


LAYERS = ("ground truth", "found")


def test_pixels_and_ground_truth_are_sent_once():
    logger = Wandb()
    logger.describe(Path("run"), "ab12cd34", Identity("row", "recipe", [], {}))
    for score in (0.25, 0.5, 0.75):
        validate(logger, score)
    logger.finish()
    (file,) = pieces(Path("run"))
    one, two, three = entries(file, "val/gallery")
    assert one[0] == two[0] == three[0]
    assert one[1] == two[1] == three[1]
    sent = [path for path in uploaded(file) if path.startswith("media/")]
    assert sorted(sent) == sorted([*one[0], *one[1], *one[2], *two[2], *three[2]])
    assert len(set(sent)) == len(sent) == 2 + 2 + 3 * 2  # pixels, ground truth, what each validation found
    assert len(list(file.parent.rglob("*.png"))) == 2


def test_a_picture_that_is_new_or_under_another_key_is_sent_anew():
    logger = Wandb()
    logger.describe(Path("run"), "ab12cd34", Identity("row", "recipe", [], {}))
    validate(logger, 0.5)
    validate(logger, 0.5, images=(1, 2))
    validate(logger, 0.5, name="test/gallery")
    logger.finish()
    (file,) = pieces(Path("run"))
    assert len([path for path in uploaded(file) if path.endswith(".png")]) == 3 + 2
    (_, kept), (again, _) = (entry[0] for entry in entries(file, "val/gallery"))
    assert again == kept
    (tested,) = entries(file, "test/gallery")
    assert all(path.startswith("media/images/test/gallery") for path in tested[0])
