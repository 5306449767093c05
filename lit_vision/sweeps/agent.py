"""The agent of a sweep: takes waiting points, runs each as a process, records what came of it. No torch here."""

import contextlib
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from lit_vision import nearest
from lit_vision.errors import InputError
from lit_vision.runs import folder as runs
from lit_vision.sweeps import child, command, definition, mark, ranking
from lit_vision.sweeps.board import SETTLED, Board, LostError, State, Trial
from lit_vision.sweeps.child import Child
from lit_vision.sweeps.lease import SECONDS, Watch

TICK = 0.5  # seconds between two looks at the children
GRACE = 120.0  # seconds that a child has to save and leave
CRASHES = 3  # how often a trial that a signal killed is continued

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)

Start = Callable[[list[str], Path, dict[str, str]], Child | None]


@dataclass
class Settings:
    """How an agent works.

    Attributes:
        jobs: Trials at the same time.
        count: Trials that it begins at most; None for all.
        lease: Seconds of silence after which an owner counts as gone.
        options: Further options of every trial.
        start: Starts a trial's process.
    """

    jobs: int = 1
    count: int | None = None
    lease: float = SECONDS
    options: list[str] = field(default_factory=list)
    start: Start = child.start


@dataclass
class _Job:
    """A trial in this agent's hands."""

    trial: Trial
    child: Child | None = None  # None while another process still works in its folder
    beat: int = 0
    beaten: float = 0.0
    reported: int = 0
    stopped: float | None = None  # when it was asked to leave
    pruned: bool = False
    waits: bool = False  # for the folder, as has been said


