"""Localisation and recall of proposals from a user's own recipe, through the real command."""

import json
import pickle
import re
from pathlib import Path

import numpy as np
import pytest
import yaml

from tests.twins import ilsvrc, voc

LEVEL = {
    "class_path": "lit_vision.models.backbones.one_level.OneLevel",
    "init_args": {"backbone": {"class_path": "lit_vision.models.backbones.resnet.resnet18"}, "level": 4},
}
SMALL = {
    "class_path": "lit_vision.data.pipelines.scenes.short_side",
    "init_args": {"train": [64], "test": 64, "cap": 128},
}


def recipe(name, rows, network, metric, data, root):
    """A recipe of one step."""
    content = {
        "card": {"title": name, "rows": rows},
        "seed_everything": 1,
        "trainer": {"max_steps": 1, "log_every_n_steps": 1, "accelerator": "cpu", "logger": False},
        "model": {
            "class_path": "lit_vision.tasks.detection.Detection",
            "init_args": {
                "network": {"class_path": network, "init_args": {"pyramid": LEVEL}},
                "optimizer": {"class_path": "torch.optim.SGD", "init_args": {"lr": 1e-3}},
                "metrics": [{"class_path": metric}],
            },
        },
        "data": {"class_path": data, "init_args": {"root": str(root), "batch_size": 2, "pipeline": SMALL}},
    }
    Path(f"{name}.yaml").write_text(yaml.safe_dump(content))
    return f"{name}.yaml"


def test_a_localiser_is_trained_tested_and_sends_its_file(command, tmp_path):
    ilsvrc.write(tmp_path / "ilsvrc")
    path = recipe(
        "localisation",
        {"all": {"claim": "it runs", "metric": "test/loc_error5", "default": True}},
        "lit_vision.models.localiser.Localiser",
        "lit_vision.metrics.localisation.LocalisationError",
        "lit_vision.data.ilsvrc.ImageNetLocalisation",
        tmp_path / "ilsvrc",
    )
    command("fit", "--config", path, "--run", "run")
    figures = json.loads(Path("run/result.json").read_text())["figures"]
    assert {name for name in figures if name.startswith("test/")} == {
        *("test/loc_error", "test/loc_error5", "test/loc_error_given")
    }
    # Of three classes all are guessed: whether five guesses find the object is a matter of its own class's box.
    assert figures["test/loc_error5"] == figures["test/loc_error_given"] <= figures["test/loc_error"]
    lines = Path("run/CLS-LOC_test.txt").read_text().splitlines()
    assert [sorted(line.split()[::5], key=int) for line in lines] == [["7", "449", "450"]] * 4


@pytest.fixture
def regions(tmp_path):
    """The objects of the twin's test images as Detectron's file, and a box beside them as another."""
    root = voc.write(tmp_path) / "VOCdevkit"
    stems = (root / "VOC2007" / "ImageSets" / "Main" / "test.txt").read_text().split()
    # The twin's boxes count from 1, these from 0.
    boxes = np.array([[2, 4, 21, 29], [22, 24, 41, 49]], np.float32)
    for name, found in (("right", boxes), ("wrong", boxes[:1] + 30)):
        content = {
            "ids": [int(stem) for stem in stems],
            "boxes": [found] * len(stems),
            "scores": [[1.0] * len(found)] * 3,
        }
        Path(f"{name}.pkl").write_bytes(pickle.dumps(content, 2))
    return root


def test_recall_of_a_run_and_of_files_is_a_row(command, regions):
    files = {"right": "right.pkl", "wrong": "wrong.pkl"}
    analysis = {
        "class_path": "lit_vision.analyses.recall.Recall",
        "init_args": {"proposals": [1, 300], "files": files},
    }
    metric = "analysis/proposal_ar300"
    rows = {
        "all": {"claim": "it runs", "metric": "test/proposal_ar300", "default": True},
        "curve": {"claim": "it draws", "weights_of": "all", "metric": metric, "analysis": analysis},
    }
    network, recall = "lit_vision.models.rpn.RPN", "lit_vision.metrics.recall.ProposalRecall"
    path = recipe("recall", rows, network, recall, "lit_vision.data.voc.VOC", regions)
    command("fit", "--config", path, "--run", "run")
    told = command("test", "--config", path, "--row", "curve", "--run", "run")
    assert re.search(rf"\n{metric}/right +- +100 *\n", told)
    assert re.search(rf"\n{metric}/wrong +- +0 *\n", told)
    figures = json.loads(Path("run/analyses/curve/result.json").read_text())["figures"]
    assert figures[f"{metric}/right"] == 100
    assert figures[f"{metric}/wrong"] == 0
    with np.load("run/analyses/curve/arrays.npz") as arrays:
        assert set(arrays) == {"iou", *(f"{source} {count}" for source in ("network", *files) for count in (1, 300))}
        assert arrays["right 300"].tolist() == [100] * 11
    assert Path("run/analyses/curve/plot.png").stat().st_size > 1000
