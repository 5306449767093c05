"""The study of a sweep as a board of points: who may take which, what came of each. No torch here.

Every agent may write at any time and may be killed at any time, so no step relies on the one before it:

- The plan is a function of the stored sweep file. Whoever comes adds the points that have no trial yet (`fill`).
- Several trials may exist for one point: agents that filled at the same time, or earlier owners that died. The first
  that stands is the point's trial. Trials are numbered in the order in which they become visible, so all agents agree
  which it is.
- A trial begins once (Optuna's state goes from waiting to running for one agent only) and never waits again. What is
  to be done again is marked as failed without a reason, so that it does not stand, and `fill` adds a trial with the
  same point, values and folder.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

from lit_vision.sweeps import lease, points
from lit_vision.sweeps.definition import Sweep
from lit_vision.sweeps.lease import Lease
from lit_vision.sweeps.points import Point


class State(StrEnum):
    """What is known of a point."""

    WAITING = "waiting"
    RUNNING = "running"
    FINISHED = "finished"
    PRUNED = "pruned"
    FAILED = "failed"


_STATES = {
    TrialState.WAITING: State.WAITING,
    TrialState.RUNNING: State.RUNNING,
    TrialState.COMPLETE: State.FINISHED,
    TrialState.PRUNED: State.PRUNED,
    TrialState.FAIL: State.FAILED,
}
SETTLED = (State.FINISHED, State.PRUNED, State.FAILED)


class LostError(Exception):
    """Another agent has taken the trial over, because this one was silent for longer than a lease."""


@dataclass(frozen=True)
class Trial:
    """A point and the trial that stands for it.

    Attributes:
        point: Number in the plan.
        state: What is known.
        values: What the trial gets by dotted key; empty until the sampler of `bayes` has chosen.
        value: The metric, once finished; the last one of a pruned trial.
        failure: Last lines of a failed trial.
        lease: The owner's lease.
        attempts: Earlier trials of the same point, begun and not finished.
        id: Optuna's id of the trial.
    """

    point: int
    state: State
    values: dict[str, Any]
    value: float | None
    failure: str
    lease: Lease
    attempts: int
    id: int


class Board:
    """A sweep's study.

    Args:
        storage: Where it is kept.
        name: The sweep.
        sweep: The sweep file's content.
        plan: Every point.
    """

    def __init__(self, storage: BaseStorage, name: str, sweep: Sweep, plan: list[Point]) -> None:
        self.storage = storage
        self.sweep = sweep
        self.plan = plan
        self.study = optuna.load_study(study_name=name, storage=storage, pruner=_pruner(sweep))

    def trials(self) -> list[Trial]:
        """Each point's trial, in the plan's order; points that have none yet are left out."""
        by_point = self._by_point()
        return [_of_point(point.number, by_point[point.number]) for point in self.plan if point.number in by_point]

    def fill(self) -> None:
        """Adds a waiting trial for each point that has none."""
        by_point = self._by_point()
        for point in self.plan:
            trials = by_point.get(point.number, [])
            if not _standing(trials):
                self._add(point, trials)

    def retry(self) -> None:
        """Queues the failed trials again; they go on from their folders."""
        by_point = self._by_point()
        for trial in self.trials():
            if trial.state is State.FAILED:
                self._add(self.plan[trial.point], by_point[trial.point], again=True)

    def claim(self, beat: int = 0) -> Trial | None:
        """Takes the first waiting point; None if there is none. No other agent gets the same."""
        for trial in self.trials():
            if trial.state is not State.WAITING:
                continue
            try:
                mine = self.storage.set_trial_state_values(trial.id, TrialState.RUNNING)
            except UpdateFinishedTrialError:
                continue
            if mine:
                self.beat(trial, beat)
                return self._begin(trial)
        return None

    def beat(self, trial: Trial, number: int) -> None:
        """Renews the lease.

        Raises:
            LostError: If another agent has taken the trial over.
        """
        self._set(trial, "lease", lease.sign(number))

    def report(self, trial: Trial, step: int, value: float) -> bool:
        """Notes a figure of a running trial; returns whether it should be pruned.

        Raises:
            LostError: If another agent has taken the trial over.
        """
        try:
            self.storage.set_trial_intermediate_value(trial.id, step, value)
            return self.study.pruner.prune(self.study, self.storage.get_trial(trial.id))
        except UpdateFinishedTrialError:
            raise LostError from None

    def finish(self, trial: Trial, value: float) -> None:
        """Records the metric of a finished trial."""
        self._settle(trial, TrialState.COMPLETE, value)

    def prune(self, trial: Trial, value: float | None) -> None:
        """Records that a trial was stopped early at this metric, None if that was no number."""
        self._settle(trial, TrialState.PRUNED, value)

    def fail(self, trial: Trial, reason: str) -> None:
        """Records a failure for good."""
        self._set(trial, "failure", reason)
        self._settle(trial, TrialState.FAIL)

    def requeue(self, trial: Trial) -> None:
        """Gives a trial up, to be continued from its folder by whoever comes first."""
        self._settle(trial, TrialState.FAIL)
        self.fill()

    def _begin(self, trial: Trial) -> Trial:
        """Gives the trial its values: those of the plan, or what the sampler chooses."""
        # A sampler of its own for each point: agents that start together must not choose the same.
        self.study.sampler = optuna.samplers.TPESampler(seed=trial.point, constant_liar=True)
        running = optuna.trial.Trial(self.study, trial.id)
        raw = {one.name: one.suggest(running) for one in self.sweep.parameters}
        values = trial.values or points.values(self.sweep, raw)
        self._set(trial, "values", values)
        return replace(trial, state=State.RUNNING, values=values)

    def _by_point(self) -> dict[int, list[FrozenTrial]]:
        """All trials of each point, in the order in which they became visible."""
        by_point: dict[int, list[FrozenTrial]] = {}
        for trial in sorted(self.study.get_trials(deepcopy=False), key=lambda trial: trial.number):
            by_point.setdefault(trial.user_attrs.get("point", -1), []).append(trial)
        return by_point

    def _add(self, point: Point, before: list[FrozenTrial], again: bool = False) -> None:
        """Queues a point, with the values that an earlier trial of it has drawn."""
        begun = next((trial for trial in reversed(before) if trial.params), None)
        raw, values = (begun.params, begun.user_attrs.get("values")) if begun else (point.raw, point.values)
        again = again or any("again" in trial.user_attrs for trial in before)
        mark = {"again": True} if again else {}
        self.study.enqueue_trial(raw, user_attrs={"point": point.number, "values": values or point.values} | mark)

    def _set(self, trial: Trial, key: str, content: Any) -> None:
        try:
            self.storage.set_trial_user_attr(trial.id, key, content)
        except UpdateFinishedTrialError:
            raise LostError from None

    def _settle(self, trial: Trial, state: TrialState, value: float | None = None) -> None:
        values = None if value is None else [value]
        try:
            self.storage.set_trial_state_values(trial.id, state, values)
        except UpdateFinishedTrialError:
            raise LostError from None


def _of_point(number: int, trials: list[FrozenTrial]) -> Trial:
    """What stands for a point; between two owners, it waits."""
    standing = _standing(trials)
    chosen = standing[0] if standing else trials[-1]
    attributes = chosen.user_attrs
    last = chosen.intermediate_values[chosen.last_step] if chosen.last_step is not None else None
    return Trial(
        point=number,
        state=_STATES[chosen.state] if standing else State.WAITING,
        values=attributes.get("values") or {},
        value=chosen.values[0] if chosen.values else last,
        failure=attributes.get("failure", ""),
        lease=attributes.get("lease") or {},
        attempts=len(trials) - len(standing),
        id=chosen._trial_id,
    )


def _standing(trials: list[FrozenTrial]) -> list[FrozenTrial]:
    """The trials of a point that count: not given up, and no failure that was queued again since."""
    again = max((trial.number for trial in trials if "again" in trial.user_attrs), default=-1)
    return [
        trial
        for trial in trials
        if trial.state is not TrialState.FAIL or ("failure" in trial.user_attrs and trial.number >= again)
    ]


def _pruner(sweep: Sweep) -> optuna.pruners.BasePruner:
    """W&B's Hyperband compares trials at iterations min_iter × eta^n, which Optuna calls successive halving."""
    if sweep.early_terminate is None:
        return optuna.pruners.NopPruner()
    return optuna.pruners.SuccessiveHalvingPruner(
        min_resource=sweep.early_terminate["min_iter"], reduction_factor=sweep.early_terminate["eta"]
    )
