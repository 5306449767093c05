"""95 % intervals by Student's t. No torch here; SciPy only when asked."""

import statistics
from collections.abc import Sequence

FEWEST = 3  # values below which no interval is given


def half_width(values: Sequence[float]) -> float:
    """Half the width of the interval of a mean."""
    return reach(statistics.stdev(values) / len(values) ** 0.5, len(values) - 1)


def reach(scale: float, degrees: float) -> float:
    """How far the interval reaches from an estimate.

    Args:
        scale: Standard error.
        degrees: Degrees of freedom.
    """
    from scipy import special  # `scipy.stats` has the same quantile, and takes a second to import

    return scale * float(special.stdtrit(degrees, 0.975))
