"""Sweeps: trials, best first; what each parameter did; parallel coordinates. No torch here.

Trials are ranked as `lit-vision sweep best` ranks them: by the last value of the sweep's own metric, the mean over
seeds where settings were repeated. What the test pass measured chooses nothing.
"""

import math
import statistics
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from lit_vision.experiment import figures as vocabulary
from lit_vision.report import numbers
from lit_vision.report.collect import Run
from lit_vision.report.dashboard import chance, learning, points
from lit_vision.report.ledger import record

WIDE = 20  # times the smallest value: above, logarithms space an axis better
GAP = 0.07  # of an axis, between its ticks
SEEDS = ("seed_everything", "data.seed")


class Trial(NamedTuple):
    """One run of a sweep.

    Attributes:
        run: The run.
        number: In the sweep; for W&B's agent the id of the run.
        parameters: Dotted keys and values.
        value: The last one of the sweep's metric; None while unfinished, and where it was not logged.
    """

    run: Run
    number: int | str
    parameters: dict[str, Any]
    value: float | None


class Effect(NamedTuple):
    """What one value of one parameter led to.

    Attributes:
        value: As one would type it.
        trials: Finished ones with this value.
        mean: Of the sweep's metric.
        best: Of the sweep's metric.
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
        metric: What ranks its trials.
        lower: Whether small values of it are good.
        trials: Finished ones best first, then the others by number.
        varied: Parameters with more than one value.
        fixed: Those with one, and the value.
    """

    name: str
    metric: str
    lower: bool
    trials: list[Trial]
    varied: list[str]
    fixed: dict[str, Any]

    @property
    def finished(self) -> list[Trial]:
        """Trials with a figure, best first."""
        return [trial for trial in self.trials if trial.value is not None]

    def effects(self, key: str) -> list[Effect]:
        """By value of one parameter, best mean first."""
        choose = min if self.lower else max
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
    metric, lower = _metric(runs)
    trials = [_trial(run, metric) for run in runs]
    trials.sort(key=_rank(trials, lower))
    keys = list(dict.fromkeys(key for trial in trials for key in trial.parameters))
    values = {key: {numbers.plain(trial.parameters.get(key)) for trial in trials} for key in keys}
    fixed = {key: trials[0].parameters.get(key) for key in keys if len(values[key]) == 1}
    return Sweep(name, metric, lower, trials, [key for key in keys if key not in fixed], fixed)


def _metric(runs: Sequence[Run]) -> tuple[str, bool]:
    """What the sweep file ranks by, and whether low is good; where no trial says it, the validation's judged figure."""
    told = next((found for run in runs if "metric" in (found := record.sweep(run))), None)
    if told:
        return told["metric"], told.get("goal", "minimize") == "minimize"
    name = next((f"val/{name}" for run in runs if (name := learning.judged(run))), "")
    return name, vocabulary.lower_is_better(name)


def _trial(run: Run, metric: str) -> Trial:
    found = record.sweep(run)
    logged = run.curve(metric)[1] if run.finished else []
    value = numbers.finite(logged[-1]) if logged else None
    number = found.get("trial")
    return Trial(run, 0 if number is None else number, dict(found.get("parameters") or {}), value)


def _rank(trials: Sequence[Trial], lower: bool) -> Callable[[Trial], tuple[Any, ...]]:
    """Sorts by the mean over the seeds of a setting, settings with fewer seeds than others after them."""
    groups: dict[str, list[float]] = {}
    for trial in trials:
        if trial.value is not None:
            groups.setdefault(_setting(trial), []).append(trial.value if lower else -trial.value)
    most = max(map(len, groups.values()), default=1)

    def key(trial: Trial) -> tuple[Any, ...]:
        number = (isinstance(trial.number, str), trial.number)
        if trial.value is None:
            return (True, False, 0.0, "", 0.0, number)
        members = groups[_setting(trial)]
        mean, value = statistics.fmean(members), trial.value if lower else -trial.value
        return (False, len(members) < most, mean, _setting(trial) if most > 1 else "", value, number)

    return key


def _setting(trial: Trial) -> str:
    """The parameters without the seeds, as text."""
    return repr(sorted((key, numbers.plain(value)) for key, value in trial.parameters.items() if key not in SEEDS))


def in_words(sweep: Sweep) -> str:
    """What the best trial changed, what that brought, and whether chance explains it."""
    done = sum(trial.run.finished for trial in sweep.trials)
    if not sweep.finished:
        none = (
            f"No trial has logged {sweep.metric or 'a validation'}, so none is called best; the test set chooses none."
        )
        return none if done else f"None of its {len(sweep.trials)} trials has finished."
    best, worst = sweep.finished[0], sweep.finished[-1]
    setting = ", ".join(f"{key} {numbers.plain(best.parameters.get(key))}" for key in sweep.varied)
    told = f"Best is trial {best.number} with {setting or 'the same parameters as all'}: "
    told += f"{sweep.metric} {numbers.figure(best.value)}{_over_seeds(sweep, best)}"
    if best is worst:
        return f"{told}, the only one finished."
    differing = [key for key in sweep.varied if best.parameters.get(key) != worst.parameters.get(key)]
    other = ", ".join(f"{key} {numbers.plain(worst.parameters.get(key))}" for key in differing)
    told += f"; the worst, trial {worst.number} with {other or 'the same'}, reached {numbers.figure(worst.value)}."
    others = [(str(trial.number), trial.run) for trial in sweep.finished[1:]]
    return " ".join(text for text in (told, _chosen_on(sweep), _ties(sweep), chance.in_words(best.run, others)) if text)


def _over_seeds(sweep: Sweep, best: Trial) -> str:
    values = [t.value for t in sweep.finished if t.value is not None and _setting(t) == _setting(best)]
    return f" (mean of {len(values)} seeds {numbers.figure(statistics.fmean(values))})" if len(values) > 1 else ""


def _chosen_on(sweep: Sweep) -> str:
    return f"The sweep ranks by {sweep.metric}: its best is chosen on test images." if "test/" in sweep.metric else ""


def _ties(sweep: Sweep) -> str:
    first, *rest = sweep.finished
    equal = [str(trial.number) for trial in rest if trial.value == first.value]
    return f"It shares that value with trial {', '.join(equal)}: the lower number goes first." if equal else ""


def axes(sweep: Sweep) -> list[dict[str, Any]]:
    """Parallel coordinates: an axis for each varied parameter and one for the sweep's metric.

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
