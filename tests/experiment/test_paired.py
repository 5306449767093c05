import pytest

from lit_vision.experiment import paired
from lit_vision.experiment.paired import Word

FIVE = [1.0, 2.0, 3.0, 4.0, 5.0]  # mean 3, standard deviation 1.5811


def test_interval_and_p_by_hand():
    verdict = paired.judge(FIVE, ">", 1.0)
    # 2.77645 is Student's t of 97.5 % with four degrees of freedom.
    half = 2.77645 * 2.5**0.5 / 5**0.5
    assert verdict.interval == pytest.approx((3 - half, 3 + half), rel=1e-5)
    assert (verdict.pairs, verdict.mean, verdict.sd) == (5, 3.0, pytest.approx(2.5**0.5))
    # t = 2 / sqrt(0.5); F(t) with four degrees is 1/2 + 3/8 · 8^½/3^½ · (1 - 8/36).
    assert verdict.p == pytest.approx(2 * (0.5 - 3 / 8 * (8 / 3) ** 0.5 * (1 - 8 / 36)), rel=1e-9)
    assert (verdict.word, verdict.needed) == (Word.HOLDS, None)


@pytest.mark.parametrize(
    ("direction", "margin", "word"),
    [
        (">", 0.0, Word.HOLDS),
        (">", 1.0, Word.HOLDS),
        (">", 2.0, Word.UNDECIDED),
        (">", 5.0, Word.SHORT),  # surely below 5, but the sign is the claimed one
        ("<", 5.0, Word.HOLDS),
        ("<", 4.0, Word.UNDECIDED),
        ("<", 1.0, Word.REVERSED),
        ("<", 0.0, Word.REVERSED),
        ("<", -2.0, Word.REVERSED),
        ("within", 5.0, Word.EQUIVALENT),
        ("within", 4.0, Word.UNDECIDED),
        ("within", 1.0, Word.DIFFERENT),
    ],
)
def test_the_interval_decides(direction, margin, word):
    assert paired.judge(FIVE, direction, margin).word is word
    mirrored = {">": "<", "<": ">", "within": "within"}[direction]
    other = margin if direction == "within" else -margin
    assert paired.judge([-value for value in FIVE], mirrored, other).word is word


@pytest.mark.parametrize("margin", [1.2, 4.9, 4.97])
def test_p_is_below_a_twentieth_exactly_where_the_interval_decides(margin):
    verdict = paired.judge(FIVE, "within", margin)
    assert (verdict.p < 0.05) == (verdict.word is Word.EQUIVALENT)


def test_fewer_than_two_pairs_decide_nothing():
    assert paired.judge([], ">", 0.0) == paired.Judgement(Word.NOT_RUN, 0)
    assert paired.judge([40.0], ">", 0.0) == paired.Judgement(Word.UNDECIDED, 1, mean=40.0, needed=5)


def test_fewer_than_five_pairs_decide_only_where_the_margin_is_clear_of_the_noise():
    three = [40.0, 41.0, 42.0]  # standard deviation 1
    assert paired.judge(three, ">", 3.1).word is Word.HOLDS
    few = paired.judge(three, ">", 3.0)
    assert (few.word, few.needed) == (Word.UNDECIDED, 5)
    assert few.interval[0] > 3.0
    assert paired.judge([*three, 41.0, 41.0], ">", 0.0).word is Word.HOLDS


def test_undecided_tells_the_pairs_that_should_decide():
    # (2.0345 + 0.8530) ≤ 0.5 · √34, while (2.0369 + 0.8530) > 0.5 · √33.
    assert paired.pairs_needed(1.0, 0.5) == 34
    assert paired.judge([3.0, 4.0, 5.0], ">", 3.5).needed == 34
    assert paired.judge([3.0, 4.0, 5.0], "within", 4.5).needed == 34
    assert paired.pairs_needed(1.0, 0.0) is None
    assert paired.pairs_needed(1.0, 0.01) is None


def test_differences_that_are_all_the_same():
    same = paired.judge([2.0] * 5, ">", 1.0)
    assert (same.word, same.interval, same.p) == (Word.HOLDS, (2.0, 2.0), 0.0)
    edge = paired.judge([2.0] * 5, ">", 2.0)
    assert (edge.word, edge.p, edge.needed) == (Word.UNDECIDED, 1.0, None)


def test_holm_by_hand():
    assert paired.holm({"a": 0.01, "b": 0.04, "c": 0.03}) == pytest.approx({"a": 0.03, "c": 0.06, "b": 0.06})
    assert paired.holm({"a": 0.9, "b": 0.7}) == {"b": 1.0, "a": 1.0}
    assert paired.holm({}) == {}
