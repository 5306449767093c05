"""Public weights by one command: what a file gives here is what its own network gives, or the command says why not."""

import hashlib
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from lit_vision.experiment import recipes
from tests.models.weights.test_classifiers import MEAN, STD, PublicNet, by_hand, trained
from tests.twins import cifar

ROOT = Path(__file__).parents[2]
OFF = ("--trainer.logger", "false", "--trainer.accelerator", "cpu", "--data.eval_batch_size", "4")


@pytest.fixture
def public(monkeypatch, tmp_path):
    """A file in the public layout beside CIFAR-10's twin, and its error on the twin by hand, in percent."""
    cifar.install(monkeypatch, tmp_path / "twin")
    torch.manual_seed(3)
    pixels, labels = cifar.images("cifar10", "test", cifar.PER_CLASS["test"])
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2)
    net = trained(PublicNet(), by_hand(images))
    torch.save({"state_dict": {f"module.{key}": value for key, value in net.state_dict().items()}}, tmp_path / "net.th")
    with torch.no_grad():
        wrong = net(by_hand(images)).argmax(1).numpy() != np.array(labels)
    return 100 * wrong.mean()


def test_one_command_scores_a_file(command, public, only_run):
    row = ("--config", "verify/cifar10", "--row", "resnet-20", "--data.root", "twin")
    command("test", *row, "--model.network.weights", "net.th", *OFF)
    _, result = only_run()
    assert result["figures"]["test/error"] == pytest.approx(public)
    assert 0 < public < 100


def test_the_named_file_is_judged_wherever_it_lies(command, public, only_run, tmp_path):
    """The name ends in digits of the content's hash: a path to that very file changes nothing of the experiment."""
    content = (tmp_path / "net.th").read_bytes()
    named = f"net-{hashlib.sha256(content).hexdigest()[:8]}.th"
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "copy.th").write_bytes(content)
    (tmp_path / "mine.yaml").write_text(
        recipes.find("verify/cifar10").read_text().replace("resnet20-12fca82f.th", named)
    )
    given = ("--config", "mine.yaml", "--row", "resnet-20", "--data.root", "twin", "--model.network.weights")
    assert recipes.resolve(["mine.yaml"], "resnet-20", [("model.network.weights", "net.th")]).changed == []
    command("test", *given, "elsewhere/copy.th", *OFF)
    _, result = only_run()
    assert "model.network.weights" not in result["changed"]
    (tmp_path / "elsewhere" / "other.th").write_bytes(content + b"x")
    assert recipes.resolve(["mine.yaml"], "resnet-20", [("model.network.weights", "elsewhere/other.th")]).changed == [
        "model.network.weights"
    ]


def test_a_row_names_the_file_that_it_is_for(command, public):
    told = command.error("test", "--config", "verify/cifar10", "--row", "resnet-20", "--data.root", "twin", *OFF)
    assert "weights: no file 'resnet20-12fca82f.th'; give a path" in told


def test_the_paper_s_recipe_refuses_such_a_file(command, public):
    wrong = ("test", "--config", "resnet/cifar10", "--row", "resnet-20", "--data.root", "twin", *OFF)
    told = command.error(*wrong, "--model.network.weights", "net.th")
    assert "(the public CIFAR layout) needs pad: both, but the network has end" in told
    told = command.error(*wrong, "--model.network.weights", "net.th", "--model.network.backbone.pad", "both")
    assert "was trained with mean (0.485, 0.456, 0.406) and std (0.229, 0.224, 0.225)" in told


def test_the_recipe_prepares_images_as_the_files_want_it():
    pipeline = recipes.resolve(["verify/cifar10"], "resnet-56").config["data"]["init_args"]["pipeline"]["init_args"]
    assert (tuple(pipeline["mean"]), tuple(pipeline["std"])) == (MEAN, STD)


def test_a_normalisation_given_by_option_is_used_and_counts_as_a_change(command, public, only_run):
    given = ("--model.network.normalise", "lit_vision.models.normalise.Normalise")
    files = ("--data.root", "twin", "--model.network.weights", "net.th", "--model.network.backbone.pad", "both")
    command("test", "--config", "resnet/cifar10", "--row", "resnet-20", *files, *given, *OFF)
    _, result = only_run()
    assert result["figures"]["test/error"] == pytest.approx(public)
    assert any(key.startswith("model.network.normalise") for key in result["changed"])


def test_the_page_s_commands_are_those_of_the_recipes():
    commands = re.findall(
        r"^lit-vision (\w+) --config (\S+) --row (\S+)", (ROOT / "docs/public-weights.md").read_text(), re.M
    )
    assert len(commands) >= 3
    for _, recipe, row in commands:
        recipes.read_card(recipe).row(row.strip('"'), recipe)
