"""Accuracy over time of several detectors, with what a paper prints behind it (RetinaNet, 1708.02002, Figure 2)."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lit_vision.analyses.base import Analysis, Findings, Subject, by_row
from lit_vision.errors import InputError
from lit_vision.experiment import figures as vocabulary

LOGGED = {"ap": "test/ap", "ms": "analysis/total_ms"}


class SpeedAccuracy(Analysis):
    """AP and milliseconds per image of each run, as its own test, later tests and analyses have said; nothing is run.

    Printed times are of the paper's machine, and ours of the one that measured them: only points of one colour compare.

    Args:
        printed: Points of the paper by label, each milliseconds and AP; several make a line.
    """

    logs: ClassVar = vocabulary.SPEED

    def __init__(self, printed: Mapping[str, Sequence[tuple[float, float]]] | None = None) -> None:
        self.printed = {label: sorted(points) for label, points in (printed or {}).items()}

    def look(self, subjects: Sequence[Subject]) -> Findings:
        """Figures `ap` and `ms` of each run.

        Raises:
            InputError: A run has not been tested with public annotations, or has not been timed.
        """
        return Findings(by_row({subject.name: _said(subject) for subject in subjects}))

    def draw(self, findings: Findings, title: str) -> Figure:
        """Ours in colour, the paper's in grey."""
        figure = Figure(figsize=(7.2, 4.8), layout="constrained")
        axes = figure.subplots()
        self._draw_printed(axes)
        for name, milliseconds in findings.figures.items():
            kind, _, row = name.partition("/")
            if kind == "ms":
                axes.plot(milliseconds, findings.figures[f"ap/{row}" if row else "ap"], "o", label=row or "this run")
        axes.set_xlabel("ms per image")
        axes.set_ylabel("AP")
        axes.grid(alpha=0.3)
        axes.legend(fontsize="small")
        figure.suptitle(title)
        return figure

    def _draw_printed(self, axes: Axes) -> None:
        for label, points in self.printed.items():
            times, values = zip(*points, strict=True)
            axes.plot(times, values, "s--", color="0.7", markersize=4, zorder=1)
            axes.annotate(label, points[-1], xytext=(4, 4), textcoords="offset points", color="0.5", fontsize="small")


def _said(subject: Subject) -> dict[str, float]:
    """The first figure of each kind that anything has said of a run."""
    said, found = list(subject.said().values()), {}
    for name, logged in LOGGED.items():
        values = [value for figures in said if (value := figures.get(logged)) is not None]
        if not values:
            raise InputError(
                f"analysis SpeedAccuracy: nothing has measured {logged} of {subject.name!r};\n"
                "run a row that does so on its weights, by lit-vision test with --row and --run"
            )
        found[name] = values[0]
    return found
