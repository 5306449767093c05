"""The checkpoint a run continues from, and an orderly stop on Ctrl-C or a cluster's signal."""

from pathlib import Path
from typing import Any

import lightning as L
from lightning.fabric.plugins import TorchCheckpointIO
from lightning.pytorch.callbacks import Checkpoint

from lit_vision.callbacks.kept import Keep, Kept
from lit_vision.callbacks.preemption import StopRequest
from lit_vision.runs import checkpoints


class DurableIO(TorchCheckpointIO):
    """Writes checkpoints whole; Lightning's writer goes through the system's temporary folder and believes the disk."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Writes beside the destination, reads back, renames."""
        checkpoints.write(Path(path), checkpoint)


class LastCheckpoint(Checkpoint):
    """Keeps `last.ckpt`: after each validation, every so many optimiser steps, at the end, and when asked to stop.

    Ctrl-C, SIGTERM and SIGUSR1 let the step end, save and leave; a second Ctrl-C leaves at once. The last step is
    always validated: Lightning alone validates only at multiples of the interval.

    Every figure of a step is in `metrics.jsonl` before the step's checkpoint is in place, so that a run that was killed
    in between neither misses a line nor repeats one.

    Args:
        folder: Where the checkpoints go.
        contents: Plain entries stored under `lit_vision` in every checkpoint: the resolved configuration.
        keep: When to save, and what to keep beside the last.
    """

    def __init__(self, folder: Path, contents: dict[str, Any], keep: Keep | None = None) -> None:
        self.path = folder / checkpoints.LAST
        self.contents = contents
        self.keep = keep or Keep()
        self.kept = Kept(folder, self.keep)
        self.stop = StopRequest()
        self._resumed_at: int | None = None

    def setup(self, trainer: L.Trainer, *_: Any, **__: Any) -> None:
        """Takes over how checkpoints reach the disk; validates a batch first where a figure is asked for by name."""
        trainer.strategy.checkpoint_io = DurableIO()
        if self.keep.best:
            trainer.num_sanity_val_steps = max(1, trainer.num_sanity_val_steps)

    def state_dict(self) -> dict[str, Any]:
        """Which checkpoints are the best so far."""
        return {"best": self.kept.best}

    def on_save_checkpoint(self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]) -> None:
        """Adds what is needed to rebuild the model without the recipe."""
        checkpoint["lit_vision"] = self.contents

    def on_load_checkpoint(self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]) -> None:
        """Takes the best over from the run that is continued."""
        self._resumed_at = checkpoint["global_step"]
        state = checkpoint.get("callbacks", {}).get(self.state_key, {})
        self.kept.load(state.get("best", []), checkpoint["global_step"])

    def on_fit_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Completes what a kill right after a save has cut short."""
        if self._resumed_at is not None and trainer.is_global_zero and self.path.is_file():
            self.kept.settle(self._resumed_at)

    def on_train_start(self, *_: Any) -> None:
        """Takes over the signals: not earlier, or Lightning would bring our handlers back when the fit has ended."""
        self.stop.watch()

    def on_train_batch_end(self, trainer: L.Trainer, *_: Any) -> None:
        """Saves where it is due, and has the last step validated."""
        if (trainer.fit_loop.epoch_loop.batch_idx + 1) % trainer.accumulate_grad_batches:
            return  # an optimiser step is not split
        if trainer.global_step == trainer.max_steps:
            trainer.should_stop = True  # Lightning validates when it is asked to stop, whatever the interval
        elif not _validation_follows(trainer):  # else the validation is part of the step, and the save comes after it
            asked = self.stop.agree(trainer)
            if asked or self._due(trainer.global_step):
                # Lightning writes the step's figures after this hook: too late for a kill after the save.
                trainer._logger_connector.update_train_step_metrics()
                self.save(trainer)
            if asked:
                self.stop.leave(trainer)

    def on_validation_end(self, trainer: L.Trainer, *_: Any) -> None:
        """Saves after each validation inside a fit; the batch before the first step shows what validation logs."""
        if trainer.sanity_checking:
            self.kept.check(trainer)
        if trainer.state.fn == "fit" and not trainer.sanity_checking:
            self.kept.judge(trainer)
            if trainer.global_step == trainer.max_steps:
                # Saved when training has ended: Lightning's weight averaging is final only then, and a run continued
                # from here would not end its training once more.
                return
            self.save(trainer)
            if self.stop.agree(trainer):
                self.stop.leave(trainer)

    def on_train_end(self, trainer: L.Trainer, *_: Any) -> None:
        """Saves the final state."""
        self.save(trainer)
        if self.stop.agree(trainer):
            self.stop.leave(trainer)

    def on_fit_end(self, trainer: L.Trainer, *_: Any) -> None:
        """Writes the final weights as safetensors; gives the signals back."""
        if trainer.max_steps == 0:
            self.save(trainer)  # of a stage that joins parts of others: Lightning starts no training of no steps
        if trainer.is_global_zero and self.path.is_file():
            checkpoints.export_weights(self.path)
        self.stop.give_back()

    def on_exception(self, *_: Any) -> None:
        """Gives the signals back."""
        self.stop.give_back()

    def save(self, trainer: L.Trainer) -> None:
        """Writes `last.ckpt` and what is kept of it."""
        trainer.save_checkpoint(self.path)
        if trainer.is_global_zero:
            self.kept.settle(trainer.global_step)

    def _due(self, step: int) -> bool:
        return step in self.keep.milestones or bool(self.keep.every and step % self.keep.every == 0)


def _validation_follows(trainer: L.Trainer) -> bool:
    """Whether Lightning will validate after the batch that just ended; it has no public way to ask."""
    loop = trainer.fit_loop
    return loop.epoch_loop._should_check_val_fx(loop._data_fetcher)  # type: ignore[arg-type]
