"""How a run learned: its curves, its best step, and whether it was overfitting after that. No torch here."""

import math
import statistics
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from lit_vision.experiment import figures as vocabulary
from lit_vision.report import numbers
from lit_vision.report.collect import Run
from lit_vision.report.dashboard import figures
from lit_vision.report.dashboard.figures import Figure
from lit_vision.report.dashboard.points import Curve

RISE = 0.05  # of the best value: less than that worse is not called overfitting
NOISE = 3  # times the curve's own noise, likewise
FEWEST = 3  # validation passes that allow a statement about overfitting


class Best(NamedTuple):
    """The best of a validation curve, and what became of it.

    Attributes:
        name: The figure, e.g. `val/error`.
        step: Where it was best.
        value: There.
        last_step: Of the curve.
        last: The value there.
        passes: How many validations there were.
        overfits: From the best step on, validation got worse while training went on getting better.
    """

    name: str
    step: float
    value: float
    last_step: float
    last: float
    passes: int
    overfits: bool


def all_curves(run: Run) -> dict[str, Curve]:
    """Every logged curve but those of single classes and of the test pass; what is not finite is left out."""
    curves: defaultdict[str, Curve] = defaultdict(lambda: ([], []))
    for line in run.metrics:
        for name, value in line.items():
            if name not in ("step", "time") and _is_curve(name) and (number := numbers.finite(value)) is not None:
                curves[name][0].append(line["step"])
                curves[name][1].append(number)
    return dict(curves)


def _is_curve(name: str) -> bool:
    return not name.startswith("test/") and not (name.startswith(("train/", "val/")) and name.count("/") > 1)


def judged(run: Run) -> str:
    """The figure that the run is judged by, without its split: `error` of `test/error`."""
    card = run.config.get("card") or {}
    row = (card.get("rows") or {}).get(run.row) or {}
    name = run.result.get("metric") or row.get("metric") or card.get("metric") or ""
    return str(name).rpartition("/")[2]


def best(curves: dict[str, Curve], suffix: str) -> Best | None:
    """The best validation of a figure; None if it was never validated."""
    steps, values = curves.get(f"val/{suffix}", ([], []))
    if not steps:
        return None
    choose = min if vocabulary.lower_is_better(suffix) else max
    at = choose(range(len(values)), key=values.__getitem__)
    # Not a share of the curve's range: the first fall makes that, and hides any later rise.
    worse = abs(values[-1] - values[at]) > max(RISE * abs(values[at]), NOISE * noise(values[at:]))
    overfits = len(values) >= FEWEST and worse and _training_improved(curves, suffix, steps[at])
    return Best(f"val/{suffix}", steps[at], values[at], steps[-1], values[-1], len(values), overfits)


def noise(values: Sequence[float]) -> float:
    """How far single values of a curve lie off its course: from second differences, which a steady rise leaves at 0.

    Returns:
        The standard deviation of the values if they were normal, by the median, which single jumps do not move; 0 for
        fewer than five values, which tell none.
    """
    if len(values) < 5:
        return 0.0
    seconds = [abs(a - 2 * b + c) for a, b, c in zip(values, values[1:], values[2:], strict=False)]
    return 1.4826 * statistics.median(seconds) / math.sqrt(6)


def _training_improved(curves: dict[str, Curve], suffix: str, since: float) -> bool:
    """Whether the training figure (the loss, where the same one is not logged) is better at the end than at a step."""
    name = f"train/{suffix}" if f"train/{suffix}" in curves else "train/loss"
    steps, values = curves.get(name, ([], []))
    later = [value for step, value in zip(steps, values, strict=True) if step >= since]
    if len(later) < 2:
        return False
    ahead = later[0] - later[-1]
    return ahead > 0 if vocabulary.lower_is_better(name) else ahead < 0


def watched(run: Run, curves: dict[str, Curve]) -> list[Best]:
    """What tells whether the run overfits: the judged figure and the loss as they were validated, overfitting first."""
    found = [best(curves, name) for name in dict.fromkeys((judged(run), "loss"))]
    return sorted((item for item in found if item), key=lambda item: not item.overfits)


def in_words(found: Sequence[Best]) -> str:
    """When a run was best and whether it was overfitting after that: the one statement that a page makes of it."""
    if not found:
        return "No validation was logged, so overfitting cannot be seen."
    first = found[0]
    if first.passes < FEWEST:
        return f"{at(first)}; {first.passes} validation passes are too few to tell whether it overfits."
    over = [item for item in found if item.overfits]
    if over:
        rest = "".join(f" {item.name} does not show it: {_course(item)}." for item in found if not item.overfits)
        told = "; ".join(_course(item) for item in over)
        return f"Overfits from step {first.step:g} on: {told}, while training improved.{rest}"
    if all(item.step == item.last_step for item in found):
        return f"No overfitting seen: {at(first)}, its last validation."
    return f"No clear overfitting: {'; '.join(map(_course, found))}."


def at(found: Best) -> str:
    """When a figure was best."""
    return f"{found.name} was best at step {found.step:g} ({found.value:.4g})"


def _course(found: Best) -> str:
    """The same with what became of it."""
    if found.step == found.last_step:
        return f"{at(found)}, its last validation"
    rise = 100 * abs(found.last - found.value) / abs(found.value) if found.value else None
    worse = "" if rise is None else f", {rise:.2g} % worse"
    return f"{at(found)} and {found.last:.4g} at the end{worse}"


def learning_figures(run: Run, curves: dict[str, Curve]) -> dict[str, Figure]:
    """Training and validation of each figure together, the judged one first, by its name without the split."""
    names = dict.fromkeys(name.partition("/")[2] for name in curves if name.startswith(("train/", "val/")))
    first = [name for name in ("loss", judged(run)) if name in names]
    return {name: _figure(curves, name) for name in dict.fromkeys([*first, *names])}


def _figure(curves: dict[str, Curve], suffix: str) -> Figure:
    traces = [
        figures.curve(
            split, curves[f"{split}/{suffix}"], role=split, mode="lines+markers" if split == "val" else "lines"
        )
        for split in ("train", "val")
        if f"{split}/{suffix}" in curves
    ]
    found = best(curves, suffix)
    marks = [figures.mark(found.step, found.value, f"best: {found.value:.4g} at step {found.step:g}")] if found else []
    text = f"{suffix} by optimiser step, {' and '.join(trace['name'] for trace in traces)}."
    text += f" {at(found)}." if found else ""
    return figures.lines(suffix, text, traces, "optimiser step", suffix, marks=marks)


def rate_figure(curves: dict[str, Curve]) -> Figure | None:
    """The learning rate of each parameter group."""
    rates = {name: curve for name, curve in curves.items() if name == "lr" or name.startswith(("lr/", "lr-"))}
    if not rates:
        return None
    top = max(max(values) for _, values in rates.values())
    text = f"Learning rate by optimiser step; at most {top:.4g}."
    traces = [figures.curve(name, curve, role="train" if len(rates) == 1 else "") for name, curve in rates.items()]
    return figures.lines("learning rate", text, traces, "optimiser step", "learning rate")
