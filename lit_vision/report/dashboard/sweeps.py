"""Sweeps: trials, best first; what each parameter did; parallel coordinates. No torch here."""

import math
import statistics
from collections.abc import Sequence
from typing import Any, NamedTuple

from lit_vision.experiment import figures as vocabulary
from lit_vision.report import numbers
from lit_vision.report.collect import Run
from lit_vision.report.dashboard import points
from lit_vision.report.ledger import record

WIDE = 20  # times the smallest value: above, logarithms space an axis better
GAP = 0.07  # of an axis, between its ticks


class Trial(NamedTuple):
    """One run of a sweep.

    Attributes:
        run: The run.
        number: In the sweep.
        parameters: Dotted keys and values.
        value: The judged figure; None while unfinished.
    """

    run: Run
    number: int
    parameters: dict[str, Any]
    value: float | None


class Effect(NamedTuple):
    """What one value of one parameter led to.

    Attributes:
        value: As one would type it.
        trials: Finished ones with this value.
        mean: Of their judged figure.
        best: Of their judged figure.
        is_best: The best trial has this value.
    """

    value: str
    trials: int
    mean: float
    best: float
    is_best: bool


class Sweep(NamedTuple):
    """All trials of one name.

    Attributes:
        name: Of the sweep.
        metric: The judged figure.
        trials: Finished ones best first, then the others by number.
        varied: Parameters with more than one value.
        fixed: Those with one, and the value.
    """

    name: str
    metric: str
    trials: list[Trial]
    varied: list[str]
    fixed: dict[str, Any]

    @property
    def finished(self) -> list[Trial]:
        """Trials with a figure, best first."""
        return [trial for trial in self.trials if trial.value is not None]

    def effects(self, key: str) -> list[Effect]:
        """By value of one parameter, best mean first."""
        choose = min if vocabulary.lower_is_better(self.metric) else max
        groups: dict[str, list[float]] = {}
        for trial in self.finished:
            if trial.value is not None and key in trial.parameters:
                groups.setdefault(numbers.plain(trial.parameters[key]), []).append(trial.value)
        winner = numbers.plain(self.finished[0].parameters.get(key)) if self.finished else ""
        found = [
            Effect(text, len(values), statistics.fmean(values), choose(values), text == winner)
            for text, values in groups.items()
        ]
        return sorted(found, key=lambda effect: effect.mean, reverse=choose is max)


def of_runs(runs: Sequence[Run]) -> list[Sweep]:
    """The sweeps that some runs are trials of, by name."""
    groups: dict[str, list[Run]] = {}
    for run in runs:
        if found := record.sweep(run):
            groups.setdefault(str(found.get("name")), []).append(run)
    return [_sweep(name, members) for name, members in sorted(groups.items())]


def _sweep(name: str, runs: list[Run]) -> Sweep:
    metric = next((str(run.result["metric"]) for run in runs if run.result.get("metric")), "")
    trials = [_trial(run) for run in runs]
    sign = 1 if vocabulary.lower_is_better(metric) else -1
    trials.sort(key=lambda trial: (trial.value is None, sign * (trial.value or 0.0), trial.number))
    keys = list(dict.fromkeys(key for trial in trials for key in trial.parameters))
    values = {key: {numbers.plain(trial.parameters.get(key)) for trial in trials} for key in keys}
    fixed = {key: trials[0].parameters.get(key) for key in keys if len(values[key]) == 1}
    return Sweep(name, metric, trials, [key for key in keys if key not in fixed], fixed)


def _trial(run: Run) -> Trial:
    found = record.sweep(run)
    value = numbers.finite(run.result.get("value"))
    return Trial(run, int(found.get("trial") or 0), dict(found.get("parameters") or {}), value)


def in_words(sweep: Sweep) -> str:
    """What the best trial changed and what that brought, as a sentence."""
    if not sweep.finished:
        return f"None of its {len(sweep.trials)} trials has finished."
    best, worst = sweep.finished[0], sweep.finished[-1]
    setting = ", ".join(f"{key} {numbers.plain(best.parameters.get(key))}" for key in sweep.varied)
    told = f"Best is trial {best.number} with {setting or 'the same parameters as all'}: "
    told += f"{sweep.metric} {numbers.figure(best.value)}"
    if best is worst:
        return f"{told}, the only one finished."
    differing = [key for key in sweep.varied if best.parameters.get(key) != worst.parameters.get(key)]
    other = ", ".join(f"{key} {numbers.plain(worst.parameters.get(key))}" for key in differing)
    return f"{told}; the worst, trial {worst.number} with {other or 'the same'}, reached {numbers.figure(worst.value)}."


def axes(sweep: Sweep) -> list[dict[str, Any]]:
    """Parallel coordinates: an axis for each varied parameter and one for the judged figure.

    Each has `label`, `at` (the position of each finished trial between 0 and 1, None without a value) and `ticks`
    (position and text). Numbers over a wide range are spaced by their logarithm.
    """
    columns = [(key, [trial.parameters.get(key) for trial in sweep.finished]) for key in sweep.varied]
    columns.append((sweep.metric, [trial.value for trial in sweep.finished]))
    return [_axis(label, values) for label, values in columns]


def _axis(label: str, values: list[Any]) -> dict[str, Any]:
    known = [value for value in values if value is not None]
    numeric = all(numbers.finite(value) is not None for value in known)
    place = _along([float(value) for value in known]) if numeric else _apart([numbers.plain(value) for value in known])
    keys = [None if value is None else float(value) if numeric else numbers.plain(value) for value in values]
    return {
        "label": label,
        "at": [None if key is None else points.short(place[key]) for key in keys],
        "ticks": [[points.short(at), f"{key:.4g}" if numeric else key] for key, at in _sparse(place)],
    }


def _along(values: list[float]) -> dict[Any, float]:
    """Positions of numbers, ascending."""
    if not values:
        return {}
    scale = math.log if min(values) > 0 and max(values) > WIDE * min(values) else float
    low, high = scale(min(values)), scale(max(values))
    return {value: (scale(value) - low) / (high - low) if high > low else 0.5 for value in sorted(set(values))}


def _apart(texts: list[str]) -> dict[Any, float]:
    """Positions of names, at equal distances."""
    names = sorted(set(texts))
    return {name: index / (len(names) - 1) if len(names) > 1 else 0.5 for index, name in enumerate(names)}


def _sparse(place: dict[Any, float]) -> list[tuple[Any, float]]:
    """As many ticks as there is room for: each is a good way off the one before; the ends always."""
    ticks = list(place.items())
    kept = ticks[:1]
    for tick in ticks[1:-1]:
        if tick[1] - kept[-1][1] > GAP and 1 - tick[1] > GAP:
            kept.append(tick)
    return kept + ticks[1:][-1:]
