"""Verdicts on rows and relations (architecture §5). No torch here.

A verdict is always of the last checkpoint, never of the best on test. A run that changed more than the hardware is a
stand-in: it keeps the paper's number beside its own, but is never called reproduced or missed.
"""

import statistics
from collections.abc import Sequence
from enum import StrEnum

from lit_vision.experiment.card import SPLITS_OF_SERVERS, Row

SEEDS_FOR_INTERVAL = 3


class Verdict(StrEnum):
    """What may be said of a row."""

    REPRODUCED = "reproduced"
    WITHIN_NOISE = "within noise"
    MISSED_BETTER = "missed (better)"
    MISSED_WORSE = "missed (worse)"
    NOT_RUN = "not run"
    STAND_IN = "stand-in"
    NO_NUMBER = "no number printed"
    SERVER = "needs the server"


LOWER_IS_BETTER = ("error", "error5", "loss")


def of_row(row: Row, values: Sequence[float | None], stand_in: bool = False) -> Verdict:
    """Judges the runs of one row.

    Args:
        row: The row with its value and tolerance.
        values: The judged figure of each seed; may be empty. None is a run that could not tell its figure: the server
            holds the annotations, or there was nothing to measure.
        stand_in: The runs changed more than the hardware.
    """
    if not values:
        return Verdict.NOT_RUN
    if row.stand_in or stand_in:
        return Verdict.STAND_IN
    if row.split in SPLITS_OF_SERVERS:
        return Verdict.SERVER
    if row.value is None:
        return Verdict.NO_NUMBER
    known = [value for value in values if value is not None]
    if not known:
        return Verdict.NOT_RUN
    distance = statistics.fmean(known) - row.value
    # Nine digits: a figure exactly on the edge of its tolerance must not fall off it by binary rounding.
    if round(abs(distance), 9) <= row.tolerance:
        return Verdict.REPRODUCED
    if len(known) >= SEEDS_FOR_INTERVAL and abs(distance) - half_interval(known) <= row.tolerance:
        return Verdict.WITHIN_NOISE
    lower_is_better = row.metric.rsplit("/", 1)[-1] in LOWER_IS_BETTER
    return Verdict.MISSED_BETTER if (distance < 0) == lower_is_better else Verdict.MISSED_WORSE


def half_interval(values: Sequence[float]) -> float:
    """Half the width of the 95 % interval of the mean, by Student's t."""
    from scipy import special  # `scipy.stats` has the same quantile, and takes a second to import

    scale = statistics.stdev(values) / len(values) ** 0.5
    return float(special.stdtrit(len(values) - 1, 0.975) * scale)


def of_relation(holds: bool | None, stand_in: bool = False) -> str:
    """Judges a relation: `holds`, `does not hold`, `not run`; said to be of stand-ins where any row is one."""
    if holds is None:
        return "not run"
    return ("holds" if holds else "does not hold") + (" (stand-in)" if stand_in else "")
