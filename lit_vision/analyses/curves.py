"""Error curves of several runs in one picture (ResNet paper, Figures 1, 4 and 6; rectifiers paper, Figures 2 and 3)."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lit_vision.analyses.base import Analysis, Array, Findings, Subject, by_row
from lit_vision.errors import InputError
from lit_vision.experiment import figures as vocabulary

CURVES = {"train": "train/error", "val": "val/error"}
MANY = 10_000  # steps from which the papers count in ten thousands


class Curves(Analysis):
    """Training and validation error along training, as the runs logged them; no network is built and no image read.

    Where a recipe validates on the test split, as for CIFAR, the validation error is the paper's test error. Figures
    of each run: the last `train_error` and `val_error`; `first_step`, the iteration at which the validated error is
    first at or below `level`; and `above`, the share, in percent, of the iterations logged by both at which the
    training error is above that of the row's first run.

    Args:
        level: Error in percent.
        limits: Lowest and highest error of the plot; as the data need it if None.
        panels: `one` for all curves, or `two`: training left, validation right (Figure 1).
    """

    logs: ClassVar = vocabulary.CURVES

    def __init__(
        self,
        level: float = 10.0,
        limits: tuple[float, float] | None = None,
        panels: Literal["one", "two"] = "one",
    ) -> None:
        self.level = level
        self.limits = limits
        self.panels = panels

    def look(self, subjects: Sequence[Subject]) -> Findings:
        """Arrays `train_steps`, `train`, `val_steps` and `val` of each run.

        Raises:
            InputError: A run has not logged one of the curves, or nothing was trained.
        """
        curves = {subject.name: _logged(subject) for subject in subjects}
        figures = {row: self._figures(found) for row, found in curves.items()}
        reference = next(iter(curves.values()))
        above = {
            f"above/{row}": _share_above(found, reference) for row, found in curves.items() if found is not reference
        }
        return Findings(by_row(figures) | above, by_row(curves))

    def _figures(self, curves: Mapping[str, Array]) -> dict[str, float]:
        reached = curves["val_steps"][curves["val"] <= self.level]
        return {
            "train_error": float(curves["train"][-1]),
            "val_error": float(curves["val"][-1]),
            "first_step": float(reached[0]) if len(reached) else float("nan"),
        }

    def draw(self, findings: Findings, title: str) -> Figure:
        """Training thin and dashed, validation bold, one colour per run."""
        figure = Figure(figsize=(9.6, 4.0) if self.panels == "two" else (6.4, 4.4), layout="constrained")
        axes = figure.subplots(1, 2 if self.panels == "two" else 1, sharey=True, squeeze=False)[0]
        left, right = axes[0], axes[-1]
        for number, row in enumerate(findings.series("train")):
            _plot(left, findings, "train", row, color=f"C{number}", linestyle="--", linewidth=0.8)
            _plot(right, findings, "val", row, color=f"C{number}", linewidth=2, label=row)
        left.set_ylabel("training error (%)" if self.panels == "two" else "error (%)")
        if self.panels == "two":
            right.set_ylabel("validation error (%)")
        for one in axes:
            one.set_ylim(self.limits)
            one.grid(alpha=0.3)
        right.legend()
        figure.suptitle(title)
        return figure


def _logged(subject: Subject) -> dict[str, Array]:
    """Steps and errors of both curves."""
    found: dict[str, Array] = {}
    for name, logged in CURVES.items():
        points = [(line["step"], line[logged]) for line in subject.log if line.get(logged) is not None]
        if not points:
            raise InputError(
                f"analysis Curves: {subject.name!r} has logged no {logged}; name rows that train by `members`"
            )
        found[f"{name}_steps"], found[name] = (np.array(each) for each in zip(*points, strict=True))
    return found


def _share_above(found: Mapping[str, Array], reference: Mapping[str, Array]) -> float:
    """Of the steps that both have logged, in percent; NaN if there is none."""
    _, ours, theirs = np.intersect1d(found["train_steps"], reference["train_steps"], return_indices=True)
    higher = found["train"][ours] > reference["train"][theirs]
    return 100 * float(higher.mean()) if len(higher) else float("nan")


def _plot(axes: Axes, findings: Findings, curve: str, row: str, **style: Any) -> None:
    steps = findings.series(f"{curve}_steps")[row]
    many = max(values[-1] for values in findings.series("train_steps").values()) >= MANY
    axes.plot(steps / MANY if many else steps, findings.series(curve)[row], **style)
    axes.set_xlabel("iterations (1e4)" if many else "iterations")
