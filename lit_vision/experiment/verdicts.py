"""Verdicts on the figures of rows; `relations` judges what joins rows. No torch here.

A verdict is always of the last checkpoint, never of the best on test. A run that changed more than the hardware is a
stand-in: it keeps the paper's number beside its own, but is never called reproduced or missed.
"""

import statistics
from collections.abc import Iterable, Sequence
from enum import StrEnum

from lit_vision.experiment import figures, intervals
from lit_vision.experiment.card import SPLITS_OF_SERVERS, Row
from lit_vision.experiment.figures import Better

SPLIT_KEY = "data.test"  # changing what is tested makes another figure, not another training


class Verdict(StrEnum):
    """What may be said of a row."""

    REPRODUCED = "reproduced"
    WITHIN_NOISE = "within noise"
    MISSED_BETTER = "missed (better)"
    MISSED_WORSE = "missed (worse)"
    MISSED = "missed"
    NOT_RUN = "not run"
    STAND_IN = "stand-in"
    NO_NUMBER = "no number printed"
    SERVER = "needs the server"
    OTHER_SPLIT = "other split"
    NOT_JUDGED = "not judged"
    QUOTED = "quoted"


COMPARED = frozenset(
    {Verdict.REPRODUCED, Verdict.WITHIN_NOISE, Verdict.MISSED_BETTER, Verdict.MISSED_WORSE, Verdict.MISSED}
)
"""Verdicts beside which a difference to the paper's figure may stand."""


def of_row(
    row: Row,
    values: Sequence[float | None],
    stand_in: bool = False,
    split: str = "",
    scored: bool = False,
    better: Better | None = None,
) -> Verdict:
    """Judges the runs of one row by its first figure.

    Args:
        row: The row with its value and tolerance.
        values: The judged figure of each seed; may be empty. None is a run that could not tell its figure: the server
            holds the annotations, or there was nothing to measure.
        stand_in: The runs changed more than the hardware and the tested split.
        split: Where the figures were measured; empty where that is not known.
        scored: Whether the values are the server's.
        better: Which way the figure is better; what the vocabulary says if None.
    """
    if row.quoted:
        return Verdict.QUOTED
    if not values:
        return Verdict.NOT_RUN
    if row.stand_in or stand_in:
        return Verdict.STAND_IN
    if split and row.split and split != row.split:
        return Verdict.OTHER_SPLIT
    if not row.judged:
        return Verdict.NOT_JUDGED
    if row.split in SPLITS_OF_SERVERS and not scored:
        return Verdict.SERVER
    return of_figure(row.value, row.tolerance, values, better or figures.better(row.metric))


def of_figure(
    expected: float | None, tolerance: float, values: Sequence[float | None], better: Better | None
) -> Verdict:
    """Judges one figure of a row that may be judged.

    Args:
        expected: The paper's figure; None where it prints none.
        tolerance: Accepted distance.
        values: Ours, of each seed.
        better: Which way it is better; None where nobody says.
    """
    if expected is None:
        return Verdict.NO_NUMBER
    known = [value for value in values if value is not None]
    if not known:
        return Verdict.NOT_RUN
    distance = statistics.fmean(known) - expected
    # Nine digits: a figure exactly on the edge of its tolerance must not fall off it by binary rounding.
    if round(abs(distance), 9) <= tolerance:
        return Verdict.REPRODUCED
    if len(known) >= intervals.FEWEST and abs(distance) - intervals.half_width(known) <= tolerance:
        return Verdict.WITHIN_NOISE
    if better not in ("lower", "higher"):
        return Verdict.MISSED
    return Verdict.MISSED_BETTER if (distance < 0) == (better == "lower") else Verdict.MISSED_WORSE


def of_further(
    first: Verdict, expected: float, tolerance: float, values: Sequence[float | None], better: Better | None
) -> Verdict:
    """Judges a further figure of a row: where the first may not be judged, this may not either.

    Args:
        first: Verdict on the row's first figure.
        expected: See `of_figure`, as the others.
        tolerance: The row's.
        values: Ours, of each seed.
        better: Which way it is better.
    """
    judged = first in COMPARED or first is Verdict.NO_NUMBER
    return of_figure(expected, tolerance, values, better) if judged else first


def beyond_the_split(changed: Iterable[str]) -> bool:
    """Whether more was changed than what is tested."""
    return any(key != SPLIT_KEY for key in changed)
