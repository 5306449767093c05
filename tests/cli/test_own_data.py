"""The commands that the recipes for a user's own data name run as they stand, at the size that the recipe says."""

import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from lit_vision.experiment import recipes
from lit_vision.models.rpn import RPN
from tests.twins import coco, folders, voc

SHORT = ("--trainer.max_steps", "1", "--trainer.val_check_interval", "1", "--trainer.log_every_n_steps", "1")
HERE = (*SHORT, "--trainer.logger", "false", "--trainer.accelerator", "cpu", "--data.num_workers", "0", "--run", "run")


def commands(recipe):
    """The commands of a recipe's header."""
    text = recipes.find(recipe).read_text()
    return [shlex.split(line) for line in re.findall(r"^# lit-vision (.*)$", text, re.M)]


def run(command, words, **paths):
    command(*(paths.get(word, word) for word in words), *HERE)
    result = json.loads(Path("run/result.json").read_text())
    return result, yaml.safe_load(Path("run/config.yaml").read_text())


@pytest.mark.parametrize("number", [pytest.param(0, marks=pytest.mark.slow), 1])
def test_own_boxes(command, tmp_path, number):
    voc.folder(tmp_path / "own", {"train": 6, "val": 2, "test": 2})
    coco.write(tmp_path / "own", {"a": 6, "b": 2}, [(1, "bolt"), (13, "nut"), (90, "washer")])
    words = commands("quickstart/own_boxes")[number]
    files = iter(("annotations/instances_a.json", "annotations/instances_b.json"))
    words = [next(files) if word == "FILE" else word for word in words]
    result, config = run(command, words, DIR=tmp_path / "own")
    assert result["verdict"] == "stand-in"
    assert "test/ap50" in result["figures"]
    data = config["data"]["init_args"]
    assert data["pipeline"]["init_args"].items() >= {"train": [240], "test": 240, "cap": 400}.items()
    assert data["batch_size"] == 4
    assert config["data"]["class_path"].endswith(["VocFormat", "CocoFormat"][number])
    assert "dropped with its class" not in command.out


def scores(folder):
    return sorted(one["score"] for one in json.loads((folder / "detections_test.json").read_text()))


def test_own_regions(command, monkeypatch, tmp_path):
    """Four steps; the whole, whose proposals are its own, scores as the last step did those of the file."""
    precisions, detect = set(), RPN.detect

    def noted(network, images, sizes):
        precisions.add(torch.is_autocast_enabled(images.device.type))
        return detect(network, images, sizes)

    monkeypatch.setattr(RPN, "detect", noted)
    voc.folder(tmp_path / "own", {"train": 6, "val": 2, "test": 2})
    result, config = run(command, commands("quickstart/own_regions")[0], DIR=tmp_path / "own")
    assert (result["row"], result["verdict"], result["steps"]) == ("four steps", "stand-in", 4)
    stages = {stage: Path("run/stages") / stage for stage in ("rpn-1", "fast-2", "rpn-3", "fast-4")}
    steps = {stage: json.loads((path / "result.json").read_text())["steps"] for stage, path in stages.items()}
    assert steps == dict.fromkeys(stages, 1)
    assert precisions == {True}  # files are written with the precision of tests
    assert len(scores(Path("run"))) > 20
    np.testing.assert_allclose(scores(Path("run")), scores(stages["fast-4"]), atol=5e-3)
    assert config["data"]["init_args"]["pipeline"]["init_args"].items() >= {"train": [240], "test": 240}.items()
    command("test", "--config", "quickstart/own_regions", "--row", "flip", "--run", "run", "--trainer.logger", "false")
    tested = json.loads(Path("run/tests/flip/result.json").read_text())
    assert (tested["row"], tested["trained"]["row"]) == ("flip", "four steps")


@pytest.mark.parametrize("number", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_own_classes(command, tmp_path, number):
    folders.photographs(tmp_path / "own", splits={"train": 12, "val": 2, "test": 2} if number == 0 else {"": 13})
    words = commands("quickstart/own_classes")[number]
    result, config = run(command, words, DIR=tmp_path / "own")
    assert result["verdict"] == "stand-in"
    assert 0 <= result["figures"]["test/error"] <= 100
    assert config["data"]["init_args"]["pipeline"]["init_args"].items() >= {"crop": 112, "short_side": 128}.items()
