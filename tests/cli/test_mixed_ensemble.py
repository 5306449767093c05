"""An ensemble whose members differ in architecture and in what normalises their images, through the real command."""

import json
from pathlib import Path

import pytest
import torch
import yaml

from lit_vision import inference
from lit_vision.data.digits import Digits
from lit_vision.experiment import recipes
from lit_vision.models import batch_statistics
from lit_vision.ops import probability

SHORT = ("--trainer.max_steps", "8", "--trainer.val_check_interval", "8", "--trainer.logger", "false")
PIXEL = {
    "class_path": "lit_vision.data.pipelines.small.SmallImages",
    "init_args": {"pad": 1, "flip": False, "size": 8, "fill": "black", "mean": "pixel", "std": None},
}
RECOMPUTED = {
    "class_path": "lit_vision.protocols.recomputed.Recomputed",
    "init_args": {"images": 256, "batch": 64},
}


@pytest.fixture
def mixed(tmp_path):
    """A recipe of two trainings, a plain and a residual net, the second with the mean image; and of both together."""
    content = yaml.safe_load(recipes.find("quickstart/digits").read_text())
    plain = {"model.network.backbone": "lit_vision.models.backbones.resnet.plain32", "data.pipeline": PIXEL}
    members = [{"row": "residual"}, {"row": "plain"}]

    def joint(of):
        arguments = {"init_args": {"of": of}} if of else {}
        return {"protocol": {"class_path": "lit_vision.protocols.ensemble.Mean", **arguments}}

    content["card"]["rows"] = {
        "residual": {"default": True, "claim": "one"},
        "plain": {"claim": "another", "set": plain},
        "both": {"claim": "both", "members": members, "set": joint(None)},
        "both recomputed": {"claim": "both", "members": members, "set": joint(RECOMPUTED)},
    }
    file = tmp_path / "mixed.yaml"
    file.write_text(yaml.safe_dump(content))
    return file


def result(row):
    (folder,) = Path("runs/mixed", row).iterdir()
    return json.loads((folder / "result.json").read_text())


def networks():
    return [
        inference.load(next(Path("runs/mixed", row).glob("*/checkpoints/last.ckpt"))).net
        for row in ("residual", "plain")
    ]


def error(nets, split):
    with torch.inference_mode():
        scores = probability.mean([net(split.images) for net in nets])
    return (scores.argmax(1) != split.labels).double().mean().item() * 100


def test_members_of_two_architectures_each_with_its_own_mean(command, mixed):
    command("fit", "--config", mixed, *SHORT, "--row", "both")
    found = result("both")
    assert [(member["row"], member["steps"]) for member in found["members"]] == [("residual", 8), ("plain", 8)]
    nets = networks()
    assert [sum(value.numel() for value in net.parameters()) for net in nets] == [269_722, 464_154]
    assert [list(net.normalise.mean.shape) for net in nets] == [[3, 1, 1], [3, 8, 8]]
    data = Digits()
    data.setup()
    assert found["figures"]["test/error"] == pytest.approx(error(nets, data.splits["test"]))
    assert error(nets[:1], data.splits["test"]) != pytest.approx(error(nets, data.splits["test"]))

    command("test", "--config", mixed, "--row", "both recomputed")  # found below runs/
    again = result("both-recomputed")
    assert again["altered"] == "BatchNorm statistics averaged over 256 training images in 4 batches of 64"
    for net in nets:
        images = list(data.training_images(net, 256, 64))
        batch_statistics.use(net, batch_statistics.average([batch_statistics.measure(net, one) for one in images]))
    assert again["figures"]["test/error"] == pytest.approx(error(nets, data.splits["test"]))
