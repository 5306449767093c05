"""Numbers as a reader wants them. No torch here."""

import math
from typing import Any

NONE = "-"
LARGE = 1e6  # from here on decimals say nothing, and digits little


def finite(value: Any) -> float | None:
    """The number, or None for anything that is none: text, NaN, infinity, a truth value."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def figure(value: float | None) -> str:
    """A logged figure: two decimals as the papers print them, three digits where that would leave nothing or a row."""
    if value is None:
        return NONE
    return f"{value:.2f}" if 0.1 <= abs(value) < LARGE or value == 0 else f"{value:.3g}"


def printed(value: float | None) -> str:
    """A figure as the paper prints it."""
    return NONE if value is None else f"{value:g}"


def signed(value: float | None) -> str:
    """A difference."""
    if value is None:
        return NONE
    return f"{value:+.2f}" if 0.01 <= abs(value) < LARGE or value == 0 else f"{value:+.2g}"


def spread(mean: float | None, deviation: float | None) -> str:
    """Mean and, where there is one, standard deviation."""
    if mean is None or deviation is None:
        return figure(mean)
    fine = 0.1 <= abs(mean) < LARGE and deviation < LARGE
    return f"{figure(mean)} ± {deviation:.2f}" if fine else f"{figure(mean)} ± {deviation:.2g}"


def count(value: float | None) -> str:
    """A number of things."""
    return NONE if value is None else f"{value:,.0f}"


def duration(hours: float | None) -> str:
    """A duration in the unit that suits it."""
    if hours is None:
        return NONE
    seconds = hours * 3600
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{hours:.1f} h"


def plain(value: Any) -> str:
    """A configured value as one would type it."""
    if value is None:
        return "null"
    if isinstance(value, float):
        return f"{value:.10g}"  # 0.3 and not 0.30000000000000004, which a search's arithmetic leaves
    return str(value).lower() if isinstance(value, bool) else str(value)
