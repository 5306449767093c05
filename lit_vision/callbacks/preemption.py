"""Signals that ask a run to stop: Ctrl-C, and what clusters send before they take a machine away."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any

import lightning as L
import torch
from lightning.pytorch.utilities.exceptions import SIGTERMException
from lightning.pytorch.utilities.rank_zero import rank_zero_info

from lit_vision.loggers.wandb import Wandb
from lit_vision.runs import folder as runs

PREEMPTIONS = (signal.SIGTERM, signal.SIGUSR1)  # both are in use; SLURM lets the job choose
SIGNALS = (signal.SIGINT, *PREEMPTIONS)


class Preempted(KeyboardInterrupt):
    """Raised where a run leaves on a cluster's signal; Lightning treats it as a Ctrl-C and closes everything."""


@contextlib.contextmanager
def leaving_at_once() -> Iterator[None]:
    """Within it, SIGTERM and SIGUSR1 end the command: where nothing is being trained, there is nothing to save."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handlers = {signum: signal.signal(signum, _leave) for signum in PREEMPTIONS}
    try:
        yield
    finally:
        for signum, handler in handlers.items():
            signal.signal(signum, handler)


def _leave(signum: int, frame: FrameType | None) -> None:
    raise Preempted


def exit_code(stopped: BaseException) -> int:
    """What a command that was stopped leaves with; Lightning wraps a Ctrl-C into an exit of its own."""
    preempted = (Preempted, SIGTERMException)
    by_cluster = any(isinstance(error, preempted) for error in (stopped, stopped.__context__))
    return runs.PREEMPTED if by_cluster else runs.INTERRUPTED


class StopRequest:
    """Notes a signal and lets the step end: all ranks then leave together, at the same step.

    A second Ctrl-C leaves at once. A second SIGTERM does not: torchrun and SLURM send it to every process, and some of
    them twice.

    Attributes:
        signum: The signal that was agreed on, 0 while there is none.
    """

    def __init__(self) -> None:
        self.signum = 0
        self._noted = 0
        self._presses = 0
        self._handlers: dict[int, Any] = {}

    def watch(self) -> None:
        """Takes the signals over."""
        if threading.current_thread() is not threading.main_thread():
            return
        for signum in SIGNALS:
            self._handlers[signum] = signal.signal(signum, self._note)

    def give_back(self) -> None:
        """Puts the handlers back that were there first."""
        for signum, handler in self._handlers.items():
            signal.signal(signum, handler)
        self._handlers.clear()

    def agree(self, trainer: L.Trainer) -> bool:
        """Whether any rank was asked to stop; all ranks call it at the end of the same optimiser step."""
        noted = self._noted
        if trainer.world_size > 1:
            highest = torch.tensor(noted, device=trainer.strategy.root_device)
            noted = int(trainer.strategy.reduce(highest, reduce_op="max"))
        self.signum = noted
        return noted > 0

    def leave(self, trainer: L.Trainer) -> None:
        """Ends the run that has been saved.

        Raises:
            KeyboardInterrupt: Always; `Preempted` on a cluster's signal.
        """
        if self.signum not in PREEMPTIONS:
            raise KeyboardInterrupt
        for logger in trainer.loggers:
            if isinstance(logger, Wandb):
                logger.preempting()
        raise Preempted

    def _note(self, signum: int, frame: FrameType | None) -> None:
        self._presses += signum == signal.SIGINT
        if self._presses > 1:
            raise KeyboardInterrupt
        self._noted = self._noted or signum
        if signum == signal.SIGINT:
            rank_zero_info("\nstopping after this step; Ctrl-C again leaves at once, without saving")
        else:
            rank_zero_info(f"\n{signal.Signals(signum).name}: saving after this step, then leaving")
