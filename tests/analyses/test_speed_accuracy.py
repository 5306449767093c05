"""Accuracy over time: figures that runs have logged, and the paper's points behind them."""

import pytest

from lit_vision.analyses.base import Subject
from lit_vision.analyses.speed_accuracy import SpeedAccuracy
from lit_vision.errors import InputError


def run(name, **said):
    return Subject(name, None, None, None, said=lambda: said)


SMALL = run("small", own={"test/ap": None}, twin={"test/ap": 30.0, "test/ap50": 48.0}, time={"analysis/total_ms": 20.0})
LARGE = run("large", own={"test/ap": 35.0}, later={"test/ap": 36.0}, time={"analysis/total_ms": 50.0})
PRINTED = {"ours of then": [(90, 34.4), (81, 31.9)], "SSD321": [(61, 28.0)]}


def test_the_first_figures_that_anything_has_said():
    found = SpeedAccuracy().look([SMALL, LARGE])
    assert found.figures == {"ap/small": 30.0, "ms/small": 20.0, "ap/large": 35.0, "ms/large": 50.0}


def test_ours_stand_before_the_printed_points():
    analysis = SpeedAccuracy(PRINTED)
    (axes,) = analysis.draw(analysis.look([SMALL, LARGE]), "Figure 2").axes
    points = [(line.get_xdata(), line.get_ydata()) for line in axes.lines]
    assert [tuple(map(list, point)) for point in points] == [
        ([81, 90], [31.9, 34.4]),
        ([61], [28.0]),
        ([20.0], [30.0]),
        ([50.0], [35.0]),
    ]
    assert [text.get_text() for text in axes.texts] == ["ours of then", "SSD321"]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["small", "large"]
    assert axes.lines[0].get_zorder() < axes.lines[2].get_zorder()


def test_one_run_needs_no_name():
    analysis = SpeedAccuracy()
    found = analysis.look([LARGE])
    assert found.figures == {"ap": 35.0, "ms": 50.0}
    assert analysis.draw(found, "x").axes[0].get_legend().get_texts()[0].get_text() == "this run"


@pytest.mark.parametrize(
    ("lacking", "logged"),
    [
        (run("a", own={"test/ap": None}, time={"analysis/total_ms": 20.0}), "test/ap"),
        (run("a", own={"test/ap": 3.0}), "analysis/total_ms"),
    ],
)
def test_what_was_not_measured_is_told(lacking, logged):
    with pytest.raises(InputError) as caught:
        SpeedAccuracy().look([lacking])
    assert str(caught.value).splitlines() == [
        f"analysis SpeedAccuracy: nothing has measured {logged} of 'a';",
        "run a row that does so on its weights, by lit-vision test with --row and --run",
    ]
