"""Rows of ResNet on ImageNet that test weights: each through the real command, on the twin, by its table's protocol."""

import json
from pathlib import Path

import pytest

from lit_vision.experiment import recipes
from tests.recipes.test_twins import CUT, PHOTOS
from tests.twins import imagenet

# What cuts a protocol down to the twin's 50 x 60 pixels; the training's own options are those of `test_twins`.
MEASURED = ("--protocol.images", "8", "--protocol.batch", "4")
TEN_CROP = ("--data.pipeline.test_crop", "36", "--protocol.of.size", "32")
DENSE = ("--protocol.of.scales", "[224, 256]")  # the least: a head of 7 x 7 cells
DEFAULT = ("plain-18 10-crop",)


def rows(ending):
    found = [
        name
        for name, row in recipes.read_card("resnet/imagenet").rows.items()
        if row.weights_of and row.analysis is None and name.endswith(ending)
    ]
    return [pytest.param(name, marks=() if name in DEFAULT else pytest.mark.slow) for name in found]


def result(folder):
    return json.loads((Path(folder) / "result.json").read_text())


def fit(command, row, *options, root=None):
    root = root or imagenet.class_folders(Path("twin"))
    given = ("--config", "resnet/imagenet", "--row", row, "--data.root", root)
    # Two images are no batch for the paper's rate: the losses of deep nets would leave the numbers.
    return command("fit", *given, *PHOTOS, *CUT, "--model.optimizer.lr", "1e-4", *options)


def is_told(command, found, row, images):
    """The result is of a copy of the network, whose statistics are of the training images, and of whole images."""
    told = f"BatchNorm statistics averaged over {images} training images in {images // 4} batches of 4"
    assert found["altered"] == told
    assert found["row"] == row
    assert found["verdict"] == "stand-in"
    assert 0 <= found["figures"]["test/error"] <= 100
    assert f"the network as tested: {told}" in command.out
    assert "val: 8 images evaluated, 0 skipped" in command.err


@pytest.mark.parametrize("row", rows(" 10-crop"))
def test_ten_crops_of_recomputed_statistics(command, row):
    fit(command, row, *MEASURED, *TEN_CROP, "--run", "run")
    own = result("run")
    assert own["altered"] == ""
    is_told(command, result(f"run/tests/{row.replace(' ', '-').lower()}"), row, 8)


@pytest.mark.parametrize("row", rows(" dense"))
def test_dense_tests_of_recomputed_statistics(command, row):
    fit(command, row, *MEASURED, *DENSE, "--run", "run")
    is_told(command, result(f"run/tests/{row.replace(' ', '-').lower()}"), row, 8)


@pytest.mark.slow
def test_the_ensemble_writes_the_server_s_file(command, tmp_path):
    """Six trainings of four architectures, two seeds of one; images without labels."""
    options = ("--protocol.of.images", "8", "--protocol.of.batch", "4", "--protocol.of.of.scales", "[224, 256]")
    fit(command, "ensemble", *options, root=imagenet.without_labels(tmp_path / "twin"))
    (folder,) = Path("runs/resnet/imagenet/ensemble").iterdir()
    found = result(folder)
    assert [(member["row"], member["seed"]) for member in found["members"]] == [
        *(("resnet-152", 1), ("resnet-152", 2), ("resnet-101", 1), ("resnet-50", 1)),
        *(("resnet-34 C", 1), ("resnet-34 B", 1)),
    ]
    assert (found["split"], found["value"]) == ("server", None)
    lines = (folder / "guesses_test.txt").read_text().splitlines()
    assert len(lines) == 6
    assert all(sorted(line.split()) == ["1", "2", "3", "4"] for line in lines)
