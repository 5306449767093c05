"""Verdicts on paired differences: the 95 % interval against a margin that was fixed beforehand. No torch here."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from lit_vision.experiment import intervals

Direction = Literal[">", "<", "within"]

FEWEST_PAIRS = 5  # unless the margin exceeds `CLEAR` standard deviations of the differences
CLEAR = 3.0
POWER = 0.8  # chance that the pairs which `pairs_needed` gives decide, if mean and spread are as observed
MOST_PAIRS = 1000


class Word(StrEnum):
    """What may be said of a claim."""

    HOLDS = "holds"
    REVERSED = "reversed"
    SHORT = "short of its margin"
    EQUIVALENT = "equivalent"
    DIFFERENT = "not equivalent"
    UNDECIDED = "undecided"
    NOT_RUN = "not run"


@dataclass(frozen=True)
class Judgement:
    """A verdict and what it stands on.

    Attributes:
        word: The verdict.
        pairs: Number of paired differences, of runs of each arm, or of rounds, as the evidence is.
        mean: Their mean; None without pairs. The difference itself where it is one of shares or of medians.
        sd: Their standard deviation; None with fewer than two, and where nothing is averaged.
        interval: 95 % interval of the mean (Student's t; `counts` and `resampled` have others); None with fewer than
            two.
        p: Two-sided p value of the paired t test that the difference is the margin; for `within`, twice the larger of
            the two one-sided ones, so that it is below 0.05 exactly where the interval lies inside the margins.
        needed: Pairs in all that should decide it; None where it is decided, and where more than `MOST_PAIRS` are.
    """

    word: Word
    pairs: int
    mean: float | None = None
    sd: float | None = None
    interval: tuple[float, float] | None = None
    p: float | None = None
    needed: int | None = None


def judge(differences: Sequence[float], direction: Direction, margin: float) -> Judgement:
    """Judges paired differences.

    `> m` holds where the whole interval lies above m and is reversed where it lies below; but a claim of a difference
    larger than a positive m is short of its margin, not reversed, while the difference may have the claimed sign.
    `< m` is its mirror image. `within m` is equivalent where the interval lies between -m and m.

    Args:
        differences: One for each pair.
        direction: Side of the margin that is claimed.
        margin: In the figure's unit.
    """
    n = len(differences)
    if n < 2:
        word = Word.UNDECIDED if n else Word.NOT_RUN
        return Judgement(word, n, mean=differences[0] if n else None, needed=FEWEST_PAIRS if n else None)
    mean, sd = statistics.fmean(differences), statistics.stdev(differences)
    half = intervals.half_width(differences)
    interval = (mean - half, mean + half)
    word = word_of(interval, direction, margin)
    few = n < FEWEST_PAIRS and abs(margin) <= CLEAR * sd
    needed = None
    if few or word is Word.UNDECIDED:
        edge = math.copysign(margin, mean) if direction == "within" else margin
        formula = pairs_needed(sd, abs(mean - edge))
        word, needed = Word.UNDECIDED, formula and max(formula, FEWEST_PAIRS if few else n + 1)
    return Judgement(word, n, mean, sd, interval, _p(mean, sd / n**0.5, n, direction, margin), needed)


def word_of(interval: tuple[float, float], direction: Direction, margin: float) -> Word:
    """The verdict that an interval gives; see `judge`.

    Args:
        interval: Of the difference.
        direction: Side of the margin that is claimed.
        margin: In the figure's unit.
    """
    return _within(interval, margin) if direction == "within" else _beyond(interval, direction, margin)


def _beyond(interval: tuple[float, float], direction: Direction, margin: float) -> Word:
    """The verdict on `> margin`; `< margin` is judged in the mirror."""
    low, high = interval
    if direction == "<":
        low, high, margin = -high, -low, -margin
    if low > margin:
        return Word.HOLDS
    if high >= margin:
        return Word.UNDECIDED
    return Word.SHORT if margin > 0 and high >= 0 else Word.REVERSED


def _within(interval: tuple[float, float], margin: float) -> Word:
    low, high = interval
    if -margin < low and high < margin:
        return Word.EQUIVALENT
    return Word.DIFFERENT if low > margin or high < -margin else Word.UNDECIDED


def _p(mean: float, error: float, n: int, direction: Direction, margin: float) -> float:
    """See `Judgement.p`."""
    if direction != "within":
        return 2 * _tail(abs(mean - margin), error, n)
    return min(1.0, 2 * max(_tail(margin - mean, error, n), _tail(margin + mean, error, n)))


def _tail(distance: float, error: float, n: int) -> float:
    """Chance of a t value above distance / error."""
    from scipy import special  # `scipy.stats` has the same function, and takes a second to import

    if error == 0:  # all differences are the same
        return 0.5 if distance == 0 else float(distance < 0)
    return float(special.stdtr(n - 1, -distance / error))


def pairs_needed(sd: float, distance: float) -> int | None:
    """Pairs whose interval would leave the margin out in four of five repetitions; None if more than `MOST_PAIRS`.

    The smallest n with (t of 97.5 % + t of 80 %, n - 1 degrees of freedom) · sd / √n at most the distance.

    Args:
        sd: Standard deviation of the differences.
        distance: From their mean to the margin.
    """
    from scipy import special

    for n in range(2, MOST_PAIRS + 1):
        reach = special.stdtrit(n - 1, 0.975) + special.stdtrit(n - 1, POWER)
        if distance > 0 and reach * sd <= distance * n**0.5:
            return n
    return None


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """P values corrected for their number (Holm, 1979).

    The k-th smallest of n is multiplied by n - k + 1; none may fall below the one before, or pass 1.

    Args:
        p_values: By name.
    """
    corrected: dict[str, float] = {}
    largest = 0.0
    for rank, (name, p) in enumerate(sorted(p_values.items(), key=lambda entry: entry[1])):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p))
        corrected[name] = largest
    return corrected
