import pytest

from lit_vision.errors import InputError
from lit_vision.experiment import relations

FIGURES = {"a": 3.0, "b": 1.0}
PRINTED = {"a": 3.5}


def judge(expr, figures):
    """Our figures by seed, the printed ones beside them."""

    def lookup(reference):
        return {None: PRINTED[reference.row]} if reference.printed else figures.get(reference.row, {})

    return relations.judge(expr, lookup)


def decide(expr, figures=FIGURES):
    return judge(expr, {row: {1: figure} for row, figure in figures.items()}).word


@pytest.mark.parametrize(
    ("expr", "expected"),
    [
        ("row('a') - row('b') > 0", "holds"),
        ("row('a') - row('b') > 2", "does not hold"),
        ("row('a') - row('b') >= 2", "holds"),
        ("1 < row('a') < 3", "does not hold"),
        ("1 < row('a') <= 3 and row('b') == 1", None),  # equality is outside the grammar
        ("-row('a') * 2 + 1 < -4.5", "holds"),
        ("paper('a') - row('a') < 0.6", "holds"),  # 3.5 - 3.0
        ("abs(row('b') - row('a')) > 2.1", "does not hold"),
        ("row('a') / (row('b') - 1) > 0", "does not hold"),  # a ratio to nothing
        ("row('a') / row('b') > 2.9 and row('b') < row('a')", "holds"),
    ],
)
def test_hand_worked(expr, expected):
    if expected is None:
        with pytest.raises(InputError, match="not allowed in a relation"):
            decide(expr)
    else:
        assert decide(expr) == expected


def test_missing_figure_decides_nothing():
    assert decide("row('a') > row('c')") == "not run"
    assert judge("row('a') > row('c')", {"a": {1: 3.0}}).figures[relations.Reference("c")] is None


def test_references_are_found_once_with_metric_and_recipe():
    found = relations.references("row('a', metric='m') - row('b', recipe='r/s') > row('a', metric='m')", "f")
    assert found == [relations.Reference("a", "m", ""), relations.Reference("b", "", "r/s")]
    assert relations.references("paper('a') > row('a')", "f") == [
        relations.Reference("a", printed=True),
        relations.Reference("a"),
    ]


@pytest.mark.parametrize(
    "expr",
    [
        "__import__('os').system('true') > 0",
        "row('a')",
        "row(1) > 0",
        "row('a', seed='1') > 0",
        "row('a') > 0 or row('b') > 0",
        "row('a') ** 2 > 0",
        "abs(row('a'), 2) > 1",
        "paper(1) > 0",
        "row('a') > True",
        "row('a' >",
        "(lambda: 1)() > 0",
        "[row('a')] > 0",
    ],
)
def test_everything_else_is_refused_naming_the_place(expr):
    with pytest.raises(InputError, match=r"card\.relations\.x"):
        relations.references(expr, "f.yaml: card.relations.x")


THREE = {"a": {1: 9.0, 2: 9.3, 3: 9.6}, "b": {1: 8.0, 2: 8.2, 3: 8.7}}


def test_three_paired_seeds_decide_by_the_interval_of_their_differences():
    found = judge("row('a') - row('b') > 0", THREE)
    # differences 1.0, 1.1, 0.9: mean 1.0, s 0.1, t(0.975, 2) = 4.30265, half 0.24841
    assert (found.word, found.seeds, found.told()) == ("holds", 3, "holds")
    assert found.interval == pytest.approx((1 - 0.24841, 1 + 0.24841), abs=1e-4)
    assert found.left == pytest.approx(1.0)
    assert judge("row('a') - row('b') > 1.1", THREE).word == "undecided"  # 1.1 is inside the interval
    assert judge("row('a') - row('b') > 1.3", THREE).word == "does not hold"
    assert judge("row('a') - row('b') > 0 and row('a') > row('b') + 1.1", THREE).word == "undecided"
    assert judge("row('a') - row('b') > 1.3 and row('a') > row('b') + 1.1", THREE).word == "does not hold"


def test_other_seeds_are_judged_as_two_samples():
    apart = {"a": THREE["a"], "b": {seed + 10: figure for seed, figure in THREE["b"].items()}}
    found = judge("row('a') - row('b') > 0", apart)
    # Welch: variances 0.09 and 0.13, /3 and added: 0.073333, root 0.270801; degrees 3.8709, t 2.8133
    assert found.interval == pytest.approx((1 - 0.7618, 1 + 0.7618), abs=2e-3)
    assert found.word == "holds"
    assert judge("row('a') > row('b')", apart | {"b": {7: 8.0, 8: 8.2, 9: 10.7}}).word == "undecided"


@pytest.mark.parametrize(
    ("seeds", "stand_in", "text"),
    [
        (1, False, "holds (1 seed)"),
        (2, False, "holds (2 seeds)"),
        (2, True, "holds (2 seeds, stand-in)"),
        (3, True, "holds (stand-in)"),
    ],
)
def test_too_few_seeds_are_said(seeds, stand_in, text):
    few = {"a": THREE["a"], "b": dict(list(THREE["b"].items())[:seeds])}
    assert judge("row('a') > row('b')", few).told(stand_in) == text


def test_a_printed_figure_has_no_seeds_of_its_own():
    assert judge("paper('a') > row('b')", {"b": {1: 1.0, 2: 1.1, 3: 1.2}}).told() == "holds"
    assert judge("paper('a') > 3", {}).told() == "holds"
