"""What a sweep has found so far, as text: the table of trials and the best parameters. No torch here."""

import math
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lit_vision.sweeps import definition, lease
from lit_vision.sweeps.board import SETTLED, State, Trial
from lit_vision.sweeps.definition import SEED, Sweep

STOPPED = "stopped"  # of a running trial whose agent was killed

_REPEATS = (SEED, "data.seed")


@dataclass(frozen=True)
class Group:
    """Finished trials that differ in their seed alone.

    Attributes:
        values: What they have in common, by dotted key.
        trials: The trials.
        planned: How many the plan has.
    """

    values: dict[str, Any]
    trials: list[Trial]
    planned: int

    @property
    def mean(self) -> float:
        """Mean of the metric over seeds."""
        return statistics.fmean(trial.value or 0.0 for trial in self.trials)

    @property
    def spread(self) -> float | None:
        """Standard deviation over seeds (n - 1); None for one seed."""
        return statistics.stdev(trial.value or 0.0 for trial in self.trials) if len(self.trials) > 1 else None

    def figure(self) -> str:
        """Mean, spread and number of seeds."""
        spread = "" if self.spread is None else f" ± {self.spread:.3g}"
        missing = f" of {self.planned}" if self.planned > len(self.trials) else ""
        seeds = f", {len(self.trials)}{missing} seeds" if self.planned > 1 else ""
        return f"{self.mean:.6g}{spread}{seeds}"


def groups(trials: Sequence[Trial], goal: str) -> list[Group]:
    """Groups of finished trials, best mean first; those whose seeds are all there go before the others."""
    by_values: dict[str, list[Trial]] = {}
    for trial in trials:
        by_values.setdefault(str(_common(trial)), []).append(trial)
    found = []
    for members in by_values.values():
        finished = [trial for trial in members if trial.state is State.FINISHED]
        if finished:
            found.append(Group(_common(finished[0]), finished, len(members)))
    sign = 1 if goal == "minimize" else -1
    return sorted(found, key=lambda group: (len(group.trials) < group.planned, sign * group.mean))


def table(sweep: Sweep, trials: Sequence[Trial], now: float | None = None) -> str:
    """One line a trial: number, state, metric, parameters, owner and how long ago it gave a sign of life."""
    names = [one.name for one in sweep.parameters]
    names += [SEED] if any(SEED in trial.values for trial in trials) and SEED not in names else []
    short = definition.short_names(names)
    rows = [("trial", "state", sweep.metric, *(short[name] for name in names), "owner", "last sign")]
    for trial in trials:
        shown = [cell(trial.values.get(name)) for name in names]
        running = trial.state is State.RUNNING
        owner = (trial.lease.get("owner", "?"), _age(trial, now)) if running else ("", "")
        rows.append((f"{trial.point:03}", state_of(trial), cell(trial.value), *shown, *owner))
    return "\n".join([_aligned(rows), "", _counts(trials), *_failures(trials)])


def as_json(trials: Sequence[Trial], folder: Path) -> list[dict[str, Any]]:
    """The same for programs."""
    return [
        {
            "trial": trial.point,
            "state": state_of(trial),
            "value": trial.value if trial.value is None or math.isfinite(trial.value) else None,
            "parameters": trial.values,
            "attempts": trial.attempts + (trial.state is not State.WAITING),
            "owner": trial.lease.get("owner") if trial.state is State.RUNNING else None,
            "failure": trial.failure or None,
            "run": str(folder / f"{trial.point:03}"),
        }
        for trial in trials
    ]


def state_of(trial: Trial) -> str:
    """What a trial is doing; one whose agent is gone does nothing until somebody resumes the sweep."""
    return STOPPED if trial.state is State.RUNNING and lease.is_dead(trial.lease) else str(trial.state)


def _common(trial: Trial) -> dict[str, Any]:
    return {key: value for key, value in trial.values.items() if key not in _REPEATS}


def _counts(trials: Sequence[Trial]) -> str:
    states = [state_of(trial) for trial in trials]
    counted = [(states.count(state), state) for state in (*State, STOPPED)]
    done = sum(trial.state in SETTLED for trial in trials)
    told = f"{done} of {len(trials)} done: " + ", ".join(f"{number} {state}" for number, state in counted if number)
    return told + ("; lit-vision sweep resume continues them" if STOPPED in states else "")


def _failures(trials: Sequence[Trial]) -> list[str]:
    """The last line of each failed trial."""
    return [f"{trial.point:03} failed: {trial.failure.splitlines()[-1]}" for trial in trials if trial.failure]


def _age(trial: Trial, now: float | None) -> str:
    if "time" not in trial.lease:
        return "none"
    return f"{max(0.0, (now or time.time()) - trial.lease['time']):.0f} s ago"


def cell(value: Any) -> str:
    """A value as a person reads it."""
    if value is None:
        return "-"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )
