"""Fully convolutional testing: views and averages by hand, and the crop's answer where there is one window only."""

import json
import math
from pathlib import Path

import pytest
import torch
from torch import nn
from torchvision.transforms import v2

from lit_vision import inference
from lit_vision.data.pipelines import decode
from lit_vision.errors import InputError
from lit_vision.models.backbones import resnet
from lit_vision.models.classifier import Classifier
from lit_vision.protocols.crops import CenterCrop
from lit_vision.protocols.dense import Dense
from lit_vision.protocols.ensemble import Mean
from tests.cli.conftest import Command
from tests.twins import folders, imagenet


def sizes_of(images):
    return torch.tensor([images.shape[-2:]] * len(images))


def classifier(classes=10):
    """A ResNet-20 whose head looks at windows of 4 x 4 cells, 16 pixels."""
    torch.manual_seed(0)
    net = Classifier(resnet.resnet20(), classes).eval()
    net.fc.window = 4
    nn.init.normal_(net.fc.weight, std=0.5)  # a fresh one is sure of nothing
    return net


class Positions(Classifier):
    """Two classes: the logit of the second is the red value of each pixel."""

    def __init__(self):
        super().__init__(resnet.resnet20(), 2)

    def dense(self, images, sizes=None):
        return torch.stack([torch.zeros_like(images[:, 0]), images[:, 0]], 1).float()


def chance(logit):
    return 1 / (1 + math.exp(-logit))


def test_what_is_averaged_by_hand():
    """Windows of one view first, then the views; the mirror image has the same windows."""
    images = torch.tensor([[[0, 1], [2, 3]]], dtype=torch.uint8).expand(1, 3, 2, 2)
    for flip in (False, True):
        found = Dense([2], flip).score(Positions(), images, sizes_of(images)).softmax(1)[0, 1].item()
        assert found == pytest.approx((0.5 + chance(1) + chance(2) + chance(3)) / 4, abs=1e-6)
    # The short side of 1: the mean of all pixels, one window. Each scale weighs the same, whatever its windows.
    both = Dense([1, 2], flip=False).score(Positions(), images, sizes_of(images)).softmax(1)[0, 1].item()
    small = v2.Resize(1, antialias=True)(images)[0, 0, 0, 0].item()
    assert both == pytest.approx((chance(small) + found) / 2, abs=1e-6)


def test_views_are_the_pipelines_resizing_and_its_mirror():
    images = torch.randint(0, 256, (2, 3, 30, 41), dtype=torch.uint8)
    views = list(Dense([20, 48]).views(images))
    assert [tuple(view.shape[-2:]) for view in views] == [(20, 27), (20, 27), (48, 65), (48, 65)]
    assert torch.equal(views[0], v2.Resize(20, antialias=True)(images))
    assert torch.equal(views[3], views[2].flip(3))
    assert len(list(Dense([20], flip=False).views(images))) == 1


def test_one_window_is_the_crop():
    """An image of the size that the head is trained on: dense, plain and centre crop are one."""
    net, images = classifier(), torch.randint(0, 256, (3, 3, 16, 16), dtype=torch.uint8)
    with torch.no_grad():
        found = Dense([16], flip=False).score(net, images, sizes_of(images)).softmax(1)
        wanted = CenterCrop(16).score(net, images, sizes_of(images)).softmax(1)
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=0)
    assert wanted.std() > 0.01


def test_no_image_depends_on_its_neighbours_or_their_padding():
    net, images = classifier(), torch.randint(0, 256, (2, 3, 24, 32), dtype=torch.uint8)
    sizes = torch.tensor([[24, 20], [18, 32]])
    with torch.no_grad():
        together = Dense([16, 20]).score(net, images, sizes)
        for index, (height, width) in enumerate(sizes.tolist()):
            alone = images[index : index + 1, :, :height, :width]
            torch.testing.assert_close(together[index : index + 1], Dense([16, 20]).score(net, alone, sizes_of(alone)))


def test_an_ensemble_looks_densely():
    nets, images = [classifier(), classifier()], torch.randint(0, 256, (2, 3, 20, 24), dtype=torch.uint8)
    nn.init.normal_(nets[1].fc.weight, std=0.5)
    protocol = Mean(Dense([16]))
    protocol.members.join(nets[1:])
    with torch.no_grad():
        found = protocol.score(nets[0], images, sizes_of(images)).softmax(1)
        each = [Dense([16]).score(net, images, sizes_of(images)).softmax(1) for net in nets]
    torch.testing.assert_close(found, (each[0] + each[1]) / 2)


