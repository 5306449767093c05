"""Each row trains on its data set's synthetic twin through the real command; the first losses are pinned.

A few rows of each family run by default, the others are `slow`.

WRITE_LOSSES=1 python -m pytest tests/recipes/test_twins.py -m "slow or not slow"      pins them anew
"""

import json
from pathlib import Path

import pytest

from lit_vision.experiment import recipes
from lit_vision.runs import folder as runs
from tests.recipes import pins
from tests.twins import cifar, imagenet

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

# Maps of the rectifier networks have to hold the bins of their SPP: 6 cells for the small nets, 7 for the large ones.
# Narrow fully connected layers, for those of the paper are 73 to 252 million parameters.
# Ten views of every image are most of the time: the test is by them, and nothing is validated before.
SCHEDULE = ("--model.schedule.interval", "3", "--trainer.val_check_interval", "3")
SMALL = (
    *("--data.pipeline.low", "90", "--data.pipeline.high", "90", "--data.pipeline.crop", "80"),
    *("--data.pipeline.short_side", "90", "--data.pipeline.test_crop", "90", "--protocol.size", "80"),
    *("--model.network.head.width", "1024", *SCHEDULE),
)
LARGE = (
    *("--data.pipeline.low", "120", "--data.pipeline.high", "140", "--data.pipeline.crop", "112"),
    *("--data.pipeline.short_side", "120", "--data.pipeline.test_crop", "120", "--protocol.size", "112"),
    *("--model.network.head.width", "512", "--model.network.head.window", "7", *SCHEDULE),
)
RECTIFIERS = {"rectifiers/small": SMALL, "rectifiers/large": LARGE}

# The pinned loss is the first, before any update; after one at the paper's rate on two images the loss of 152 layers is
# no number.
GENTLY = ("--model.optimizer.lr", "1e-4")

CIFAR = {"resnet/cifar10": ("resnet-20", "plain-20", "resnet-110", "resnet-20 on 45k")}
IMAGENET = {"resnet/imagenet": ("plain-18", "resnet-34 C", "resnet-50 by plateau")}
OF_RECTIFIERS = {
    "rectifiers/small": ("PReLU, channel-wise", "14 layers, Xavier"),
    "rectifiers/large": (),  # a minute each
}
TESTED = {"rectifiers/small": ("slopes, channel-wise",), "rectifiers/large": ()}


def losses(command, recipe, row, root, extra=()):
    command("fit", "--config", recipe, "--row", row, "--data.root", root, *CUT, *extra, "--run", "run")
    result = json.loads(Path("run/result.json").read_text())
    assert result["verdict"] == "stand-in"
    assert 0 <= result["figures"]["test/error"] <= 100
    return [line["train/loss"] for line in runs.read_metrics(Path("run/metrics.jsonl")) if "train/loss" in line]


def check(command, recipe, row, root, extra=()):
    pins.compare(recipe, row, losses(command, recipe, row, root, extra))


@pytest.mark.parametrize(("recipe", "row"), pins.rows(CIFAR))
def test_cifar(command, monkeypatch, tmp_path, recipe, row):
    cifar.install(monkeypatch, tmp_path / "twin")
    check(command, recipe, row, "twin")


@pytest.mark.parametrize(("recipe", "row"), pins.rows(IMAGENET))
def test_imagenet(command, tmp_path, recipe, row):
    check(command, recipe, row, imagenet.class_folders(tmp_path / "twin"), (*PHOTOS, *GENTLY))


def rectifier_twin(tmp_path):
    return imagenet.class_folders(tmp_path / "twin", {"train": 2, "val": 1})


@pytest.mark.parametrize(("recipe", "row"), pins.rows(OF_RECTIFIERS))
def test_rectifiers(command, tmp_path, recipe, row):
    check(command, recipe, row, rectifier_twin(tmp_path), RECTIFIERS[recipe])


@pytest.mark.parametrize(("recipe", "row"), pins.rows(TESTED, lambda entry: entry.weights_of))
def test_rectifiers_by_another_look(command, tmp_path, recipe, row):
    """Dense testing at the row's number of scales, and learned slopes, of a training of two steps."""
    entry, root = recipes.read_card(recipe).rows[row], rectifier_twin(tmp_path)
    losses(command, recipe, entry.weights_of, root, RECTIFIERS[recipe])
    scales = () if entry.analysis else ("--protocol.scales", str([112, 128, 144][: len(dense_scales(entry))]))
    command("test", "--config", recipe, "--row", row, "--run", "run", *scales)
    (file,) = Path("run").glob("*/*/result.json")
    result = json.loads(file.read_text())
    printed = set(entry.also) - {"test/error5"}  # the twin has four classes
    assert printed | {result["metric"]} <= set(result["figures"])
    assert all(value is not None and value >= 0 for value in result["figures"].values())


def dense_scales(entry):
    return entry.set["protocol"]["init_args"]["scales"]