class Agent:
    """One agent.

    Args:
        name: The sweep's name.
        board: Its points.
        folder: Where trials have their run folders.
        settings: How to work.
    """

    def __init__(self, name: str, board: Board, folder: Path, settings: Settings) -> None:
        self.name = name
        self.board = board
        self.folder = folder
        self.settings = settings
        self.jobs: list[_Job] = []
        self.begun = 0
        self.asked = 0  # the signal that asked the agent to stop
        self._watch = Watch(settings.lease)
        self._surveyed = 0.0

    def run(self) -> int:
        """Works until every point is settled, or `count` trials are done.

        Returns:
            The exit code: 0, or that of a stopped run after a signal.
        """
        handlers = {signum: signal.signal(signum, self._note) for signum in SIGNALS}
        try:
            self.board.fill()
            while not self.asked and self._step():
                time.sleep(TICK)
            self._leave()
        finally:
            for job in self.jobs:
                if job.child:
                    job.child.stop()
            for signum, handler in handlers.items():
                signal.signal(signum, handler)
        return {0: 0, signal.SIGINT: runs.INTERRUPTED}.get(self.asked, runs.PREEMPTED)

    def _step(self) -> bool:
        """One round; returns whether there is anything left to do or to wait for."""
        self._tend()
        if time.monotonic() - self._surveyed > min(2.0, self.settings.lease / 4):
            self._surveyed = time.monotonic()
            self._take_over()
            if not self.jobs and all(trial.state in SETTLED for trial in self.board.trials()):
                return False
        while len(self.jobs) < self.settings.jobs and not self._spent():
            trial = self.board.claim()
            if trial is None:
                break
            self.begun += 1
            self.jobs.append(_Job(trial, beaten=time.monotonic()))
            self._say(trial, "begins" if not trial.attempts else "goes on")
        return bool(self.jobs) or not self._spent()

    def _spent(self) -> bool:
        return self.settings.count is not None and self.begun >= self.settings.count

    def _take_over(self) -> None:
        """Queues the trials of owners that are gone again."""
        mine = {job.trial.id for job in self.jobs}
        for trial in self.board.trials():
            if trial.state is State.RUNNING and trial.id not in mine and self._watch.lapsed(trial.id, trial.lease):
                self._say(trial, f"queued again: {trial.lease.get('owner', 'its owner')} is gone")
                self._give_up(trial)
        self.board.fill()

    def _tend(self) -> None:
        """Looks after every trial in hand."""
        for job in list(self.jobs):
            try:
                if self._attend(job):
                    self.jobs.remove(job)
                    self._surveyed = 0.0  # it may have been the last
            except LostError:
                self._drop(job, "was taken over by another agent")
            except (InputError, OSError) as error:  # it cannot be started, or its files cannot be read
                with contextlib.suppress(LostError):
                    self.board.fail(job.trial, str(error))
                self._drop(job, f"failed: {error}")

    def _drop(self, job: _Job, why: str) -> None:
        self._say(job.trial, why)
        if job.child:
            job.child.kill()
        self.jobs.remove(job)

    def _attend(self, job: _Job) -> bool:
        """Looks after one trial; returns whether it has ended."""
        now = time.monotonic()
        if now - job.beaten > self.settings.lease / 6:
            job.beat, job.beaten = job.beat + 1, now
            self.board.beat(job.trial, job.beat)
        if job.child is None:
            job.child = self._start(job.trial)
            if job.child is None and not job.waits:
                job.waits = True
                self._say(job.trial, "waits: a process of an earlier owner still works in its folder")
            return False
        code = job.child.code()
        self._report(job, job.child)
        if code is not None:
            self._settle(job, job.child, code)
            return True
        if job.stopped is not None and now - job.stopped > GRACE:
            job.child.kill()
        return False

    def _report(self, job: _Job, process: Child) -> None:
        """Hands new figures on, and stops a trial that is not worth its time."""
        curve = process.curve(self.board.sweep.metric)
        for value in curve[job.reported :]:
            job.reported += 1
            if self.board.report(job.trial, job.reported, value) and job.stopped is None and process.code() is None:
                self._say(job.trial, f"pruned at {self.board.sweep.metric} {value:g}")
                job.pruned, job.stopped = True, time.monotonic()
                process.stop()

    def _settle(self, job: _Job, process: Child, code: int) -> None:
        """Records what came of a trial whose process has ended."""
        metric, trial = self.board.sweep.metric, job.trial
        value = process.value(metric)
        if code == 0 and value is not None:
            self.board.finish(trial, value)
            self._say(trial, f"{metric} {value:g}")
        elif job.pruned and code != 0:
            self.board.prune(trial, value)
        elif job.stopped is not None or code == runs.PREEMPTED or (code < 0 and trial.attempts + 1 < CRASHES):
            self._say(trial, "queued again: it was stopped" if code >= 0 else f"queued again: killed by {_name(code)}")
            self.board.requeue(trial)
        else:
            reason = process.tail() if code else f"it ended without a finite {metric}; {_hint(metric, process)}"
            self.board.fail(trial, f"killed by {_name(code)}\n{reason}" if code < 0 else reason)
            self._say(trial, f"failed: {reason.splitlines()[-1] if reason else f'exit code {code}'}")

    def _leave(self) -> None:
        """Asks all children to save and leave, and queues their trials again."""
        for job in self.jobs:
            job.stopped = time.monotonic()
            if job.child:
                job.child.stop()
            else:
                self._give_up(job.trial)
        self.jobs = [job for job in self.jobs if job.child]
        while self.jobs:
            self._tend()
            time.sleep(TICK / 5)

    def _give_up(self, trial: Trial) -> None:
        with contextlib.suppress(LostError):  # another agent was faster, or the owner has just finished
            self.board.requeue(trial)

    def _note(self, signum: int, frame: FrameType | None) -> None:
        if self.asked:  # a second one: at once
            for job in self.jobs:
                if job.child:
                    job.child.kill()
        else:
            print(f"{self.name}: stopping; running trials save and are queued again", flush=True)
        self.asked = self.asked or signum

    def _start(self, trial: Trial) -> Child | None:
        place = self.folder / f"{trial.point:03}"
        words = [*command.expand(self.board.sweep, trial.values), *self.settings.options, "--run", str(place)]
        environment = _threads(self.settings.jobs) | mark.environment(
            self.name, trial.point, trial.values, self.board.sweep.metric, self.board.sweep.goal
        )
        return self.settings.start(words, place, environment)

    def _say(self, trial: Trial, what: str) -> None:
        short = definition.short_names(list(trial.values))
        values = " ".join(f"{short[key]}={ranking.cell(value)}" for key, value in trial.values.items())
        print(f"{self.name} {trial.point:03} [{values}] {what}", flush=True)


def _hint(metric: str, process: Child) -> str:
    """Which figure may have been meant."""
    return nearest.hint(metric, set(process.logged()) - {metric})


def _name(code: int) -> str:
    return signal.Signals(-code).name


def _threads(jobs: int) -> dict[str, str]:
    """A share of the cores for each of several trials: threads that outnumber the cores wait for one another.

    A number that the user has set stays; PyTorch, MKL and OpenBLAS all read this variable.
    """
    if jobs == 1 or os.environ.get("OMP_NUM_THREADS"):
        return {}
    # Not all cores of the machine need be ours: a cluster binds a job to some of them.
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return {"OMP_NUM_THREADS": str(max(1, cores // jobs))}
