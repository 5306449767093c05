import pytest

from lit_vision.errors import InputError
from lit_vision.experiment import relations

FIGURES = {"a": 3.0, "b": 1.0}


def decide(expr, figures=FIGURES):
    return relations.holds(expr, lambda reference: figures.get(reference.row))


@pytest.mark.parametrize(
    ("expr", "expected"),
    [
        ("row('a') - row('b') > 0", True),
        ("row('a') - row('b') > 2", False),
        ("row('a') - row('b') >= 2", True),
        ("1 < row('a') < 3", False),
        ("1 < row('a') <= 3 and row('b') == 1", None),  # equality is outside the grammar
        ("-row('a') * 2 + 1 < -4.5", True),
        ("row('a') / row('b') > 2.9 and row('b') < row('a')", True),
    ],
)
def test_hand_worked(expr, expected):
    if expected is None:
        with pytest.raises(InputError, match="not allowed in a relation"):
            decide(expr)
    else:
        assert decide(expr) is expected


def test_missing_figure_decides_nothing():
    assert decide("row('a') > row('c')") is None


def test_references_are_found_once_with_metric_and_recipe():
    found = relations.references("row('a', metric='m') - row('b', recipe='r/s') > row('a', metric='m')", "f")
    assert found == [relations.Reference("a", "m", ""), relations.Reference("b", "", "r/s")]


@pytest.mark.parametrize(
    "expr",
    [
        "__import__('os').system('true') > 0",
        "row('a')",
        "row(1) > 0",
        "row('a', seed='1') > 0",
        "row('a') > 0 or row('b') > 0",
        "row('a') ** 2 > 0",
        "row('a') > True",
        "row('a' >",
        "(lambda: 1)() > 0",
        "[row('a')] > 0",
    ],
)
def test_everything_else_is_refused_naming_the_place(expr):
    with pytest.raises(InputError, match=r"card\.relations\.x"):
        relations.references(expr, "f.yaml: card.relations.x")
