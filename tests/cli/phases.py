"""Where a command is: told to the process that is about to kill it, by memory that both see."""

import contextlib
import functools
import json
import time
from pathlib import Path

START, WANDB, TRAINING, VALIDATION, SAVING, TESTING = NAMES = (
    *("start-up", "W&B start", "training", "validation", "checkpointing", "testing"),
)


class Phases:
    """The phase that a command is in, and how often it has entered each; goes to another process by its constructor.

    Args:
        context: Makes the shared memory.
    """

    def __init__(self, context):
        self.cells = context.RawArray("i", 1 + len(NAMES))
        self.visits = []  # name and seconds of each, in the command's process alone

    @property
    def name(self):
        return NAMES[self.cells[0]]

    def entered(self, name):
        return self.cells[1 + NAMES.index(name)]

    @contextlib.contextmanager
    def within(self, name):
        outer, began = self.cells[0], time.monotonic()
        if not self.visits and name != START:  # what comes after the last phase is not start-up any more
            self.visits.append((START, began - self.began))
        if not (name == VALIDATION and self.name == TESTING):  # one loop does both
            self.cells[0] = NAMES.index(name)
            self.cells[1 + self.cells[0]] += 1
        try:
            yield
        finally:
            self.visits.append((self.name, time.monotonic() - began))
            self.cells[0] = outer

    def watch(self):
        """Lets the command's own functions tell where it is. In the command's process, before it runs."""
        self.began = time.monotonic()
        self.cells[1] = 1
        import lightning as L
        from lightning.pytorch.loops import _EvaluationLoop, _FitLoop

        from lit_vision.callbacks.checkpoint import LastCheckpoint
        from lit_vision.loggers.wandb import Wandb
        from lit_vision.runs import checkpoints

        for owner, function, name in (
            (Wandb, "_start", WANDB),
            (_FitLoop, "advance", TRAINING),
            (_EvaluationLoop, "run", VALIDATION),
            (LastCheckpoint, "save", SAVING),
            (checkpoints, "export_weights", SAVING),
            (L.Trainer, "test", TESTING),
        ):
            setattr(owner, function, self._told(getattr(owner, function), name))

    def _told(self, function, name):
        @functools.wraps(function)
        def told(*args, **kwargs):
            with self.within(name):
                return function(*args, **kwargs)

        return told

    def keep(self, file):
        """Writes the visits down; `seconds` reads them."""
        Path(file).write_text(json.dumps(self.visits))


def seconds(file):
    """Seconds of each visit of each phase of a command that ran to its end, in their order."""
    visits = [tuple(visit) for visit in json.loads(Path(file).read_text())]
    return {name: [length for visited, length in visits if visited == name] for name in NAMES}
