"""Shapes of activations and losses, and standard deviations: analyses of no network."""

import math

import numpy as np
import pytest
from torch import nn

from lit_vision.analyses.deviations import Deviations
from lit_vision.analyses.loss_shapes import LossShapes
from lit_vision.analyses.shapes import Shapes
from lit_vision.errors import InputError
from lit_vision.models.losses import FocalLoss, FocalStarLoss

# Ten layers of 3x3 filters (Section 2.2).
TEN = [64, 64, 128, 128, 256, 256, 512, 512, 512, 512]


def test_shapes_of_figure_1():
    found = Shapes([nn.ReLU(), nn.PReLU(init=0.25)]).look([])
    assert found.figures == {
        **{"slope_below/ReLU": 0.0, "slope_above/ReLU": 1.0},
        **{"slope_below/PReLU": 0.25, "slope_above/PReLU": 1.0},
    }
    y = found.arrays["y"]
    assert (y[0], y[150], y[-1]) == pytest.approx((-3, 0, 3), abs=1e-6)
    assert found.arrays["f/ReLU"] == pytest.approx(y.clip(min=0))
    assert found.arrays["f/PReLU"] == pytest.approx([value if value > 0 else value / 4 for value in y])


def test_one_panel_each():
    shapes = Shapes([nn.ReLU(), nn.PReLU()])
    titles = [axes.get_title() for axes in shapes.draw(shapes.look([]), "Figure 1").axes]
    assert titles == ["ReLU, slope 0 below zero", "PReLU, slope 0.25 below zero"]


@pytest.mark.parametrize("activations", [[], [nn.PReLU(), nn.PReLU(init=0.1)]])
def test_names_are_of_one_activation_each(activations):
    with pytest.raises(InputError, match=r"^analysis.activations needs one activation or more, each of a class of its"):
        Shapes(activations)


def test_the_numbers_of_section_2_2():
    found = Deviations(TEN).look([])
    printed = {64: 0.059, 128: 0.042, 256: 0.029, 512: 0.021}
    assert {count: found.figures[f"std/{count}"] for count in printed} == pytest.approx(printed, abs=5e-4)
    # conv2 has 64 filters; sqrt(2 / (9 * 64)) / 0.01 = 5.8926, and each doubling of the filters divides by sqrt(2)
    first = math.sqrt(2 / (9 * 64)) / 0.01
    by_hand = first * (first / 2**0.5) ** 2 * (first / 2) ** 2 * (first / 8**0.5) ** 4
    assert found.figures["attenuation"] == pytest.approx(by_hand)
    assert found.figures["attenuation"] == pytest.approx(1.7e4, abs=500)


def test_the_gradient_shrinks_from_the_last_layer_to_the_second():
    deviations = Deviations([64, 64, 128])
    found = deviations.look([])
    _, below = deviations.draw(found, "x").axes
    (line,) = below.lines
    assert line.get_xdata().tolist() == [2, 3]
    assert line.get_ydata() == pytest.approx([1 / found.figures["attenuation"], 0.01 / found.figures["std/128"]])


@pytest.mark.parametrize("wrong", [{"filters": [64]}, {"filters": [64, 0]}, {"filters": TEN, "constant": 0.0}])
def test_numbers_that_make_no_network_are_told(wrong):
    with pytest.raises(InputError, match=r"^analysis Deviations needs two layers or more, and positive numbers$"):
        Deviations(**wrong)


PLAIN = FocalLoss(gamma=0, alpha=None)
FOCAL = FocalLoss(gamma=2, alpha=None)
STAR = FocalStarLoss(gamma=2, beta=1, alpha=None)


def test_losses_by_probability_are_figure_1_s():
    found = LossShapes({"gamma 0": PLAIN, "gamma 2": FOCAL}).look([])
    p = found.arrays["x"]
    assert (p[0], p[99], p[-1]) == pytest.approx((0.005, 0.5, 1))
    assert found.arrays["loss/gamma 0"] == pytest.approx(-np.log(p))
    assert found.arrays["loss/gamma 2"] == pytest.approx(-((1 - p) ** 2) * np.log(p))
    # The text: a hundred times lower at 0.9, and at most four times from one half down
    assert found.figures == pytest.approx(
        {"reduction50/gamma 0": 1, "reduction90/gamma 0": 1, "reduction50/gamma 2": 4, "reduction90/gamma 2": 100}
    )


def test_losses_by_logit_are_figure_5_s():
    found = LossShapes({"FL": FOCAL, "FL*": STAR}, over="logit").look([])
    x = found.arrays["x"]
    assert (x[0], x[100], x[-1]) == pytest.approx((-5, 0, 5))
    assert found.arrays["loss/FL"][100] == pytest.approx(math.log(2) / 4)
    assert found.arrays["loss/FL*"] == pytest.approx(np.log1p(np.exp(-(2 * x + 1))) / 2)


def test_slopes_are_figure_6_s():
    found = LossShapes({"CE": PLAIN, "FL": FOCAL, "FL*": STAR}, over="logit", slope=True).look([])
    x = found.arrays["x"]
    p, star = 1 / (1 + np.exp(-x)), 1 / (1 + np.exp(-(2 * x + 1)))
    assert found.arrays["loss/CE"] == pytest.approx(p - 1)
    assert found.arrays["loss/FL"] == pytest.approx((1 - p) ** 2 * (2 * p * np.log(p) + p - 1))
    assert found.arrays["loss/FL*"] == pytest.approx(star - 1)
    # At 0.9: 0.1 against 0.01 * (0.1 - 1.8 log 0.9)
    assert found.figures["reduction90/FL"] == pytest.approx(0.1 / (0.01 * (0.1 - 1.8 * math.log(0.9))))


@pytest.mark.parametrize(
    ("options", "limits", "labels"),
    [
        ({}, (0, 1), ("probability of the right answer", "loss")),
        ({"over": "logit"}, (-5, 5), ("logit of the right answer", "loss")),
        ({"over": "logit", "slope": True}, (-5, 5), ("logit of the right answer", "derivative by the logit")),
    ],
)
def test_one_line_for_each_loss(options, limits, labels):
    shapes = LossShapes({"CE": PLAIN, "FL": FOCAL}, **options)
    (axes,) = shapes.draw(shapes.look([]), "x").axes
    assert [line.get_label() for line in axes.lines] == ["CE", "FL"]
    assert axes.get_xlim() == limits
    assert (axes.get_xlabel(), axes.get_ylabel()) == labels


def test_losses_that_are_none_are_told():
    with pytest.raises(InputError, match=r"^analysis.losses needs one loss or more, by label$"):
        LossShapes({})
