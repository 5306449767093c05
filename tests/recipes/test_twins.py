"""Each row trains on its data set's synthetic twin through the real command; the first losses are pinned.

A few rows of each family run by default, the others are `slow`.

WRITE_LOSSES=1 python -m pytest tests/recipes/test_twins.py -m "slow or not slow"      pins them anew
"""

import json
import math
import os
from pathlib import Path

import pytest

from lit_vision.experiment import recipes
from lit_vision.runs import folder as runs
from tests.cli.conftest import Command
from tests.twins import cifar, imagenet

FILE = Path(__file__).parents[1] / "golden" / "losses.json"
LOSSES = json.loads(FILE.read_text())

# The only place where a recipe is cut down to its twin's size.
CUT = (
    *("--data.batch_size", "2", "--data.eval_batch_size", "2", "--data.num_workers", "0", "--trainer.max_steps", "2"),
    *("--trainer.val_check_interval", "2", "--trainer.log_every_n_steps", "1", "--trainer.logger", "false"),
    *("--trainer.accelerator", "cpu"),
)
PHOTOS = (
    *("--data.pipeline.low", "36", "--data.pipeline.high", "48", "--data.pipeline.crop", "32"),
    *("--data.pipeline.short_side", "36"),
)

# The pinned loss comes before any update; after one at the paper's rate, on two images, 152 layers leave the numbers.
GENTLY = ("--model.optimizer.lr", "1e-4")

BY_DEFAULT = {
    "resnet/cifar10": ("resnet-20", "plain-20", "resnet-110", "resnet-20 on 45k"),
    "resnet/imagenet": ("plain-18", "resnet-34 C", "resnet-50 by plateau"),
}


def rows(recipe):
    """All rows of a recipe, those that do not run by default marked."""
    return [
        pytest.param(row, marks=() if row in BY_DEFAULT[recipe] else pytest.mark.slow)
        for row, entry in recipes.read_card(recipe).rows.items()
        if entry.trains
    ]


def losses(command, recipe, row, root, extra=()):
    command("fit", "--config", recipe, "--row", row, "--data.root", root, *extra, *CUT, "--run", "run")
    result = json.loads(Path("run/result.json").read_text())
    assert result["verdict"] == "stand-in"
    assert 0 <= result["figures"]["test/error"] <= 100
    return [line["train/loss"] for line in runs.read_metrics(Path("run/metrics.jsonl")) if "train/loss" in line]


def check(command, recipe, row, root, extra=()):
    got = losses(command, recipe, row, root, extra)
    if "WRITE_LOSSES" in os.environ:
        LOSSES.setdefault(recipe, {})[row] = round(got[0], 4)
        FILE.write_text(json.dumps(LOSSES, indent=1) + "\n")
    # The second loss follows one update on two images: it is finite, but no number to pin.
    assert math.isfinite(got[1])
    assert got[0] == pytest.approx(LOSSES[recipe][row], rel=0.01), f"tests/golden/losses.json has another loss: {got}"


@pytest.fixture
def command(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    return Command(capsys)


@pytest.mark.parametrize("row", rows("resnet/cifar10"))
def test_cifar(command, monkeypatch, tmp_path, row):
    cifar.install(monkeypatch, tmp_path / "twin")
    check(command, "resnet/cifar10", row, "twin")


@pytest.mark.parametrize("row", rows("resnet/imagenet"))
def test_imagenet(command, tmp_path, row):
    check(command, "resnet/imagenet", row, imagenet.class_folders(tmp_path / "twin"), (*PHOTOS, *GENTLY))
