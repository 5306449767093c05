import pytest

from lit_vision.experiment import resampled
from lit_vision.experiment.paired import Word

DRAWN = [float(value) for value in range(1, 1001)]  # the middle 95 % of 1 … 1000


def test_interval_and_p_by_hand():
    found = resampled.judge(500.0, DRAWN, 3, ">", 10.0)
    # NumPy's percentile interpolates between the samples: 1 + 999 · 0.025 and 1 + 999 · 0.975.
    assert found.interval == pytest.approx((25.975, 975.025))
    # Ten samples lie at or below the margin, and one is added on either side.
    assert (found.word, found.pairs, found.mean, found.p) == (Word.HOLDS, 3, 500.0, pytest.approx(2 * 11 / 1001))
    assert (found.sd, found.needed) == (None, None)


@pytest.mark.parametrize(
    ("direction", "margin", "word"),
    [
        (">", 26.0, Word.UNDECIDED),
        ("<", 976.0, Word.HOLDS),
        ("<", 25.0, Word.REVERSED),
        (">", 976.0, Word.SHORT),
        ("within", 976.0, Word.EQUIVALENT),
    ],
)
def test_the_interval_decides(direction, margin, word):
    assert resampled.judge(500.0, DRAWN, 3, direction, margin).word is word


def test_equivalence_has_the_larger_of_two_p_values():
    found = resampled.judge(0.0, [-1.0] * 10 + [0.0] * 979 + [1.0] * 10, 3, "within", 1.0)
    assert found.p == pytest.approx(2 * 11 / 1000)


def test_what_is_always_the_same_has_no_p_value():
    found = resampled.judge(1.001, [1.001] * 30, 30, "<", 1.01)
    assert (found.word, found.interval, found.p) == (Word.HOLDS, (1.001, 1.001), None)


def test_images_are_paired_sample_by_sample_and_seeds_averaged():
    figures = [{"a": 60.0, "b": 50.0}, {"a": 58.0, "b": 52.0}]
    drawn = [{"a": [60.0, 70.0], "b": [50.0, 69.0]}, {"a": [58.0, 40.0], "b": [52.0, 39.0]}]
    value, samples = resampled.over_images("a - b", figures, drawn)
    assert (value, samples) == (8.0, [8.0, 1.0])
    drawn[0]["b"][1] = float("nan")  # no object in the second sample
    assert resampled.over_images("a - b", figures, drawn) == (8.0, [8.0])


def test_rounds_give_a_ratio_of_medians_and_keep_their_places():
    laps = {"slow": [20.0, 22.0, 24.0, 400.0, 21.0], "fast": [10.0, 11.0, 12.0, 200.0, 10.5]}
    value, samples = resampled.over_rounds("slow / fast", laps)
    assert value == 2.0  # 22 / 11; the round in which the machine was busy hardly counts
    assert set(samples) == {2.0}  # each round is twice as slow, whichever rounds are drawn
    laps["fast"] = [10.0, 11.0, 12.0, 10.0, 10.5]
    value, samples = resampled.over_rounds("slow / fast", laps)
    assert value == pytest.approx(22 / 10.5)
    assert min(samples) < value < max(samples)
