"""Each row of Faster R-CNN on VOC trains on VOC's synthetic twin through the real command; the first losses are pinned.

WRITE_LOSSES=1 python -m pytest tests/recipes/test_voc_twins.py -m "slow or not slow"      pins them anew
"""

import json
import math
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from lit_vision.data.formats import proposals
from lit_vision.experiment import recipes
from tests.recipes.stage_losses import first_two
from tests.twins import voc

FILE = Path(__file__).parents[1] / "golden" / "losses.json"
LOSSES = json.loads(FILE.read_text())

# The only place where these recipes are cut down to their twin's size. Of 4096 units the first layer alone has 100
# million weights; anchors of 128 pixels would all cross the border of an image of 96.
CUT = (
    *("--data.batch_size", "2", "--data.eval_batch_size", "2", "--data.num_workers", "0", "--trainer.max_steps", "2"),
    *("--trainer.val_check_interval", "2", "--trainer.log_every_n_steps", "1", "--trainer.logger", "false"),
    *("--trainer.accelerator", "cpu", "--data.pipeline.train", "[96]", "--data.pipeline.test", "96"),
    *("--data.overlap", "ignore", "--model.network.regions.head.width", "64"),
    *("--model.network.regions.head.weights", "null", "--model.network.pyramid.backbone.weights", "null"),
)
OF_PROPOSALS = (
    *("--model.network.proposals.anchors.base", "1.5", "--model.network.proposals.train.smallest", "2"),
    *("--model.network.proposals.test.smallest", "2"),
)
BY_DEFAULT = {("faster_rcnn/voc_zf", "shared"), ("faster_rcnn/voc_given", "one-stage, 1 scale")}
FAMILIES = ("faster_rcnn/voc_zf", "faster_rcnn/voc_vgg", "faster_rcnn/voc12_vgg", "faster_rcnn/voc_given")
ROWS = [
    pytest.param(recipe, row, marks=() if (recipe, row) in BY_DEFAULT else pytest.mark.slow, id=f"{recipe} {row}")
    for recipe in FAMILIES
    for row, entry in recipes.read_card(recipe).rows.items()
    if entry.trains
]
STAGES = ["rpn-1", "boxes-1", "fast-2", "rpn-3", "boxes-3", "fast-4"]


@pytest.fixture
def twin(tmp_path):
    """Both years, and in 2012 a list of test images without annotations."""
    root = voc.write(tmp_path / "twin") / "VOCdevkit"
    year = root / "VOC2012"
    names = (year / "ImageSets" / "Main" / "val.txt").read_text().split()
    tests = [f"{int(name) + 500:06}" for name in names]
    for name, test in zip(names, tests, strict=True):
        shutil.copy(year / "JPEGImages" / f"{name}.jpg", year / "JPEGImages" / f"{test}.jpg")
    (year / "ImageSets" / "Main" / "test.txt").write_text("".join(f"{name}\n" for name in tests))
    return root


def given(root, folder, shift):
    """Files of proposals beside the objects of VOC 2007, so many pixels further right, as options."""
    options = []
    for split, listed in (("train", "trainval"), ("test", "test")):
        names = (root / "VOC2007" / "ImageSets" / "Main" / f"{listed}.txt").read_text().split()
        boxes = np.array([[2, 4, 22, 30], [20, 22, 42, 48], [0, 0, 30, 30]], dtype=np.float32)
        boxes[:, [0, 2]] += shift
        made = {
            "names": np.array(names),
            "starts": np.arange(len(names) + 1) * 3,
            "boxes": np.tile(boxes, (len(names), 1)),
        }
        made["scores"] = np.ones(len(made["boxes"]), dtype=np.float32)
        np.savez(folder / f"{split}.npz", **made)
        proposals.read(folder / f"{split}.npz")
        options += [f"--data.proposals.{split}", str(folder / f"{split}.npz")]
    return options


def options_of(recipe, row, twin, folder):
    if recipe == "faster_rcnn/voc_given":
        one_stage = row.startswith("one-stage")
        return ["--model.network.anchors.base", "1.5"] if one_stage else given(twin, folder, shift=2 * (row == "EB"))
    return list(OF_PROPOSALS)


@pytest.mark.parametrize(("recipe", "row"), ROWS)
def test_first_losses(command, twin, tmp_path, recipe, row):
    options = options_of(recipe, row, twin, tmp_path)
    command("fit", "--config", recipe, "--row", row, "--data.root", twin, *CUT, *options, "--run", "run")
    result = json.loads(Path("run/result.json").read_text())
    assert result["verdict"] == "stand-in"
    losses = first_two(Path("run"))
    if recipes.read_card(recipe).row(row).split == "server":
        assert result["figures"]["test/map"] is None  # its annotations are on the server
    else:
        assert 0 <= result["figures"]["test/map"] <= 100
    in_stages = recipes.resolve([recipe], row).config.get("stages")
    wanted = STAGES[: 2 if recipes.read_card(recipe).rows[row].until else 6] if in_stages else []
    assert sorted(path.name for path in Path("run").glob("stages/*")) == sorted(wanted)
    if "WRITE_LOSSES" in os.environ:
        LOSSES.setdefault(recipe, {})[row] = round(losses[0], 4)
        FILE.write_text(json.dumps(LOSSES, indent=1) + "\n")
    assert math.isfinite(losses[1])
    assert losses[0] == pytest.approx(LOSSES[recipe][row], rel=0.01), f"tests/golden/losses.json differs: {losses}"
