import pytest

from lit_vision.experiment import verdicts
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
    assert verdicts.half_interval([1.0, 1.0, 3.0, 3.0]) == pytest.approx(3.18245 * (4 / 3) ** 0.5 / 2, rel=1e-5)


@pytest.mark.parametrize(
    ("holds", "stand_in", "text"),
    [
        (None, False, "not run"),
        (True, False, "holds"),
        (False, False, "does not hold"),
        (True, True, "holds (stand-in)"),
    ],
)
def test_relation_verdict(holds, stand_in, text):
    assert verdicts.of_relation(holds, stand_in) == text
