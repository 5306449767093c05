"""Differences and how sure they are: Student's t, Welch, exact McNemar, bootstrap. SciPy and NumPy only when called."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

LEVEL = 0.95
REPEATS = 2000


@dataclass(frozen=True)
class Estimate:
    """A mean difference with its 95 % interval.

    Attributes:
        value: Mean of B minus mean of A.
        low: Lower end; None where there are too few values for an interval.
        high: Upper end.
        p: Two-sided p-value of no difference.
        n: Number of pairs, or of values on both sides.
        method: `paired t`, `Welch`, or `bootstrap`.
    """

    value: float
    low: float | None
    high: float | None
    p: float | None
    n: tuple[int, ...]
    method: str


def paired(a: Sequence[float], b: Sequence[float]) -> Estimate:
    """Mean of the differences b - a of pairs, by Student's t with n - 1 degrees of freedom.

    Args:
        a: Values of one side.
        b: Values of the other, in the same order.
    """
    differences = [right - left for left, right in zip(a, b, strict=True)]
    value = statistics.fmean(differences)
    if len(differences) < 2:
        return Estimate(value, None, None, None, (len(differences),), "paired t")
    scale = statistics.stdev(differences) / math.sqrt(len(differences))
    return _student(value, scale, len(differences) - 1, (len(differences),), "paired t")


def unpaired(a: Sequence[float], b: Sequence[float]) -> Estimate:
    """Difference of the means of two independent samples, variances not assumed equal (Welch, 1947)."""
    value = statistics.fmean(b) - statistics.fmean(a)
    n = (len(a), len(b))
    if min(n) < 2:
        return Estimate(value, None, None, None, n, "Welch")
    parts = [statistics.variance(sample) / len(sample) for sample in (a, b)]
    squares = [part**2 / (len(sample) - 1) for part, sample in zip(parts, (a, b), strict=True)]
    degrees = sum(parts) ** 2 / sum(squares) if sum(squares) > 0 else min(n) - 1
    return _student(value, math.sqrt(sum(parts)), degrees, n, "Welch")


def _student(value: float, scale: float, degrees: float, n: tuple[int, ...], method: str) -> Estimate:
    if scale == 0:
        return Estimate(value, value, value, 1.0 if value == 0 else 0.0, n, method)
    from scipy import special

    reach = scale * float(special.stdtrit(degrees, (1 + LEVEL) / 2))
    p = 2 * float(special.stdtr(degrees, -abs(value) / scale))
    return Estimate(value, value - reach, value + reach, p, n, method)


def mcnemar(only_a: int, only_b: int) -> float:
    """Exact two-sided p-value of McNemar's test: a fair coin for each image on which the two disagree.

    Also the sign test, with wins of either side.

    Args:
        only_a: Images that only A gets right.
        only_b: Images that only B gets right.
    """
    n = only_a + only_b
    term, total = 1, 0
    for k in range(min(only_a, only_b) + 1):  # whole numbers: exact for any n
        total += term
        term = term * (n - k) // (k + 1)
    return float(min(1.0, 2 * total / 2**n))


def bootstrap(differences: Sequence[float], seed: int = 0) -> Estimate:
    """Mean of per-image differences with its percentile interval over resampled images.

    Args:
        differences: B minus A, image by image; not empty.
        seed: Of the resampling, so that the same runs give the same interval.
    """
    import numpy as np

    values = np.asarray(differences, dtype=np.float64)
    n = len(values)
    generator = np.random.default_rng(seed)
    means = [values[generator.integers(0, n, n)].mean() for _ in range(REPEATS)] if n > 1 else []
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]) if n > 1 else (None, None)
    return Estimate(
        float(values.mean()),
        None if low is None else float(low),
        None if high is None else float(high),
        None,
        (n,),
        "bootstrap",
    )
