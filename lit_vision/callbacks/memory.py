"""When memory runs out: what was being done, and which switches help."""

from typing import Any

import lightning as L
import torch

from lit_vision.errors import InputError
from lit_vision.types import Batch


class OutOfMemory(L.Callback):
    """Remembers the current batch, so that `told` can say what did not fit."""

    def __init__(self) -> None:
        self._doing = "before the first batch"

    def on_train_batch_start(self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, *_: Any) -> None:
        """A training batch."""
        self._note(f"training at step {trainer.global_step + 1}", batch)

    def on_validation_batch_start(self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, *_: Any) -> None:
        """A validation batch."""
        self._note("validation", batch)

    def on_test_batch_start(self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, *_: Any) -> None:
        """A test batch."""
        self._note("the test", batch)

    def told(self, trainer: L.Trainer, batch_size: int) -> InputError:
        """The error that a user sees.

        Args:
            trainer: Knows devices, accumulation and precision.
            batch_size: Total batch of an optimiser step.
        """
        each = batch_size // (trainer.world_size * trainer.accumulate_grad_batches)
        switches = ["smaller images"]
        if not trainer.precision.startswith("bf16"):
            switches.insert(0, "--trainer.precision bf16-mixed")
        if self._doing.startswith(("validation", "the test")):
            switches.insert(0, "a smaller --data.eval_batch_size")
        elif each > 1:
            share = batch_size // trainer.world_size
            fewer = max(size for size in range(1, each // 2 + 1) if share % size == 0)
            switches.insert(0, f"--data.max_per_device {fewer} (accumulates; the schedule stays)")
        device = trainer.strategy.root_device
        return InputError(f"out of memory in {self._doing}, {device}\nwhat helps: {', or '.join(switches)}")

    def _note(self, phase: str, batch: Batch[Any]) -> None:
        images, _, height, width = batch.images.shape
        self._doing = f"{phase}, {images} images of {height} x {width} on this device"


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that a device's or the machine's memory is used up."""
    # The CPU's allocator has no class of its own for it.
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or "can't allocate memory" in str(error)
