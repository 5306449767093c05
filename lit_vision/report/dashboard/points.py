"""Values small enough for a page: curves with fewer points, numbers with fewer digits. No torch here."""

import math
from collections.abc import Sequence
from typing import Any

Curve = tuple[list[float], list[float]]

DIGITS = 5  # significant; a screen shows about three


def thin(steps: Sequence[float], values: Sequence[float], limit: int) -> Curve:
    """At most `limit` points of a curve: the first, the last, and the extremes of equal stretches between.

    A spike of one step stays visible, which would be lost if every n-th point were kept.

    Args:
        steps: Ascending.
        values: As many; infinite ones and NaN are left out.
        limit: At least 4.
    """
    points = [(step, value) for step, value in zip(steps, values, strict=True) if math.isfinite(value)]
    if len(points) > limit:
        points = [points[0], *_extremes(points[1:-1], (limit - 2) // 2), points[-1]]
    return [step for step, _ in points], [short(value) for _, value in points]


def _extremes(points: list[tuple[float, float]], stretches: int) -> list[tuple[float, float]]:
    """Lowest and highest point of each stretch, in the order of steps."""
    kept = []
    for number in range(stretches):
        stretch = points[len(points) * number // stretches : len(points) * (number + 1) // stretches]
        low, high = min(stretch, key=lambda point: point[1]), max(stretch, key=lambda point: point[1])
        kept += [low] if low[0] == high[0] else sorted((low, high))
    return kept


def short(value: float) -> float:
    """The value with five significant digits."""
    return float(f"{value:.{DIGITS}g}")


def plain(value: Any) -> Any:
    """A value that JSON can hold, numbers shortened: NaN and infinity become None, unknown types their text."""
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return short(value) if math.isfinite(value) else None
        case dict():
            return {str(key): plain(item) for key, item in value.items()}
        case list() | tuple():
            return [plain(item) for item in value]
        case _:
            return str(value)
