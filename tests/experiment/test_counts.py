import pytest

from lit_vision.experiment import counts
from lit_vision.experiment.paired import Judgement, Word


def test_fisher_by_hand():
    # All ten choices of the five that succeed: C(10, 5) = 252, and two of them are as extreme.
    assert counts.fisher((5, 5), (0, 5)) == pytest.approx(2 / 252)
    # 4 and 0 of 5: C(5, 4) = 5 ways of C(10, 4) = 210, and as many on the other side.
    assert counts.fisher((4, 5), (0, 5)) == pytest.approx(10 / 210)
    # 3 and 1 of 4, the tea test: (1 + 16 + 16 + 1) of 70.
    assert counts.fisher((3, 4), (1, 4)) == pytest.approx(34 / 70)
    # Unequal numbers: of C(5, 2) = 10 ways, one has both successes in the second arm; the likelier ones do not count.
    assert counts.fisher((0, 3), (2, 2)) == pytest.approx(1 / 10)
    assert counts.fisher((2, 4), (2, 4)) == 1.0


def test_intervals_by_hand():
    # Wilson of 5 of 5: the lower end is n / (n + z²), the upper is 1.
    low = 5 / (5 + 1.959963984540054**2)
    assert counts.wilson(5, 5) == pytest.approx((low, 1.0))
    assert counts.wilson(0, 5) == pytest.approx((0.0, 1 - low))
    # Newcombe: 1 - √((1 - low)² + (1 - low)²), and no share above 1.
    assert counts.newcombe((5, 5), (0, 5)) == pytest.approx((1 - 2**0.5 * (1 - low), 1.0))


@pytest.mark.parametrize(
    ("first", "second", "direction", "word"),
    [
        ((5, 5), (0, 5), ">", Word.HOLDS),
        ((5, 5), (0, 5), "<", Word.REVERSED),
        ((0, 5), (5, 5), "<", Word.HOLDS),
        ((4, 5), (0, 5), ">", Word.HOLDS),  # p = 0.048
        ((3, 5), (0, 5), ">", Word.UNDECIDED),
    ],
)
def test_the_p_value_decides(first, second, direction, word):
    assert counts.judge(first, second, direction).word is word


def test_undecided_tells_the_runs_at_which_the_same_shares_would_decide():
    found = counts.judge((3, 5), (0, 5), ">")
    assert (found.pairs, found.mean, found.p) == (5, 0.6, pytest.approx(20 / 120))
    assert counts.fisher((4, 7), (0, 7)) == pytest.approx(2 * 35 / 1001)  # not yet
    assert counts.fisher((5, 8), (0, 8)) == pytest.approx(2 * 56 / 4368)
    assert found.needed == 8
    assert counts.judge((2, 4), (2, 4), ">").needed is None
    assert counts.judge((0, 0), (0, 5), ">") == Judgement(Word.NOT_RUN, 0)
