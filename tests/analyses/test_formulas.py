"""Shapes of activations and standard deviations: analyses of no network."""

import math

import pytest
from torch import nn

from lit_vision.analyses.deviations import Deviations
from lit_vision.analyses.shapes import Shapes
from lit_vision.errors import InputError

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
