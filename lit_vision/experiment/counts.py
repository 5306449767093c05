"""Verdicts on counts of successes: Fisher's exact test, and Newcombe's interval of the difference. No torch here."""

import math

from lit_vision.experiment.paired import Direction, Judgement, Word

LEVEL = 0.05
MOST_RUNS = 1000
_QUANTILE = 1.959963984540054  # of the normal distribution, 97.5 %


def judge(first: tuple[int, int], second: tuple[int, int], direction: Direction) -> Judgement:
    """Judges the difference of two shares: it holds or is reversed where the two-sided p value is below 0.05.

    Args:
        first: Successes and runs of the arm that stands first in the difference.
        second: Those of the other.
        direction: `>` or `<`: the claimed sign of first - second.
    """
    runs = min(first[1], second[1])
    if not runs:
        return Judgement(Word.NOT_RUN, 0)
    difference = first[0] / first[1] - second[0] / second[1]
    p = fisher(first, second)
    word, needed = Word.UNDECIDED, None
    if p < LEVEL:
        word = Word.HOLDS if (difference > 0) == (direction == ">") else Word.REVERSED
    else:
        needed = runs_needed(first[0] / first[1], second[0] / second[1])
    return Judgement(word, runs, difference, interval=newcombe(first, second), p=p, needed=needed)


def fisher(first: tuple[int, int], second: tuple[int, int]) -> float:
    """Two-sided p value of Fisher's exact test: the chance of all tables that are no likelier than the one seen.

    Args:
        first: Successes and runs of one arm.
        second: Those of the other.
    """
    (a, n), (b, m) = first, second
    successes = a + b
    ways = {
        k: math.comb(n, k) * math.comb(m, successes - k) for k in range(max(0, successes - m), min(n, successes) + 1)
    }
    return sum(way for way in ways.values() if way <= ways[a]) / math.comb(n + m, successes)  # whole numbers: exact


def wilson(successes: int, runs: int) -> tuple[float, float]:
    """Wilson's 95 % score interval of a share."""
    share, square = successes / runs, _QUANTILE**2
    centre = share + square / (2 * runs)
    reach = _QUANTILE * math.sqrt(share * (1 - share) / runs + square / (4 * runs**2))
    scale = 1 + square / runs
    return max(0.0, (centre - reach) / scale), min(1.0, (centre + reach) / scale)


def newcombe(first: tuple[int, int], second: tuple[int, int]) -> tuple[float, float]:
    """95 % interval of the difference of two shares, from Wilson's of each (Newcombe, 1998, method 10)."""
    one, other = first[0] / first[1], second[0] / second[1]
    (low, high), (other_low, other_high) = wilson(*first), wilson(*second)
    difference = one - other
    below, above = math.hypot(one - low, other_high - other), math.hypot(high - one, other - other_low)
    return difference - below, difference + above


def runs_needed(one: float, other: float) -> int | None:
    """Runs of each arm at which the same shares would decide; None if more than `MOST_RUNS`.

    Args:
        one: Share of successes.
        other: That of the other arm.
    """
    for runs in range(2, MOST_RUNS + 1) if one != other else ():
        if fisher((round(one * runs), runs), (round(other * runs), runs)) < LEVEL:
            return runs
    return None
