"""ResNet's localisation and its detection on ImageNet, on ILSVRC's twin: each training, and each test of its weights.

WRITE_LOSSES=1 python -m pytest tests/recipes/test_ilsvrc_twins.py -m "slow or not slow"      pins the losses anew
"""

import json
import math
import os
import shutil
from pathlib import Path

import pytest
import torch

from lit_vision.experiment import recipes
from lit_vision.models.backbones import resnet
from lit_vision.models.classifier import Classifier
from tests.recipes.stage_losses import first_two
from tests.twins import ilsvrc

FILE = Path(__file__).parents[1] / "golden" / "losses.json"
LOSSES = json.loads(FILE.read_text())

# The only place where these recipes are cut down to their twin's size.
CUT = (
    *("--data.batch_size", "2", "--data.eval_batch_size", "2", "--data.num_workers", "0", "--data.overlap", "ignore"),
    *("--trainer.max_steps", "2", "--trainer.val_check_interval", "2", "--trainer.log_every_n_steps", "1"),
    *("--trainer.logger", "false", "--trainer.accelerator", "cpu"),
    *("--model.network.pyramid.backbone.weights", "null", "--model.network.pyramid.backbone.norm", "bn"),
)
CROPS = (
    *("--data.pipeline.low", "64", "--data.pipeline.high", "80", "--data.pipeline.crop", "64"),
    *("--data.pipeline.short_side", "72", "--protocol.size", "64"),
)
# A quarter of two regions is none: eight of each image are drawn.
REGIONS = (
    *("--data.pipeline.train", "[64]", "--data.pipeline.test", "64"),
    *(
        "--model.network.regions.size",
        "32",
        "--model.network.sampler.size",
        "8",
        "--model.network.selection.limit",
        "4",
    ),
    *("--model.network.regions.backbone.weights", "null", "--model.network.regions.backbone.norm", "bn"),
)
SCENES = (
    *("--data.pipeline.train", "[96]", "--data.pipeline.test", "96"),
    *("--model.network.proposals.anchors.base", "1.5", "--model.network.proposals.train.smallest", "2"),
    *("--model.network.proposals.test.smallest", "2", "--model.network.pyramid.backbone.weights", "null"),
    *("--model.network.regions.head.backbone.weights", "null", "--model.network.regions.head.backbone.norm", "bn"),
)
NET = "lit_vision.models.backbones.resnet.resnet18"


def classified(folder, number, of):
    """Small classifiers of the twin's classes, and files of their weights."""
    torch.manual_seed(number)
    torch.save(Classifier(resnet.resnet18(), 3).state_dict(), folder / "classifier.pt")
    network = {
        "class_path": "lit_vision.models.classifier.Classifier",
        "init_args": {"num_classes": 3, "backbone": NET},
    }
    return (
        *("--protocol.classifiers", json.dumps([network] * number), "--protocol.by.scales", "[224]"),
        *("--protocol.weights", json.dumps([str(folder / "classifier.pt")] * number), of, "[64, 96]"),
    )


def result(folder):
    return json.loads((Path(folder) / "result.json").read_text())


def of_three_seeds():
    """The run, and two copies of it that say other seeds, as options."""
    for seed in (2, 3):
        shutil.copytree("run", f"run{seed}", ignore=shutil.ignore_patterns("stages", "tests"))
        content = result(f"run{seed}") | {"seed": seed}
        (Path(f"run{seed}") / "result.json").write_text(json.dumps(content))
    return ("--members", "run", "run2", "run3")


def steps(recipe, row, run="run"):
    """The losses of the first two steps are finite, and the first one is as pinned."""
    losses = first_two(Path(run))
    if "WRITE_LOSSES" in os.environ:
        LOSSES.setdefault(recipe, {})[row] = round(losses[0], 4)
        FILE.write_text(json.dumps(LOSSES, indent=1) + "\n")
    assert all(map(math.isfinite, losses))
    assert losses[0] == pytest.approx(LOSSES[recipe][row], rel=0.01), f"tests/golden/losses.json differs: {losses}"


def is_tested(recipe, row, found):
    """The result is the row's, in percent; what a server holds has no figure."""
    entry = recipes.read_card(recipe).row(row)
    assert (found["row"], found["split"], found["verdict"]) == (row, entry.split, "stand-in")
    value = found["figures"][entry.metric]
    assert value is None if entry.split == "server" else 0 <= value <= 100


