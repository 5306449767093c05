import pytest

from lit_vision.experiment import intervals, verdicts
from lit_vision.experiment.card import Row

ERROR = Row(metric="test/error", value=8.75, tolerance=0.5, split="test")
AP = Row(metric="test/ap", value=34.0, tolerance=0.5, split="minival")


@pytest.mark.parametrize(
    ("row", "values", "stand_in", "expected"),
    [
        (ERROR, [], False, "not run"),
        (ERROR, [9.25], False, "reproduced"),  # the edge belongs to the tolerance, on either side
        (ERROR, [8.25], False, "reproduced"),
        (ERROR, [9.26], False, "missed (worse)"),
        (ERROR, [8.0], False, "missed (better)"),
        (AP, [33.0], False, "missed (worse)"),
        (AP, [35.0], False, "missed (better)"),
        # three seeds 9.0, 9.4, 9.8: mean 9.4, t(0.975, 2) = 4.3027, s = 0.4, half interval 0.9937 reaches 9.25
        (ERROR, [9.0, 9.4, 9.8], False, "within noise"),
        (ERROR, [9.0, 9.8], False, "missed (worse)"),  # two seeds give no interval
        (ERROR, [9.39, 9.40, 9.41], False, "missed (worse)"),
        (ERROR, [8.75], True, "stand-in"),
        (Row(metric="test/error", claim="c", split="test"), [3.0], False, "no number printed"),
        (Row(metric="test/ap", value=34.0, split="test-dev"), [34.0], False, "needs the server"),
        (Row(metric="test/error", value=1.0, stand_in=True, split="test"), [1.0], False, "stand-in"),
        # a run whose figure only the server can tell, or that had nothing to measure
        (Row(metric="test/ap", value=34.0, split="test-dev"), [None], False, "needs the server"),
        (AP, [None], True, "stand-in"),
        (AP, [None], False, "not run"),
        (AP, [None, 34.0], False, "reproduced"),
    ],
)
def test_verdict(row, values, stand_in, expected):
    assert verdicts.of_row(row, values, stand_in) == expected


def test_half_interval_by_hand():
    # s = 1, n = 4, t(0.975, 3) = 3.18245
    assert intervals.half_width([1.0, 1.0, 3.0, 3.0]) == pytest.approx(3.18245 * (4 / 3) ** 0.5 / 2, rel=1e-5)


def row(**entries):
    return Row(**{"metric": "test/error", "value": 8.75, "split": "test"} | entries)


@pytest.mark.parametrize(
    ("entry", "value", "expected"),
    [
        (row(metric="test/ms", value=98.0), 200.0, "missed (worse)"),  # 0.1.0 said better
        (row(metric="test/forward_slope", value=0.0), 0.6, "missed"),  # neither better nor worse: where 0 is expected
        (row(metric="test/proposal_ar1000"), 9.3, "missed (better)"),
        (row(metric="test/of_my_own"), 3.0, "missed"),
        (row(judged=False), 8.75, "not judged"),
        (row(quoted="other people's"), None, "quoted"),
    ],
)
def test_words(entry, value, expected):
    assert verdicts.of_row(entry, [] if value is None else [value]) == expected


def test_a_card_says_which_way_its_own_metric_is_better():
    assert verdicts.of_row(row(metric="test/of_my_own"), [3.0], better="lower") == "missed (better)"


@pytest.mark.parametrize(
    ("split", "tested", "scored", "expected"),
    [
        ("test-dev", "minival", False, "other split"),
        ("test-dev", "test-dev", False, "needs the server"),
        ("test-std", "test-std", False, "needs the server"),
        ("test-dev", "", True, "reproduced"),
        ("minival", "minival", False, "reproduced"),
        ("minival", "", False, "reproduced"),  # nobody says where
    ],
)
def test_splits(split, tested, scored, expected):
    entry = row(metric="test/ap", value=34.0, split=split)
    assert verdicts.of_row(entry, [34.1], split=tested, scored=scored) == expected


def test_another_split_alone_is_no_other_training():
    assert not verdicts.beyond_the_split({"data.test": None})
    assert verdicts.beyond_the_split({"data.test": None, "trainer.max_steps": 5})


@pytest.mark.parametrize(
    ("first", "value", "expected"),
    [
        ("reproduced", 52.4, "reproduced"),
        ("missed (worse)", 53.2, "missed (better)"),
        ("no number printed", 50.0, "missed (worse)"),
        ("stand-in", 52.5, "stand-in"),
        ("other split", 52.5, "other split"),
    ],
)
def test_further_figures_are_judged_where_the_first_may_be(first, value, expected):
    assert verdicts.of_further(verdicts.Verdict(first), 52.5, 0.5, [value], "higher") == expected
