import pytest

from lit_vision.analyses.curves import Curves
from lit_vision.errors import InputError
from tests.analyses import subjects


def run(name, train, val):
    """A log of both errors by step, in the order in which runs write them."""
    lines = [{"step": step, "time": 0.0, "train/error": error} for step, error in train.items()]
    lines += [{"step": step, "time": 0.0, "val/error": error, "val/loss": 1.0} for step, error in val.items()]
    return subjects.of(log=sorted(lines, key=lambda line: line["step"]), name=name)


SHALLOW = run("plain-20", {10: 80.0, 20: 40.0, 30: 9.0, 40: 5.0}, {20: 45.0, 40: 8.0})
DEEP = run("plain-56", {10: 85.0, 20: 38.0, 30: 12.0, 50: 7.0}, {20: 50.0, 40: 12.0, 50: 11.0})


def test_ends_first_steps_and_shares_by_hand():
    assert Curves(level=45).look([SHALLOW, DEEP]).figures == {
        **{"train_error/plain-20": 5.0, "val_error/plain-20": 8.0, "first_step/plain-20": 20.0},
        **{"train_error/plain-56": 7.0, "val_error/plain-56": 11.0, "first_step/plain-56": 40.0},
        "above/plain-56": pytest.approx(200 / 3),  # of the steps 10, 20 and 30, which both have logged
    }


def test_a_level_that_is_never_reached_has_no_step():
    figures = Curves(level=10).look([SHALLOW, DEEP]).figures
    assert figures["first_step/plain-20"] == 40.0
    assert figures["first_step/plain-56"] != figures["first_step/plain-56"]  # NaN: `result.json` has null


def test_a_level_may_be_training_s():
    figures = Curves(level=10, reached_by="train").look([SHALLOW, DEEP]).figures
    assert (figures["first_step/plain-20"], figures["first_step/plain-56"]) == (30.0, 50.0)


def test_training_is_thin_and_dashed_and_validation_bold():
    (axes,) = Curves(limits=(0, 20)).draw(Curves().look([SHALLOW, DEEP]), "Figure 1").axes
    train, val = axes.lines[:2]
    assert (train.get_xdata().tolist(), train.get_ydata().tolist()) == ([10, 20, 30, 40], [80.0, 40.0, 9.0, 5.0])
    assert (val.get_xdata().tolist(), val.get_ydata().tolist()) == ([20, 40], [45.0, 8.0])
    assert (train.get_linestyle(), val.get_linestyle()) == ("--", "-")
    assert train.get_linewidth() < val.get_linewidth()
    assert train.get_color() == val.get_color() != axes.lines[2].get_color()
    assert axes.get_ylim() == (0, 20)
    assert axes.get_xlabel() == "iterations"


def test_two_panels_and_long_runs_count_in_ten_thousands():
    long = run("long", {10_000: 9.0, 64_000: 1.0}, {64_000: 8.0})
    left, right = Curves(panels="two").draw(Curves().look([SHALLOW, long]), "Figure 1").axes
    assert left.lines[1].get_xdata().tolist() == [1.0, 6.4]
    assert right.lines[1].get_xdata().tolist() == [6.4]
    assert [len(left.lines), len(right.lines)] == [2, 2]
    assert left.get_xlabel() == right.get_xlabel() == "iterations (1e4)"


def test_one_run_needs_no_name():
    assert Curves().look([SHALLOW]).figures == {"train_error": 5.0, "val_error": 8.0, "first_step": 40.0}


def test_what_has_no_curves_is_told():
    with pytest.raises(InputError) as caught:
        Curves().look([subjects.of(name="shapes")])
    assert str(caught.value) == (
        "analysis Curves: 'shapes' has logged no train/error; name rows that train by `members`"
    )
