"""Each row of FPN's tables trains on COCO's synthetic twin through the real command; the first losses are pinned.

WRITE_LOSSES=1 python -m pytest tests/recipes/test_pyramid_twins.py -m "slow or not slow"      pins them anew
"""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from lit_vision.experiment import recipes
from lit_vision.runs import checkpoints
from lit_vision.runs.folder import RunFolder
from tests.recipes import pins
from tests.recipes.stage_losses import first_two
from tests.twins import coco

# The only place where these recipes are cut down to their twin's size.
CUT = (
    *("--data.batch_size", "2", "--data.eval_batch_size", "2", "--data.num_workers", "0", "--trainer.max_steps", "2"),
    *("--trainer.val_check_interval", "2", "--trainer.log_every_n_steps", "1", "--trainer.logger", "false"),
    *("--trainer.accelerator", "cpu", "--data.pipeline.train", "[64]", "--data.pipeline.test", "64"),
)
# Without downloads there are no statistics to freeze.
BACKBONES = ("model.network.pyramid.backbone", "model.network.regions.head.backbone")
BY_DEFAULT = {
    "fpn/rpn_coco": ("1c FPN",),
    "fpn/fast_rcnn_coco": ("2c FPN",),
    "fpn/faster_rcnn_stages_coco": ("shared",),
    "fpn/mask_proposals_coco": ("5x5 and 7x7",),
}
STAGES = ["rpn-1", "boxes-1", "fast-2", "rpn-3", "boxes-3", "fast-4"]


@pytest.fixture
def twin(tmp_path):
    root = coco.write_2014(coco.write(tmp_path / "twin"))
    for split in ("test-dev2017", "test2015"):
        coco.write_unlabelled(root, split, split.replace("-dev", ""), 2)
    return root


def given(root, folder, listed=(("train", "instances_train2017"), ("val", "instances_val2017"))):
    """Files of proposals on and beside the objects of some splits, as options."""
    options = []
    for split, name in listed:
        images = json.loads((root / "annotations" / f"{name}.json").read_text())["images"]
        boxes = np.array([[2, 4, 22, 30], [20, 22, 42, 48], [0, 0, 30, 30]], dtype=np.float32)
        np.savez(
            folder / f"{split}.npz",
            names=np.array([image["file_name"] for image in images]),
            starts=np.arange(len(images) + 1) * 3,
            boxes=np.tile(boxes, (len(images), 1)),
            scores=np.ones(3 * len(images), dtype=np.float32),
        )
        options += [f"--data.proposals.{split}", str(folder / f"{split}.npz")]
    return options


def unfrozen(recipe, row):
    """Options for each backbone of the row that would be downloaded."""
    network = recipes.resolve([recipe], row).config["model"]["init_args"]["network"]["init_args"]
    head = network.get("regions", {}).get("init_args", {}).get("head", {}).get("init_args", {})
    keys = BACKBONES[: 2 if "backbone" in head else 1] if row != "from scratch" else ()
    return [word for key in keys for word in (f"--{key}.weights", "null", f"--{key}.norm", "bn")]


def assert_one_pyramid(run):
    """The third and fourth step leave the pyramid of the second as it is, and the whole has it (Table 5)."""
    folders = [run / "stages" / "fast-2", run / "stages" / "rpn-3", run / "stages" / "fast-4", run]
    states = [checkpoints.read(str(RunFolder(folder).last))["state_dict"] for folder in folders]
    pyramids = [{key: value for key, value in state.items() if ".pyramid." in key} for state in states]
    assert len(pyramids[0]) > 100
    first = checkpoints.read(str(RunFolder(run / "stages" / "rpn-1").last))["state_dict"]
    assert not torch.equal(first["network.pyramid.lateral.5.weight"], pyramids[0]["network.pyramid.lateral.5.weight"])
    for pyramid in pyramids[1:]:
        assert pyramid.keys() == pyramids[0].keys()
        assert all(torch.equal(value, pyramids[0][key]) for key, value in pyramid.items())


@pytest.mark.parametrize(("recipe", "row"), pins.rows(BY_DEFAULT))
def test_first_losses(command, twin, tmp_path, recipe, row):
    options = unfrozen(recipe, row) + (given(twin, tmp_path) if recipe == "fpn/fast_rcnn_coco" else [])
    command("fit", "--config", recipe, "--row", row, "--data.root", twin, *CUT, *options, "--run", "run")
    result = json.loads(Path("run/result.json").read_text())
    card = recipes.read_card(recipe)
    assert result["verdict"] == "stand-in"
    if card.rows[row].split in ("test-dev", "test-std"):
        assert result["figures"][card.metric] is None  # their annotations are on the server
    else:
        assert 0 <= result["figures"][card.metric] <= 100
    in_stages = recipes.resolve([recipe], row).config.get("stages")
    wanted = STAGES[: 2 if card.rows[row].until else 6] if in_stages else []
    assert sorted(path.name for path in Path("run").glob("stages/*")) == sorted(wanted)
    if recipe == "fpn/faster_rcnn_stages_coco" and not card.rows[row].until:
        assert_one_pyramid(Path("run"))
    losses = first_two(Path("run"))
    pins.compare(recipe, row, losses)


@pytest.mark.parametrize(
    ("row", "thousand"),
    [
        ("conv4", 47.25),
        ("conv5", 12.0),
        ("FPN", 199.974),
        ("finest only", 750.0),
    ],
)
def test_anchors_are_counted_without_images(command, row, thousand):
    command("test", "--config", "fpn/costs", "--row", row, "--run", "run")
    result = json.loads(Path("run/result.json").read_text())
    assert result["figures"]["analysis/anchors"] == pytest.approx(thousand)
    assert result["verdict"] == "reproduced"


def test_the_squares_of_masks_are_measured_without_images(command):
    command("test", "--config", "fpn/mask_proposals_coco", "--row", "regions", "--run", "run")
    result = json.loads(Path("run/result.json").read_text())
    found = {level: result["figures"][f"analysis/region_p{level}/5x5"] for level in (3, 4, 5)}
    assert (found, result["verdict"]) == ({3: 80, 4: 160, 5: 320}, "reproduced")  # Figure 4


def test_a_head_of_one_map_is_timed_as_it_starts(command, twin):
    options = unfrozen("fpn/faster_rcnn_stages_coco", "conv4")
    cut = ("--data.num_workers", "0", "--data.pipeline.test", "64", "--trainer.accelerator", "cpu")
    coco.write(twin, {"val2017": 8})
    command(
        *("test", "--config", "fpn/faster_rcnn_stages_coco", "--row", "time of conv4", "--data.root", twin),
        *(*cut, *options, "--run", "run"),
    )
    figures = json.loads(Path("run/result.json").read_text())["figures"]
    assert figures["analysis/total_ms"] > figures["analysis/region_ms"] > 0
