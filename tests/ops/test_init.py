import math

import pytest
import torch
from torch.nn import functional

from lit_vision.ops import init
from lit_vision.tasks import signal


@pytest.mark.parametrize(
    ("mode", "slope", "variance"),
    [
        ("fan_in", 0.0, 2 / (9 * 32)),  # Eq. 10
        ("fan_out", 0.0, 2 / (9 * 64)),  # Eq. 14
        ("fan_in", 0.25, 2 / (1.0625 * 9 * 32)),  # Eq. 15
    ],
)
def test_he_has_the_variance_of_the_paper(mode, slope, variance):
    torch.manual_seed(0)
    weight = init.he_normal_(torch.empty(64, 32, 3, 3), mode=mode, slope=slope)
    assert weight.var().item() == pytest.approx(variance, rel=0.05)
    assert weight.mean().item() == pytest.approx(0, abs=3 * math.sqrt(variance / weight.numel()))


def test_he_takes_the_fan_out_by_default():
    torch.manual_seed(0)
    assert init.he_normal_(torch.empty(400, 100)).var().item() == pytest.approx(2 / 400, rel=0.05)


@pytest.mark.parametrize(("mode", "n"), [("fan_in", 9 * 32), ("fan_out", 9 * 64)])
def test_xavier_is_gaussian_with_one_direction(mode, n):
    torch.manual_seed(0)
    weight = init.xavier_gaussian_(torch.empty(64, 32, 3, 3), mode=mode)
    assert weight.var().item() == pytest.approx(1 / n, rel=0.05)
    # A uniform distribution of this variance would end at sqrt(3) standard deviations.
    assert weight.abs().max().item() > 3 * math.sqrt(1 / n)


def test_weights_are_changed_in_place_and_still_train():
    weight = torch.nn.Parameter(torch.zeros(8, 8))
    assert init.he_normal_(weight) is weight
    assert weight.requires_grad
    assert weight.detach().abs().sum() > 0


def slope_per_layer(fill, backward: bool, layers: int = 30, width: int = 512) -> float:
    """Change of log2-variance per layer, by a straight line through all layers of a rectified net."""
    torch.manual_seed(0)
    weights = [fill(torch.empty(width, width)).requires_grad_() for _ in range(layers)]
    responses, x = [], torch.randn(256, width, requires_grad=True)
    for weight in weights:
        y = functional.linear(x, weight)
        y.retain_grad()
        responses.append(y)
        x = functional.relu(y)
    x.backward(torch.randn_like(x))
    variances = [(y.grad if backward else y.detach()).double().var().log2() for y in responses]
    depth = torch.arange(layers, dtype=torch.double)
    heights = torch.stack(variances)
    slope = ((depth - depth.mean()) * (heights - heights.mean())).sum() / (depth - depth.mean()).square().sum()
    return -slope.item() if backward else slope.item()  # gradients travel the other way


@pytest.mark.parametrize(
    ("mode", "backward"),
    [("fan_in", False), ("fan_out", True)],
    ids=["Eq. 9, responses", "Eq. 13, gradients"],
)
def test_variance_through_thirty_layers(mode, backward):
    he = slope_per_layer(lambda weight: init.he_normal_(weight, mode=mode), backward)
    xavier = slope_per_layer(lambda weight: init.xavier_gaussian_(weight, mode=mode), backward)
    assert he == pytest.approx(0, abs=0.1)  # each factor n Var[w] / 2 is 1
    assert xavier == pytest.approx(-1, abs=0.1)  # each factor is 1/2


@pytest.mark.parametrize(("rule", "expected"), [("he", 0), ("xavier", -1)])
def test_the_task_measures_the_same_slopes(rule, expected):
    torch.manual_seed(0)
    forward, backward = signal.SignalPropagation(rule, depth=30, width=512).variances(
        torch.randn(256, 512), torch.Generator().manual_seed(0)
    )
    assert forward.shape == backward.shape == (30,)
    assert signal.slope(forward).item() == pytest.approx(expected, abs=0.1)
    assert signal.slope(backward.flip(0)).item() == pytest.approx(expected, abs=0.1)
    # Eq. 9 starts from n Var[w] E[x^2] of the zero-mean, unit-variance input: 2 or 1
    assert forward[0].item() == pytest.approx(2 + expected, rel=0.05)


def test_slope_of_a_straight_line():
    assert signal.slope(torch.tensor([8.0, 4.0, 2.0, 1.0])).item() == pytest.approx(-1)