@pytest.mark.parametrize("scales", [[], [0], [224, -1]])
def test_scales_are_pixels(scales):
    with pytest.raises(InputError, match=r"^protocol.scales is \["):
        Dense(scales)


def test_other_networks_are_refused():
    images = torch.zeros(1, 3, 8, 8, dtype=torch.uint8)
    with pytest.raises(InputError, match=r"^protocol: Dense looks by Classifier\.dense, which Identity does not have"):
        Dense([8]).score(nn.Identity(), images, sizes_of(images))


OPTIONS = (
    *("--data.num_workers", "0", "--data.batch_size", "4", "--data.eval_batch_size", "5", "--trainer.max_steps", "1"),
    *("--data.pipeline", "lit_vision.data.pipelines.photos.paper", "--data.pipeline.crop", "32"),
    *("--data.pipeline.low", "36", "--data.pipeline.high", "40", "--data.pipeline.short_side", "32"),
    *("--model.network.head", "lit_vision.models.heads.classes.GlobalAverage", "--model.network.head.window", "1"),
    *("--trainer.logger", "false", "--trainer.accelerator", "cpu"),
)
ROW = ("--config", "resnet/imagenet", "--row", "resnet-18")


def dense(scale):
    protocol = ("--protocol", "lit_vision.protocols.dense.Dense", "--protocol.scales", f"[{scale}]")
    return *protocol, "--protocol.flip", "false", "--data.pipeline.whole", "true"


def by_windows(net, image, scale):
    """Probabilities of an image, [K]: the mean of what the head says of each window, one after the other."""
    view = v2.Resize(scale, antialias=True)(image)[None]
    maps = net.backbone(net.normalise(view))[net.level]
    cells = [maps[:, :, i : i + 1, j : j + 1] for i in range(maps.shape[2]) for j in range(maps.shape[3])]
    return torch.stack([net.fc(cell).softmax(1)[0] for cell in cells]).mean(0)


def test_the_command_tests_whole_photographs(capsys, monkeypatch, tmp_path):
    """Photographs of twelve sizes, each scored as if it were alone; square ones of the crop's size as by a crop."""
    monkeypatch.chdir(tmp_path)
    command, root = Command(capsys), imagenet.class_folders(tmp_path / "twin", {"train": 3, "val": 3})
    command("fit", *ROW, *OPTIONS, "--data.root", root, "--run", "run")
    weights = ("--ckpt_path", "run/checkpoints/last.ckpt")
    command("test", *ROW, *OPTIONS, "--data.root", root, *dense(40), *weights, "--run", "dense")
    lines = [json.loads(line) for line in Path("dense/per_image.jsonl").read_text().splitlines()]
    assert [line["image"] for line in lines] == list(range(12))
    predictor = inference.load(weights[1])
    for line in lines:
        with torch.no_grad():
            found = by_windows(predictor.net, decode.read(root / "val" / line["name"]), 40)
        assert found[line["truth"]].item() == pytest.approx(line["truth_score"], abs=1e-4), line["name"]

    folders.small(root, imagenet.WNIDS, {"square": 2}, 32, "JPEG")
    square = ("--data.root", root, "--data.val", root / "square")
    losses = []
    for name, options in {"crop": (), "windows": dense(32)}.items():
        command("test", *ROW, *OPTIONS, *square, *options, *weights, "--run", name)
        losses.append(json.loads(Path(name, "result.json").read_text())["figures"]["test/loss"])
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


def test_a_file_predicts_by_the_protocol_that_it_was_trained_with(capsys, monkeypatch, tmp_path):
    """Whole images of several sizes go through `predict` together."""
    monkeypatch.chdir(tmp_path)
    root = imagenet.class_folders(tmp_path / "twin", {"train": 3, "val": 2})
    Command(capsys)("fit", *ROW, *OPTIONS, *dense(40), "--data.root", root, "--run", "run")
    predictor = inference.load("run/checkpoints/last.ckpt")
    files = sorted(root.glob("val/*/*"))
    for file, found in zip(files, predictor.predict(files, top=4), strict=True):
        with torch.no_grad():
            wanted = by_windows(predictor.net, decode.read(file), 40)
        assert found.scores == pytest.approx(wanted.sort(descending=True).values.tolist(), abs=1e-4)
