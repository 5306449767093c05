"""Each row of Faster R-CNN on VOC trains on VOC's synthetic twin through the real command; the first losses are pinned.

WRITE_LOSSES=1 python -m pytest tests/recipes/test_voc_twins.py -m "slow or not slow"      pins them anew
"""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import io

from lit_vision import build
from lit_vision.data.formats import proposals
from lit_vision.experiment import recipes, stages
from lit_vision.models.faster_rcnn import FasterRCNN
from lit_vision.runs import checkpoints
from lit_vision.runs import folder as runs
from lit_vision.runs.folder import RunFolder
from tests.recipes import pins
from tests.recipes.stage_losses import first_two
from tests.twins import voc

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
TESTED = ("COCO on VOC 2007", "COCO on VOC 2012")  # which train nothing
BY_DEFAULT = {
    "faster_rcnn/voc_zf": (),  # `shared` is looked at below, where its analyses are
    "faster_rcnn/voc_vgg": (),
    "faster_rcnn/voc12_vgg": (),
    "faster_rcnn/voc_given": ("one-stage, 1 scale",),
    "faster_rcnn/coco_to_voc": (),
}


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


def coco_s(folder):
    """The file of a detector of COCO's 80 classes, as narrow as the twin's."""
    network = recipes.resolve(["faster_rcnn/coco_to_voc"]).config["model"]["init_args"]["network"]
    arguments = network["init_args"]
    del arguments["weights"], arguments["weights_rows"]
    arguments["regions"]["init_args"]["head"]["init_args"]["width"] = 64
    torch.manual_seed(0)
    torch.save(build.part(FasterRCNN, network, num_classes=80).state_dict(), folder / "coco.pt")
    return str(folder / "coco.pt")


def options_of(recipe, row, twin, folder):
    if recipe == "faster_rcnn/voc_given":
        one_stage = row.startswith("one-stage")
        return ["--model.network.anchors.base", "1.5"] if one_stage else given(twin, folder, shift=2 * (row == "EB"))
    if recipe == "faster_rcnn/coco_to_voc":
        return [*OF_PROPOSALS, "--model.network.weights", coco_s(folder)]
    return list(OF_PROPOSALS)


def earlier_stages(recipe, row):
    """Folders of the stages before the last."""
    return sorted(runs.slug(stage.name) for stage in stages.of(recipes.resolve([recipe], row))[:-1])


def trained_rows():
    return [each for each in pins.rows(BY_DEFAULT) if each.values[1] not in TESTED]


def assert_started_from(file, run):
    """The frozen layers of a stage are the file's."""
    theirs = torch.load(file, weights_only=True)
    found = checkpoints.read(str(RunFolder(run).last))["state_dict"]
    frozen = [name for name in theirs if name.startswith("pyramid.backbone.stages.0")]
    assert frozen
    assert all(torch.equal(found[f"network.{name}"], theirs[name]) for name in frozen)


@pytest.mark.parametrize(("recipe", "row"), trained_rows())
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
    assert sorted(path.name for path in Path("run").glob("stages/*")) == earlier_stages(recipe, row)
    if recipe == "faster_rcnn/coco_to_voc":
        assert_started_from(tmp_path / "coco.pt", Path("run/stages/rpn-1"))
    pins.compare(recipe, row, losses)


@pytest.mark.parametrize("row", TESTED)
@pytest.mark.slow
def test_coco_s_detector_is_tested_on_voc_as_it_is(command, twin, tmp_path, row):
    recipe = "faster_rcnn/coco_to_voc"
    options = ("--data.root", twin, *CUT, *options_of(recipe, row, twin, tmp_path), "--run", "run")
    command("test", "--config", recipe, "--row", row, *options)
    result = json.loads(Path("run/result.json").read_text())
    assert (result["steps"], result["split"]) == (0, recipes.read_card(recipe).row(row).split)
    assert (result["figures"]["test/map"] is None) == (row == "COCO on VOC 2012")
    told = command.error("fit", "--config", recipe, "--row", row, "--data.root", twin, "--run", "other")
    assert "trainer.max_steps is 0; write the number of optimiser steps" in told


@pytest.mark.parametrize("recipe", ["faster_rcnn/voc_zf", pytest.param("faster_rcnn/voc_vgg", marks=pytest.mark.slow)])
def test_analyses_look_at_what_four_steps_trained(command, twin, tmp_path, recipe):
    voc.write(tmp_path / "twin", {"2007": {"train": 4, "val": 3, "test": 8}})  # more images than are warmed up with
    for name in ("selective_search", "edge_boxes"):
        as_matlab(twin, Path(f"data/proposals/{name}_voc_2007_test.mat"))
    options = options_of(recipe, "shared", twin, tmp_path)
    command("fit", "--config", recipe, "--row", "shared", "--data.root", twin, *CUT, *options, "--run", "run")
    pins.compare(recipe, "shared", first_two(Path("run")))
    whole = json.loads(Path("run/result.json").read_text())
    assert (whole["steps"], whole["samples_seen"]) == (4 * 2, 4 * 2 * 2)  # of the four steps; joining them takes none
    for row, entry in recipes.read_card(recipe).rows.items():
        if entry.analysis is None:
            continue
        command("test", "--config", recipe, "--row", row, "--run", "run")
        found = json.loads(Path(f"run/analyses/{runs.slug(row)}/result.json").read_text())
        wanted = [entry.metric, *entry.also]
        # The twin's anchors are smaller, and so are their names.
        kinds = [{name.rpartition(" ")[2] for name in names} for names in (wanted, found["figures"])]
        assert (kinds[0] <= kinds[1], len(wanted) <= len(found["figures"])) == (True, True), row
        assert (found["verdict"], found["steps"]) == ("stand-in", 8)


def as_matlab(root, path):
    """A file of two boxes for each test image of VOC 2007, in the layout of selective search."""
    names = (root / "VOC2007" / "ImageSets" / "Main" / "test.txt").read_text().split()
    path.parent.mkdir(parents=True, exist_ok=True)
    images, boxes = (np.empty((len(names), 1), dtype=object) for _ in range(2))
    for index, name in enumerate(names):
        images[index, 0], boxes[index, 0] = name, np.array([[5, 3, 30, 22], [1, 1, 20, 20]])
    io.savemat(path, {"images": images, "boxes": boxes.T})
