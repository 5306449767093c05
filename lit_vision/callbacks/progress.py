"""One progress bar over the whole run, with rate and remaining time."""

import sys
from collections.abc import Mapping
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import ProgressBar
from tqdm import tqdm

# In a log file a bar is a line each time it is drawn.
_TERMINAL_SECONDS, _FILE_SECONDS = 0.2, 30.0


def bars(config: Mapping[str, Any]) -> list[ProgressBar]:
    """The bar of a run; none where its configuration says `trainer.enable_progress_bar: false`."""
    return [] if (config.get("trainer") or {}).get("enable_progress_bar") is False else [RunProgress()]


class RunProgress(ProgressBar):
    """Counts optimiser steps up to `max_steps` (or the end of `max_epochs`); evaluation gets a short-lived bar.

    Lightning's own bar starts anew each epoch, so it never shows when a run of 64,000 iterations will end.
    """

    def __init__(self) -> None:
        super().__init__()
        self._enabled = True
        self._bar: tqdm[Any] | None = None
        self._evaluation: tqdm[Any] | None = None

    def disable(self) -> None:
        """Draws nothing, on all ranks but the first."""
        self._enabled = False

    def enable(self) -> None:
        """Draws again."""
        self._enabled = True

    def print(self, *args: Any, sep: str = " ", **kwargs: Any) -> None:
        """Prints above the bar."""
        tqdm.write(sep.join(map(str, args)))

    def on_train_start(self, trainer: L.Trainer, *_: Any) -> None:
        """Opens the bar where the run stands."""
        self._bar = self._new("train", _total_steps(trainer), trainer.global_step, unit=" steps")

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: L.LightningModule, *_: Any) -> None:
        """Moves the bar by whole optimiser steps."""
        bar = self._bar
        if bar is None:
            return
        done = trainer.global_step - bar.n
        # `update` redraws by time; figures are only formatted when it will.
        if done and bar.update(done):
            bar.set_postfix(self._figures(trainer, "train/"), refresh=False)

    def on_validation_end(self, trainer: L.Trainer, *_: Any) -> None:
        """Writes the validation figures as a line of their own."""
        self._close_evaluation()
        if not trainer.sanity_checking and self._enabled and trainer.state.fn == "fit":
            # What no object of the split tells, such as the AP of a size that it does not hold, is NaN.
            told = {name: value for name, value in self._figures(trainer, "val/").items() if value != "nan"}
            figures = "  ".join(f"{name} {value}" for name, value in told.items())
            tqdm.write(f"step {trainer.global_step}: {figures}", file=sys.stderr)

    def on_train_end(self, *_: Any) -> None:
        """Closes the bar."""
        self._close_training()

    def on_exception(self, *_: Any) -> None:
        """Leaves the terminal clean."""
        self._close_evaluation()
        self._close_training()

    def on_validation_start(self, trainer: L.Trainer, *_: Any) -> None:
        """Opens the validation bar."""
        if not trainer.sanity_checking:
            self._evaluation = self._new("validate", sum(trainer.num_val_batches), leave=False)

    def on_test_start(self, trainer: L.Trainer, *_: Any) -> None:
        """Opens the test bar."""
        self._evaluation = self._new("test", sum(trainer.num_test_batches), leave=False)

    def on_validation_batch_end(self, *_: Any) -> None:
        """Moves the validation bar."""
        if self._evaluation is not None:
            self._evaluation.update()

    def on_test_batch_end(self, *_: Any) -> None:
        """Moves the test bar."""
        if self._evaluation is not None:
            self._evaluation.update()

    def on_test_end(self, *_: Any) -> None:
        """Closes the test bar."""
        self._close_evaluation()

    def _new(self, what: str, total: float, start: int = 0, leave: bool = True, unit: str = " batches") -> "tqdm[Any]":
        terminal = sys.stderr.isatty()
        return tqdm(
            desc=what,
            total=None if total == float("inf") else int(total),
            initial=start,
            unit=unit,
            leave=leave and terminal,
            disable=not self._enabled,
            dynamic_ncols=True,
            mininterval=_TERMINAL_SECONDS if terminal else _FILE_SECONDS,
        )

    def _figures(self, trainer: L.Trainer, prefix: str) -> dict[str, str]:
        return {
            name: f"{float(value):.4g}" for name, value in trainer.callback_metrics.items() if name.startswith(prefix)
        }

    def _close_training(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _close_evaluation(self) -> None:
        if self._evaluation is not None:
            self._evaluation.close()
            self._evaluation = None


def _total_steps(trainer: L.Trainer) -> float:
    """Optimiser steps of the whole run; infinite when nothing ends it."""
    by_steps = trainer.max_steps if trainer.max_steps >= 0 else float("inf")
    epochs = trainer.max_epochs if trainer.max_epochs is not None and trainer.max_epochs >= 0 else float("inf")
    per_epoch = -(-trainer.num_training_batches // trainer.accumulate_grad_batches)
    return min(by_steps, epochs * per_epoch)
