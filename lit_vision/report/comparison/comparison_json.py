"""A comparison for other programs. No torch here.

JSON, version 1 (differences are B - A; null where there is none, or NaN):

    {"version": 1, "first": sentence, "a": [run, …], "b": [run, …], "remarks": [text, …],
     "differences": [{"kind", "key", "a": [value, …], "b": [value, …]}, …],
     "figures": [{"name", "a": [value, …], "b": [value, …], "difference": ESTIMATE}, …],
     "pairs": [[run of A, run of B], …],
     "curves": [{"name", "differs_at", "equal_until", "last": [[step, a], [step, b]], "points": [[step, a, b], …]}, …],
     "classes": [{"name", "metric", "count", "a", "b", "difference"}, …],
     "images": null or {"task", "images", "only_a": [LINE, …], "only_b", "both_right", "both_wrong", "p", "difference",
                        "unmeasured": images without an F1}}
    ESTIMATE = {"value", "low", "high", "p", "n": [pairs] or [of A, of B], "method"}
    LINE = {"image", "name", "truth" or "objects", "a": {…}, "b": {…}} with what per_image.jsonl says of either side
"""

import dataclasses
import json
from typing import Any

from lit_vision.report import numbers
from lit_vision.report.comparison import comparison_page
from lit_vision.report.comparison.compare import Comparison
from lit_vision.report.comparison.curve_pairs import CurvePair
from lit_vision.report.ledger import record

VERSION = 1


def render(comparison: Comparison) -> str:
    """The comparison as one JSON object."""
    content = {
        "version": VERSION,
        "first": comparison_page.first(comparison),
        "a": [record.link(run) for run in comparison.a],
        "b": [record.link(run) for run in comparison.b],
        "remarks": list(comparison.remarks),
        "differences": [dataclasses.asdict(difference) for difference in comparison.differences],
        "figures": [
            {"name": figure.name, "a": figure.a, "b": figure.b, "difference": dataclasses.asdict(figure.estimate)}
            for figure in comparison.figures
        ],
        "pairs": [[record.link(a), record.link(b)] for a, b in comparison.pairs],
        "curves": [_curve(curve) for curve in comparison.curves],
        "classes": [dataclasses.asdict(item) | {"difference": item.difference} for item in comparison.classes],
        "images": dataclasses.asdict(comparison.images) if comparison.images else None,
    }
    return json.dumps(content, indent=1, ensure_ascii=False, default=str) + "\n"


def _curve(curve: CurvePair) -> dict[str, Any]:
    return {
        "name": curve.name,
        "differs_at": curve.differs_at,
        "equal_until": curve.equal_until,
        "last": [[step, numbers.finite(value)] for step, value in curve.last],
        "points": [[step, numbers.finite(a), numbers.finite(b)] for step, a, b in curve.points],
    }
