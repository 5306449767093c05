import math
import re

import pytest
import torch
import yaml
from jsonargparse import ArgumentParser

from lit_vision.errors import InputError
from lit_vision.models.backbones import resnet
from lit_vision.models.detector import Detector
from lit_vision.models.losses import FocalLoss, FocalStarLoss, HingeLoss
from lit_vision.models.objective import DenseObjective
from lit_vision.models.pyramid import Pyramid
from lit_vision.models.retinanet import RetinaNet
from lit_vision.ops.anchor import Anchors
from lit_vision.ops.matching import IGNORED, Matcher
from lit_vision.types import Batch, Predictions
from tests.parity.reference import target


def plain(**options):
    """An objective whose classification loss is the cross-entropy."""
    return DenseObjective(class_loss=FocalLoss(gamma=0, alpha=None), **options)


def parameters(net):
    return sum(p.numel() for p in net.parameters())


def retinanet(classes=3, **options):
    torch.manual_seed(0)
    return RetinaNet(Pyramid(resnet.resnet18(), range(3, 8), channels=16, top="conv"), classes, **options)


def test_parameters_are_torchvision_s():
    # retinanet_resnet50_fpn: 34,014,999 with 91 outputs; frozen norm layers have none, frozen stages count
    backbone = resnet.resnet50(stride_on="3x3", norm="frozen", frozen_levels=(1, 2))
    net = RetinaNet(Pyramid(backbone, range(3, 8), top="conv", top_input="P5"), 91)
    assert parameters(net) == 34_014_999


def test_parameters_of_the_paper_s_options():
    # 80 classes instead of 91 and P6 on C5: 11 x 9 class outputs less, 1792 input channels more
    backbone = resnet.resnet50(norm="frozen")
    net = RetinaNet(Pyramid(backbone, range(3, 8), top="conv"), 80)
    assert parameters(net) == 34_014_999 - 11 * 9 * (256 * 9 + 1) + (2048 - 256) * 9 * 256


def test_initial_loss():
    # Fact sheet A.4: 1.13 of each positive and 6.0 / N_pos of 100,000 negatives with 80 classes
    net = retinanet(80)
    anchors = 100_000
    prior = -math.log(99)
    predictions = Predictions(
        torch.full((1, anchors, 80), prior),
        torch.zeros(1, anchors, 4),
        torch.tensor([[0.0, 0, 32, 32]]).repeat(anchors, 1) + torch.arange(anchors)[:, None] * 40,
        (anchors,),
    )
    losses = net.objective(predictions, [target(predictions.anchors[[5, 900]], torch.tensor([3, 4]))])
    assert losses["cls"].item() == pytest.approx(1.13 + 6.0 / 2, abs=0.03)
    assert losses["box"].item() == 0


def predictions(logits, deltas=None):
    """Four anchors of 10 pixels, side by side."""
    logits = torch.tensor(logits)
    anchors = torch.tensor([[x, 0.0, x + 10, 10] for x in (0, 10, 20, 30)])
    return Predictions(logits, torch.zeros(*logits.shape[:2], 4) if deltas is None else deltas, anchors, (4,))


def test_loss_by_hand():
    net = retinanet(1, objective=plain(box_beta=0.0))
    # Object on anchor 0 (overlap 1); anchor 1 overlaps the second object by 0.45: ignored once not forced
    boxes = torch.tensor([[0.0, 0, 10, 10]])
    deltas = torch.zeros(1, 4, 4)
    deltas[0, 0] = torch.tensor([0.5, 0, 0, -0.25])
    losses = net.objective(predictions([[[0.0], [0.0], [0.0], [0.0]]], deltas), [target(boxes, torch.tensor([0]))])
    assert losses["cls"].item() == pytest.approx(4 * math.log(2))
    assert losses["box"].item() == pytest.approx(0.75)


def test_ignored_anchors_have_no_loss():
    net = retinanet(1, objective=plain())
    boxes = torch.tensor([[0.0, 0, 10, 10], [10, 0, 20, 9], [30, 0, 34.5, 10]])  # overlaps 1, 0.9, 0.45
    anchors = predictions([[[0.0]] * 4]).anchors
    matched = net.objective.matcher(boxes, torch.cat([anchors, torch.tensor([[30.0, 0, 34.5, 10], [0, 0, 4.5, 10]])]))
    assert matched.tolist() == [0, 1, -1, IGNORED, 2, IGNORED]
    extended = predictions([[[0.0], [0.0], [0.0], [50.0], [0.0], [50.0]]])
    extended = extended._replace(anchors=torch.cat([anchors, boxes[2:], torch.tensor([[0.0, 0, 4.5, 10]])]))
    losses = net.objective(extended, [target(boxes, torch.zeros(3, dtype=torch.int64))])
    assert losses["cls"].item() == pytest.approx(4 * math.log(2) / 3)


def test_each_image_is_divided_by_its_own_objects():
    # Image one has one object on one anchor, image two has objects on all four
    logits = [[[0.0]] * 4] * 2
    targets = [
        target(predictions(logits).anchors[:1], torch.tensor([0])),
        target(predictions(logits).anchors, torch.zeros(4, dtype=torch.int64)),
    ]
    each = 4 * math.log(2)
    by_image = plain()(predictions(logits), targets)["cls"].item()
    assert by_image == pytest.approx((each / 1 + each / 4) / 2)


