"""Figures as plain values: what to draw, not how it looks. `templates/figures.js` paints them with plotly.

A figure is `{kind, title, text, …}`: `text` tells its content in words, for those who cannot see it. Kinds:

- `lines`: traces of x and y; `marks` are points with a label, such as the best step;
- `bars`: one trace a group of bars;
- `heat`: a matrix.

`variants` holds several figures of which a menu chooses one. No torch here.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from lit_vision.report.dashboard import points
from lit_vision.report.dashboard.points import Curve

Figure = dict[str, Any]
Trace = dict[str, Any]

POINTS = 500  # a curve: a screen shows no more


def trace(name: str, x: Sequence[Any], y: Sequence[Any], role: str = "", **look: Any) -> Trace:
    """One curve, or one group of bars.

    Args:
        name: For the legend.
        x: Positions.
        y: Values, as many.
        role: What it is, which decides its colour: `train`, `val`, `quiet`, or empty for the next colour.
        look: `mode` (plotly's: lines, markers, lines+markers), `dash` (a dashed line), `hover` (a text a point).
    """
    return {"name": name, "x": list(x), "y": list(y), "role": role} | look


def curve(name: str, content: Curve, role: str = "", **look: Any) -> Trace:
    """A logged curve, thinned to what a screen can show."""
    return trace(name, *points.thin(*content, POINTS), role=role, **look)


def lines(title: str, text: str, traces: Sequence[Trace], x: str, y: str, **axes: Any) -> Figure:
    """Curves in one pair of axes.

    Args:
        title: For the caption.
        text: The content in words.
        traces: The curves.
        x: Label of the horizontal axis.
        y: Label of the vertical axis.
        axes: `marks`, `x_range`, `y_range`, `y_log`.
    """
    return {"kind": "lines", "title": title, "text": text, "traces": list(traces), "x": x, "y": y} | axes


def bars(title: str, text: str, traces: Sequence[Trace], x: str, y: str, **axes: Any) -> Figure:
    """Bars from the left, a name each; `x` labels the names, `y` the values; several traces stand together."""
    return {"kind": "bars", "title": title, "text": text, "traces": list(traces), "x": x, "y": y} | axes


def heat(title: str, text: str, matrix: Sequence[Sequence[float]], names: Sequence[str], x: str, y: str) -> Figure:
    """A matrix, its first row on top."""
    return {"kind": "heat", "title": title, "text": text, "z": matrix, "names": list(names), "x": x, "y": y}


def variants(label: str, choices: Mapping[str, Figure]) -> Figure:
    """One of several figures, chosen from a menu; the first is shown first.

    Args:
        label: Of the menu.
        choices: Figures by the menu's entries, not empty.
    """
    first = next(iter(choices.values()))
    return {"kind": "variants", "label": label, "title": first["title"], "text": first["text"]} | {
        "choices": [[name, figure] for name, figure in choices.items()]
    }


def mark(x: float, y: float, label: str) -> dict[str, Any]:
    """A point worth a label."""
    return {"x": x, "y": points.short(y), "label": label}
