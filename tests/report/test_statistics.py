"""Numbers checked by hand against tables of Student's t and by counting coins."""

import math

import pytest

from lit_vision.report import statistics as stats


def test_paired_differences_by_hand():
    # differences 1, 2, 3: mean 2, s = 1, s / sqrt(3) = 0.57735, t(0.975, 2) = 4.30265
    found = stats.paired([10, 20, 30], [11, 22, 33])
    assert (found.value, found.n, found.method) == (2, (3,), "paired t")
    assert found.low == pytest.approx(2 - 4.30265 * 0.57735, abs=1e-4)
    assert found.high == pytest.approx(2 + 4.30265 * 0.57735, abs=1e-4)
    # t = 3.4641 with 2 degrees: p = 1 - t / sqrt(t^2 + 2) = 1 - sqrt(12 / 14)
    assert found.p == pytest.approx(1 - math.sqrt(12 / 14), abs=1e-9)


def test_pairing_removes_what_the_pairs_share():
    assert stats.paired([1, 50, 99], [2, 51, 100]).low == 1
    assert stats.unpaired([1, 50, 99], [2, 51, 100]).low < -100


def test_welch_by_hand():
    # variances 1 and 4 of 3 values each: standard error sqrt(5 / 3), degrees (5/3)^2 / (1/18 + 16/18) = 2.9412
    found = stats.unpaired([1, 2, 3], [2, 4, 6])
    assert (found.value, found.n, found.method) == (2, (3, 3), "Welch")
    scale = math.sqrt(5 / 3)
    assert (found.high - found.value) / scale == pytest.approx(3.2186, abs=2e-3)  # between t(3) 3.182 and t(2) 4.303
    assert found.value - found.low == pytest.approx(found.high - found.value)


def test_equal_samples_are_equal_with_certainty():
    assert stats.paired([1, 2], [1, 2]) == stats.Estimate(0, 0, 0, 1.0, (2,), "paired t")
    assert stats.unpaired([1, 1], [3, 3]) == stats.Estimate(2, 2, 2, 0.0, (2, 2), "Welch")


@pytest.mark.parametrize("estimate", [stats.paired([1], [2]), stats.unpaired([1], [2]), stats.unpaired([1, 2], [2.5])])
def test_too_few_values_give_no_interval(estimate):
    assert (estimate.value, estimate.low, estimate.high, estimate.p) == (1, None, None, None)


@pytest.mark.parametrize(
    ("only_a", "only_b", "p"),
    [
        (0, 0, 1.0),
        (3, 3, 1.0),
        (0, 5, 2 / 32),
        (1, 5, 2 * (1 + 6) / 64),
        (8, 2, 2 * (1 + 10 + 45) / 1024),
    ],
)
def test_mcnemar_by_counting(only_a, only_b, p):
    assert stats.mcnemar(only_a, only_b) == stats.mcnemar(only_b, only_a) == pytest.approx(p, rel=1e-12)


def test_mcnemar_of_many_images_is_exact():
    # normal approximation with continuity correction: z = (|b - c| - 1) / sqrt(b + c) = 99 / sqrt(5100)
    expected = math.erfc(99 / math.sqrt(5100) / math.sqrt(2))
    assert stats.mcnemar(2500, 2600) == pytest.approx(expected, rel=0.01)
    assert stats.mcnemar(0, 3000) == 0.0


def test_bootstrap_repeats_and_brackets():
    differences = [0.0] * 50 + [0.5] * 50
    found = stats.bootstrap(differences)
    assert found == stats.bootstrap(differences)
    assert found.value == 0.25
    # standard error 0.25 / sqrt(100) = 0.025
    assert found.low == pytest.approx(0.25 - 1.96 * 0.025, abs=0.006)
    assert found.high == pytest.approx(0.25 + 1.96 * 0.025, abs=0.006)
    assert (stats.bootstrap([0.2]).value, stats.bootstrap([0.2]).low) == (0.2, None)
