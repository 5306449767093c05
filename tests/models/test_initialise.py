"""How weights start: the standard deviations of Section 2.2 in the layers of a network."""

import math

import pytest
import torch
from torch import nn

from lit_vision.errors import InputError
from lit_vision.models.backbones.chain import Chain, conv, pool, row
from lit_vision.models.classifier import Classifier
from lit_vision.models.heads.spp import SPP
from lit_vision.models.initialise import Gaussian, He, Xavier

# Three convolutions: fan-in 27, 9 * 64 and 9 * 64; fan-out 9 * 64, 9 * 64 and 9 * 128.
FAN_IN, FAN_OUT = (27, 576, 576), (576, 576, 1152)


def deviations(start):
    """Standard deviation of each layer, convolutions first, in a network whose weights had others before."""
    torch.manual_seed(0)
    backbone = Chain({0: [conv(3, 64, 3)], 1: [pool(), *row(64, 64, 1), *row(64, 128, 1)]})
    head = lambda channels, classes: SPP(channels, classes, (2, 1), 2, 128)  # noqa: E731
    net = Classifier(backbone, 100, head=head)
    for parameter in net.parameters():
        nn.init.constant_(parameter, 5.0)
    start.fill(net)
    layers = [module for module in net.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    assert not any(layer.bias.any() for layer in layers)
    return [layer.weight.std().item() for layer in layers]


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        (He(), [math.sqrt(2 / n) for n in FAN_OUT]),  # Eq. 14
        (He("fan_in"), [math.sqrt(2 / n) for n in FAN_IN]),  # Eq. 10
        (He("fan_in", slope=0.25), [math.sqrt(2 / 1.0625 / n) for n in FAN_IN]),  # Eq. 15
        (He("fan_in", first="linear"), [math.sqrt(one / n) for one, n in zip((1, 2, 2), FAN_IN, strict=True)]),
        (Xavier(), [math.sqrt(1 / n) for n in FAN_IN]),
        (Xavier("fan_out"), [math.sqrt(1 / n) for n in FAN_OUT]),
        (Gaussian(), [0.01] * 3),
        (Gaussian(0.05), [0.05] * 3),
    ],
    ids=["fan-out", "fan-in", "slope", "first", "Xavier", "Xavier fan-out", "0.01", "0.05"],
)
def test_convolutions_by_a_rule_and_the_other_layers_by_the_papers_gaussians(start, expected):
    assert deviations(start) == pytest.approx([*expected, 0.01, 0.01, 0.001], rel=0.1)


def test_fully_connected_layers_may_follow_the_rule():
    found = deviations(He("fan_in", fc=None))
    assert found[3:] == pytest.approx([math.sqrt(2 / n) for n in (128 * 5, 128, 128)], rel=0.1)


def test_a_classifier_fills_itself_before_its_weights_are_loaded(tmp_path):
    torch.manual_seed(0)
    made = lambda **options: Classifier(  # noqa: E731
        Chain.example(), 4, head=lambda *sizes: SPP(*sizes, (1,), 1, 8), init=Gaussian(0.5), **options
    )
    first = made()
    assert first.backbone.stages["1"][0].layer.weight.std().item() == pytest.approx(0.5, rel=0.1)
    torch.save(first.state_dict(), tmp_path / "first.pt")
    second = made(weights=str(tmp_path / "first.pt"))
    assert torch.equal(second.backbone.stages["1"][0].layer.weight, first.backbone.stages["1"][0].layer.weight)


def test_bad_values_are_told():
    with pytest.raises(InputError, match=r"^init.fc has 2 standard deviations, but the network has 3 fully connected"):
        deviations(He(fc=(0.01, 0.001)))
    with pytest.raises(InputError, match=r"^init.std is 0; it must be positive"):
        Gaussian(0)
