"""Whether scores mean what they say (Guo et al., ICML 2017, arXiv 1706.04599, Section 2)."""

from dataclasses import dataclass

import numpy as np

from lit_vision.metrics.detections import Flags, Floats

BINS = 10


@dataclass(frozen=True)
class Bin:
    """Predictions whose score is above `low` and at most `high`; the first bin holds 0 too.

    Attributes:
        low: 0 to 1.
        high: 0 to 1.
        score: Their mean score; NaN without any.
        accuracy: Share of them that is right; NaN without any.
        count: How many there are.
    """

    low: float
    high: float
    score: float
    accuracy: float
    count: int


def bins(scores: Floats, right: Flags, count: int = BINS) -> list[Bin]:
    """The reliability diagram: predictions in bins of equal width.

    Args:
        scores: [D], 0 to 1; those that are not finite are left out.
        right: [D].
        count: How many bins.
    """
    known = np.isfinite(scores)
    scores, right = scores[known].astype(np.float64), right[known]
    edges = np.linspace(0, 1, count + 1)
    place = np.clip(np.searchsorted(edges, scores) - 1, 0, count - 1)
    found = []
    for number in range(count):
        inside = place == number
        total = int(inside.sum())
        mean, share = (float(values[inside].mean()) if total else float("nan") for values in (scores, right))
        found.append(Bin(float(edges[number]), float(edges[number + 1]), mean, share, total))
    return found


def error(found: list[Bin]) -> float:
    """Expected calibration error in percent (Eq. 3): the mean |accuracy - score|, bins by their count; NaN if empty."""
    total = sum(one.count for one in found)
    gaps = sum(one.count * abs(one.accuracy - one.score) for one in found if one.count)
    return 100 * gaps / total if total else float("nan")
