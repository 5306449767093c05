"""Rows of detection in the ResNet paper train and are tested on synthetic twins through the real command.

Each training is made once, whatever tests of its weights follow; its first losses are pinned.

WRITE_LOSSES=1 python -m pytest tests/recipes/test_resnet_detection_twins.py -m "slow or not slow"      pins them anew
"""

import json
import math
import os
import shutil
from pathlib import Path

import pytest

from lit_vision import cli
from lit_vision.experiment import compose, recipes
from lit_vision.runs import folder as runs
from tests.recipes.stage_losses import first_two
from tests.twins import coco, voc

FILE = Path(__file__).parents[1] / "golden" / "losses.json"
LOSSES = json.loads(FILE.read_text())
COCO, VOC = "resnet/coco_detection", "resnet/voc_detection"

# The only place where these recipes are cut down to their twin's size. A region costs the whole fifth stage.
CUT = (
    *("--data.batch_size", "2", "--data.eval_batch_size", "2", "--data.num_workers", "0", "--trainer.max_steps", "2"),
    *("--trainer.val_check_interval", "2", "--trainer.log_every_n_steps", "1", "--trainer.logger", "false"),
    *("--trainer.accelerator", "cpu", "--data.pipeline.train", "[64]", "--data.pipeline.test", "64"),
    *("--data.overlap", "ignore", "--model.network.proposals.anchors.base", "1"),
    *("--model.network.proposals.train.smallest", "2", "--model.network.proposals.test.smallest", "2"),
    *("--model.network.proposals.test.limit", "8", "--model.network.regions.sampler.size", "8"),
)
STAGES = ["boxes-1", "boxes-3", "fast-2", "fast-4", "rpn-1", "rpn-3"]
CARDS = {recipe: recipes.read_card(recipe) for recipe in (COCO, VOC)}


def rows(kind):
    """Rows that `trains`, or that test other rows' weights."""
    return [
        pytest.param(recipe, name, id=f"{recipe} {name}", marks=pytest.mark.slow)
        for recipe, card in CARDS.items()
        for name, row in card.rows.items()
        if kind(row)
    ]


def cut(recipe, row):
    """Options for what a row would download, and for its scales and widths."""
    options = {}
    for key, value in compose.flatten(recipes.resolve([recipe], row).config).items():
        name = key.rpartition(".")[2]
        if key.startswith("model.network.") and value == "IMAGENET1K_V1":
            options[key] = "null"
        elif key.startswith("model.network.") and name == "norm":
            options[key] = "bn"  # without downloads there are no statistics to freeze
        elif key == "model.network.regions.head.width":
            options[key] = "64"
        elif key.startswith("protocol.") and name in ("sides", "proposed_at"):
            options[key] = {"sides": "[32, 48, 64]", "proposed_at": "64"}[name]
    return [*CUT, *(word for key, value in options.items() for word in (f"--{key}", value))]


class Twins:
    """Both data sets, and what was trained on them so far, below one folder."""

    def __init__(self):
        self.roots = {"coco": coco.write_2014(Path("coco")), "voc": voc.write(Path("voc")) / "VOCdevkit"}
        coco.write_unlabelled(self.roots["coco"], "test-dev2015", "test2015", 2)
        year = self.roots["voc"] / "VOC2012"
        names = (year / "ImageSets" / "Main" / "val.txt").read_text().split()
        for name in names:
            shutil.copy(year / "JPEGImages" / f"{name}.jpg", year / "JPEGImages" / f"test{name}.jpg")
        (year / "ImageSets" / "Main" / "test.txt").write_text("".join(f"test{name}\n" for name in names))

    def run(self, verb, recipe, row, *options):
        """The command on the twin, from the folder of all runs."""
        root = self.roots["voc" if "voc" in recipe else "coco"]
        words = [verb, "--config", recipe, "--row", row, "--data.root", root, *cut(recipe, row), *options]
        assert cli.main([str(word) for word in words]) == 0

    def trained(self, recipe, row, seed=1):
        """The folder of a training, which lies where `lit-vision` would look for it."""
        number = list(recipes.read_card(recipe).rows).index(row)  # 07+12 and 07++12 share a slug
        folder = Path("runs") / recipe / runs.slug(row) / f"{number}-{seed}"
        if not (folder / "result.json").is_file():
            if origin := recipes.read_card(recipe).rows[row].starts_from:
                self.trained(*origin.split(": "))
            self.run("fit", recipe, row, "--seed_everything", seed, "--run", folder)
            for file in folder.glob("stages/*/checkpoints/*"):  # gigabytes, and only the last stage is tested
                file.unlink()
        return folder


@pytest.fixture(scope="module")
def twins(tmp_path_factory):
    before, home = Path.cwd(), tmp_path_factory.mktemp("resnet_detection")
    os.chdir(home)
    yield Twins()
    os.chdir(before)


def result(folder):
    return json.loads((folder / "result.json").read_text())


def is_judged(found, recipe, row):
    """The row's own figure is there, but where a server holds the objects."""
    entry = CARDS[recipe].row(row)
    assert (found["row"], found["split"], found["verdict"]) == (row, entry.split, "stand-in")
    figure = found["figures"][entry.metric]
    assert figure is None if entry.split in ("server", "test-dev") else 0 <= figure <= 100


@pytest.mark.parametrize(("recipe", "row"), rows(lambda row: row.trains))
def test_first_losses(twins, recipe, row):
    folder = twins.trained(recipe, row)
    is_judged(result(folder), recipe, row)
    assert sorted(path.name for path in folder.glob("stages/*")) == STAGES
    losses = first_two(folder)
    if "WRITE_LOSSES" in os.environ:
        LOSSES.setdefault(recipe, {})[row] = round(losses[0], 4)
        FILE.write_text(json.dumps(LOSSES, indent=1) + "\n")
    assert math.isfinite(losses[1])
    assert losses[0] == pytest.approx(LOSSES[recipe][row], rel=0.01), f"tests/golden/losses.json differs: {losses}"


@pytest.mark.parametrize(("recipe", "row"), rows(lambda row: row.weights_of))
def test_tests_of_trained_weights(twins, recipe, row):
    theirs, parent = CARDS[recipe].rows[row].parent
    folder = twins.trained(theirs or recipe, parent)
    twins.run("test", recipe, row, "--run", folder)
    found = result(folder / "tests" / runs.slug(row))
    is_judged(found, recipe, row)
    assert (found["trained"]["row"], found["trained"]["recipe"]) == (parent, theirs or recipe)


@pytest.mark.slow
def test_the_ensemble_of_three_seeds(twins, tmp_path):
    folders = [twins.trained(COCO, "context, trainval", seed) for seed in (1, 2, 3)]
    twins.run("test", COCO, "ensemble", "--members", *folders, "--run", tmp_path / "run")
    found = result(tmp_path / "run")
    is_judged(found, COCO, "ensemble")
    assert [(member["row"], member["seed"]) for member in found["members"]] == [
        ("context, trainval", seed) for seed in (1, 2, 3)
    ]


@pytest.mark.slow
def test_baseline_plus_plus_plus_knows_where_it_started(twins):
    folder = twins.trained(VOC, "COCO+07+12")
    origin = twins.trained(COCO, "context, trainval")
    for stage in (folder, folder / "stages" / "rpn-1", folder / "stages" / "fast-2"):
        assert json.loads((stage / "run.json").read_text())["starts_from"] == str(origin)
        theirs, ours = result(origin)["changed"], result(stage)["changed"]
        assert theirs.keys() <= ours.keys()
        assert "model.network.regions.head.backbone.weights" in ours  # which the origin alone has changed
