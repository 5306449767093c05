"""The checkpoint a run continues from, and an orderly stop on Ctrl-C."""

import os
import signal
import threading
from pathlib import Path
from types import FrameType
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Checkpoint
from lightning.pytorch.utilities.rank_zero import rank_zero_info


class LastCheckpoint(Checkpoint):
    """Keeps `last.ckpt`: after each validation, every `every` optimiser steps, at the end, and on Ctrl-C.

    The first Ctrl-C finishes the step, saves and leaves; the second leaves at once. The last step is always validated:
    Lightning alone validates only at multiples of the interval.

    Args:
        folder: Where `last.ckpt` goes.
        contents: Plain entries stored under `lit_vision` in every checkpoint: the resolved configuration.
        every: Optimiser steps between saves beside those after validations; None saves at validations only.
    """

    def __init__(self, folder: Path, contents: dict[str, Any], every: int | None = None) -> None:
        self.path = folder / "last.ckpt"
        self.contents = contents
        self.every = every
        self._stop_asked = False
        self._handler: Any = None

    def on_save_checkpoint(self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]) -> None:
        """Adds what is needed to rebuild the model without the recipe."""
        checkpoint["lit_vision"] = self.contents

    def on_fit_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Takes over Ctrl-C."""
        if threading.current_thread() is threading.main_thread():
            self._handler = signal.signal(signal.SIGINT, self._on_interrupt)

    def on_train_batch_end(self, trainer: L.Trainer, *_: Any) -> None:
        """Saves where it is due, and has the last step validated."""
        if (trainer.fit_loop.epoch_loop.batch_idx + 1) % trainer.accumulate_grad_batches:
            return  # an optimiser step is not split
        if trainer.global_step == trainer.max_steps:
            trainer.should_stop = True  # Lightning validates when it is asked to stop, whatever the interval
        elif not _validation_follows(trainer):  # else the validation is part of the step, and the save comes after it
            if self._stop_asked or (self.every and trainer.global_step % self.every == 0):
                self.save(trainer)
            if self._stop_asked:
                # Lightning writes the step's figures after this hook, which a stop would not reach.
                trainer._logger_connector.update_train_step_metrics()
            self._leave_if_asked()

    def on_validation_end(self, trainer: L.Trainer, *_: Any) -> None:
        """Saves after each validation inside a fit."""
        if trainer.state.fn == "fit" and not trainer.sanity_checking:
            self.save(trainer)
            self._leave_if_asked()

    def on_train_end(self, trainer: L.Trainer, *_: Any) -> None:
        """Saves the final state."""
        self.save(trainer)

    def on_fit_end(self, *_: Any) -> None:
        """Gives Ctrl-C back."""
        self._give_back()

    def on_exception(self, *_: Any) -> None:
        """Gives Ctrl-C back."""
        self._give_back()

    def save(self, trainer: L.Trainer) -> None:
        """Writes beside the destination and renames: a reader never meets half a checkpoint."""
        beside = self.path.with_name(".last.ckpt.part")
        trainer.save_checkpoint(beside)
        if trainer.is_global_zero:
            os.replace(beside, self.path)

    def _on_interrupt(self, signum: int, frame: FrameType | None) -> None:
        if self._stop_asked:
            raise KeyboardInterrupt
        self._stop_asked = True
        rank_zero_info("\nstopping after this step; Ctrl-C again leaves at once, without saving")

    def _leave_if_asked(self) -> None:
        if self._stop_asked:
            raise KeyboardInterrupt

    def _give_back(self) -> None:
        if self._handler is not None:
            signal.signal(signal.SIGINT, self._handler)
            self._handler = None


def _validation_follows(trainer: L.Trainer) -> bool:
    """Whether Lightning will validate after the batch that just ended; it has no public way to ask."""
    loop = trainer.fit_loop
    return loop.epoch_loop._should_check_val_fx(loop._data_fetcher)  # type: ignore[arg-type]