def test_proposals_of_each_class(command, tmp_path):
    recipe = "resnet/localisation"
    root = ilsvrc.write(tmp_path / "twin")
    given = ("--config", recipe, "--data.root", root)
    command("fit", *given, "--row", "RPN, 1-crop", *CUT, *CROPS, "--run", "run")
    steps(recipe, "RPN, 1-crop")
    is_tested(recipe, "RPN, 1-crop", result("run"))
    command("test", *given, "--row", "RPN, dense", "--run", "run", "--protocol.sides", "[64, 96]")
    is_tested(recipe, "RPN, dense", result("run/tests/rpn-dense"))
    row = "RPN, dense, predicted class"
    command("test", *given, "--row", row, "--run", "run", *classified(tmp_path, 1, "--protocol.of.sides"))
    found = result("run/tests/rpn-dense-predicted-class")
    is_tested(recipe, row, found)
    # All three classes are among five guesses: what is not found is no matter of the classifier.
    assert found["figures"]["test/loc_error5"] == found["figures"]["test/loc_error_given"]
    assert result("run")["figures"].keys() >= {"test/loc_error_given"}


@pytest.mark.slow
def test_regions_of_each_class(command, tmp_path):
    recipe = "resnet/localisation_rcnn"
    root = ilsvrc.write(tmp_path / "twin")
    given = ("--config", recipe, "--data.root", root)
    command("fit", *given, "--row", "RPN+RCNN", *CUT, *REGIONS, "--run", "run")
    steps(recipe, "RPN+RCNN")
    assert [path.name for path in Path("run/stages").iterdir()] == ["rpn"]
    first, last = (torch.load(Path(at) / "checkpoints" / "last.ckpt")["state_dict"] for at in ("run/stages/rpn", "run"))
    kept = [name for name in last if name.startswith(("network.pyramid", "network.proposals"))]
    assert len(kept) > 100
    assert all(torch.equal(first[name], last[name]) for name in kept)
    row = "RPN+RCNN, dense, predicted class"
    small = ("--model.network.selection.limit", "4")
    options = classified(tmp_path, 1, "--protocol.of.sides")
    command("test", *given, "--row", row, "--run", "run", *options, *small)
    is_tested(recipe, row, result("run/tests/rpn-rcnn-dense-predicted-class"))
    options = classified(tmp_path, 2, "--protocol.of.of.sides")
    members = of_three_seeds()
    for row, folder in (("RPN+RCNN, ensemble", "three"), ("ours (ILSVRC'15), test", "server")):
        command("test", *given, "--row", row, *members, *options, *small, "--run", folder)
        is_tested(recipe, row, result(folder))
    # Three times the same network finds what it finds alone.
    assert result("three")["figures"] == result("run/tests/rpn-rcnn-dense-predicted-class")["figures"]
    lines = Path("server/CLS-LOC_test.txt").read_text().splitlines()
    # A network of two steps may be so sure that there is no object of a class that nothing of it is left.
    assert len(lines) == 2
    assert all({"7", "449", "450"} >= set(line.split()[::5]) > set() for line in lines)


@pytest.mark.slow
def test_detection(command, tmp_path):
    recipe = "resnet/imagenet_detection"
    root = ilsvrc.write(tmp_path / "twin", "DET")
    listed = (root / "ImageSets" / "DET" / "val.txt").read_text().splitlines(keepends=True)
    for name, lines in (("val1", listed[:2]), ("val2", listed[2:])):
        (tmp_path / f"{name}.txt").write_text("".join(lines))
    halves = (
        "--data.train",
        json.dumps(["train", str(tmp_path / "val1.txt")]),
        "--data.val",
        f'["{tmp_path}/val2.txt"]',
    )
    given = ("--config", recipe, "--data.root", root)
    command("fit", *given, "--row", "ResNet-101", *CUT, *SCENES, *halves, "--run", "run")
    steps(recipe, "ResNet-101")
    assert len(list(Path("run/stages").iterdir())) == 6
    small = ("--data.pipeline.test", "96", "--data.pipeline.cap", "200")
    for row, folder in (("ours single", "ours-single"), ("ours single, test", "ours-single-test")):
        sides = ("--protocol.of.of.sides", "[64, 96]", "--protocol.of.of.proposed_at", "96")
        command("test", *given, "--row", row, "--run", "run", *small, *sides)
        is_tested(recipe, row, result(f"run/tests/{folder}"))
    members = of_three_seeds()
    for row, folder in (("ours ensemble of 3", "three"), ("ours ensemble of 3, test", "server")):
        sides = ("--protocol.of.of.of.sides", "[64, 96]", "--protocol.of.of.of.proposed_at", "96")
        command("test", *given, "--row", row, *members, *small, *sides, "--run", folder)
        is_tested(recipe, row, result(folder))
    assert Path("server/DET_test.txt").is_file()
