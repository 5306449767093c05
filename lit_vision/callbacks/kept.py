"""Checkpoints that stay: the best by a validation figure, and milestones."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import lightning as L

from lit_vision import nearest
from lit_vision.errors import InputError
from lit_vision.runs import checkpoints, durable


@dataclass
class Keep:
    """When a run saves, and what it keeps beside its last checkpoint; `checkpoint:` in a recipe or overlay.

    Attributes:
        every: Optimiser steps between saves beside those after validations; None saves at validations only.
        best: How many of the best checkpoints to keep.
        monitor: Validation figure that says which are best, such as `val/error`.
        mode: Whether the best is the lowest or the highest.
        milestones: Optimiser steps whose checkpoints are kept.
    """

    every: int | None = None
    best: int = 0
    monitor: str | None = None
    mode: Literal["min", "max"] = "min"
    milestones: Sequence[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.every is not None and self.every < 1:
            raise InputError(f"checkpoint.every is {self.every}; it must be at least 1, or null for validations only")
        if self.best < 0 or (self.best and not self.monitor):
            raise InputError(
                f"checkpoint.best is {self.best}, checkpoint.monitor is {self.monitor}; "
                f"say which figure judges, for example --checkpoint.monitor val/error"
            )
        if self.monitor and not self.best:
            raise InputError(
                f"checkpoint.monitor is {self.monitor}, but checkpoint.best is 0, so that nothing is kept by it; "
                "say how many are kept, for example --checkpoint.best 1"
            )


class Kept:
    """The best checkpoints and the milestones of a run.

    A kept checkpoint is a second name of what was `last.ckpt` at its step, so it costs no second write, and its weights
    as safetensors. Which ones are the best is part of the run's state: a continued run keeps the same ones.

    Args:
        folder: The run's checkpoints.
        keep: What to keep.
    """

    def __init__(self, folder: Path, keep: Keep) -> None:
        self.folder = folder
        self.keep = keep
        self.best: list[tuple[float, int]] = []  # figure and step, best first

    def judge(self, trainer: L.Trainer) -> None:
        """Takes the step into the best if its validation figure is good enough; called before it is saved.

        Raises:
            InputError: If the figure was not logged; names those that were.
        """
        if not self.keep.best:
            return
        self.check(trainer)
        figures = trainer.callback_metrics
        sign = 1 if self.keep.mode == "min" else -1
        entries = {step: figure for figure, step in self.best}
        entries[trainer.global_step] = float(figures[str(self.keep.monitor)])
        ordered = sorted(((figure, step) for step, figure in entries.items()), key=lambda e: (sign * e[0], e[1]))
        self.best = ordered[: self.keep.best]

    def check(self, trainer: L.Trainer) -> None:
        """Checks, after a validation, that it logs what says which checkpoints are best.

        Raises:
            InputError: If the figure was not logged; names the nearest that was.
        """
        known = [name for name in trainer.callback_metrics if name.startswith("val/")]
        if self.keep.best and self.keep.monitor not in known:
            hint = nearest.hint(str(self.keep.monitor), known)
            raise InputError(f"checkpoint.monitor: validation logs no {self.keep.monitor}; {hint}")

    def settle(self, step: int) -> None:
        """Gives `last.ckpt` of this step its lasting names, and removes what is no longer among the best.

        Done again after a kill, it completes what the kill cut short.
        """
        best = {f"best-{kept}" for _, kept in self.best}
        for name in {f"best-{step}"} & best | ({f"step-{step}"} if step in self.keep.milestones else set()):
            path = self.folder / f"{name}.ckpt"
            if not path.is_file():
                durable.same_content(self.folder / checkpoints.LAST, path)
            if not path.with_suffix(".safetensors").is_file():
                checkpoints.export_weights(path)
        for path in self.folder.glob("best-*"):
            if path.stem not in best:
                path.unlink(missing_ok=True)

    def load(self, best: list[Any], step: int) -> None:
        """Takes the state of the run that is continued over.

        Args:
            best: Figures and steps.
            step: The step it continues from.
        """
        # A run that starts from another run's file has none of its others.
        known = [(float(figure), int(at)) for figure, at in best]
        there = [(figure, at) for figure, at in known if at == step or (self.folder / f"best-{at}.ckpt").is_file()]
        self.best = there