def test_detect_by_hand():
    net = retinanet(2).eval()
    logits = torch.full((1, 4, 2), -9.0)
    logits[0, 0, 1], logits[0, 3, 0], logits[0, 2, 1] = 2.0, 3.0, -2.95  # the last is just below 0.05
    deltas = torch.zeros(1, 4, 4)
    deltas[0, 3, 0] = 0.8
    net._predict = lambda features, image_size: predictions(logits.tolist(), deltas)
    (found,) = net.detect(torch.zeros(1, 3, 32, 64, dtype=torch.uint8), torch.tensor([[8, 44]]))
    assert found.labels.tolist() == [0, 1]
    assert found.scores.tolist() == pytest.approx([1 / (1 + math.exp(-3)), 1 / (1 + math.exp(-2))])
    assert found.boxes.tolist() == [[38, 0, 44, 8], [0, 0, 10, 8]]  # shifted by 8, cut off at 8 x 44


@pytest.mark.parametrize("size", [(128, 160), (96, 96)])
def test_predict_has_an_answer_for_every_anchor(size):
    net = retinanet(5, anchors=Anchors(scales=2))
    found = net.predict(torch.zeros(1, 3, *size, dtype=torch.uint8), torch.tensor([size]))
    assert found.logits.shape == (1, len(found.anchors), 5)
    assert found.deltas.shape == (1, len(found.anchors), 4)
    assert sum(found.counts) == len(found.anchors)
    assert len(found.counts) == 5


def test_learns_a_square():
    torch.manual_seed(0)
    net = RetinaNet(Pyramid(resnet.resnet18(norm="gn"), range(3, 8), channels=32, top="conv"), 2)
    images = torch.zeros(1, 3, 64, 64, dtype=torch.uint8)
    images[:, 0, 16:48, 16:48] = 255
    batch = Batch(images, torch.tensor([[64, 64]]), [target(torch.tensor([[16.0, 16, 48, 48]]), torch.tensor([1]))])
    optimiser = torch.optim.Adam(net.parameters(), 1e-3)
    for _ in range(60):
        optimiser.zero_grad()
        sum(net.loss(batch).values()).backward()
        optimiser.step()
    (found,) = net.detect(batch.images, batch.sizes)
    assert found.labels[0] == 1
    assert found.scores[0] > 0.5
    torch.testing.assert_close(found.boxes[:1], batch.targets[0].boxes, rtol=0, atol=4)


def test_a_recipe_builds_it():
    recipe = {
        "class_path": "lit_vision.models.retinanet.RetinaNet",
        "init_args": {
            "num_classes": 3,
            "pyramid": {
                "class_path": "lit_vision.models.pyramid.Pyramid",
                "init_args": {
                    "backbone": {
                        "class_path": "lit_vision.models.backbones.resnet.resnet18",
                        "init_args": {"norm": "bn", "weights": None},
                    },
                    "levels": [3, 4, 5, 6, 7],
                    "top": "conv",
                },
            },
            "objective": {
                "class_path": "lit_vision.models.objective.DenseObjective",
                "init_args": {
                    "matcher": {"low": 0.4, "high": 0.5, "keep_best": "from_low"},
                    "class_loss": {
                        "class_path": "lit_vision.models.losses.FocalLoss",
                        "init_args": {"gamma": 2, "alpha": 0.25},
                    },
                },
            },
            "anchors": {"scales": 3},
        },
    }
    parser = ArgumentParser()
    parser.add_argument("--config", action="config")
    parser.add_argument("--detector", type=Detector)
    overrides = {
        "objective.class_loss.gamma": 0.5,
        "pyramid.backbone.norm": "gn",
        "anchors.scales": 2,
        "selection.limit": 300,
        "objective.matcher.low": 0.3,
    }
    parsed = parser.parse_args(
        ["--config", yaml.safe_dump({"detector": recipe})]
        + [f"--detector.{key}={value}" for key, value in overrides.items()]
    )
    net = parser.instantiate_classes(parsed).detector
    assert isinstance(net, RetinaNet)
    assert repr(net.objective.class_loss) == "FocalLoss(gamma=0.5, alpha=0.25)"
    assert net.anchors.per_location == 6
    assert (net.selection.limit, net.selection.nms) == (300, 0.5)
    assert net.objective.matcher == Matcher(0.3, 0.5, "from_low")
    assert isinstance(net.pyramid.backbone.stem.norm, torch.nn.GroupNorm)


@pytest.mark.parametrize(("gamma", "alpha"), [(-1, 0.25), (2, 1.5)])
def test_bad_loss_is_told(gamma, alpha):
    told = rf"loss: needs gamma >= 0 and alpha in 0\.\.1 or null, got gamma {gamma} and alpha {alpha}"
    with pytest.raises(ValueError, match=told):
        FocalLoss(gamma, alpha)


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: FocalStarLoss(0, 1), "loss: needs gamma > 0 and alpha in 0..1 or null, got gamma 0 and alpha 0.25"),
        (lambda: FocalStarLoss(2, 1, -1), "got gamma 2 and alpha -1"),
        (lambda: HingeLoss(0), "loss: needs a probability above 0 from which it is zero, got above 0"),
        (lambda: HingeLoss(1.5), "got above 1.5"),
    ],
)
def test_bad_options_of_the_other_losses_are_told(make, told):
    with pytest.raises(InputError, match=re.escape(told)):
        make()


@pytest.mark.parametrize("loss", [FocalStarLoss(4, 0), HingeLoss(0.9)], ids=repr)
def test_a_detector_learns_by_the_other_losses(loss):
    logits = torch.zeros(2, 3, requires_grad=True)
    loss(logits, torch.tensor([1, -1])).sum().backward()
    assert logits.grad.sign().tolist() == [[1, -1, 1], [1, 1, 1]]
