"""How fast each process trains, how long it waits for data, how much memory it takes."""

import resource
import sys
import time
from typing import Any, NamedTuple

import lightning as L
import torch

from lit_vision import distributed
from lit_vision.types import Batch

MIB = 2**20


class Figures(NamedTuple):
    """Of one rank, since the last log; each becomes `rank<number>/<name>`.

    Attributes:
        images_per_s: Training images by seconds of training; validation and start-up aside.
        data_wait_s: Seconds an optimiser step waited for its data.
        memory_mib: Highest memory so far: of the GPU where there is one, else of the process.
    """

    images_per_s: float
    data_wait_s: float
    memory_mib: float


class Throughput(L.Callback):
    """Logs `Figures` of every rank with the training figures.

    Times and memory differ from run to run: whatever compares runs leaves names that begin with `rank` aside.
    """

    def __init__(self) -> None:
        self._images = 0
        self._seconds = 0.0
        self._waited = 0.0
        self._steps = 0
        self._ended: float | None = None  # when the last batch did; None where the time since then is not training

    def on_train_epoch_start(self, *_: Any) -> None:
        """Leaves out the time before the first batch, in which workers start."""
        self._ended = None

    def on_validation_end(self, *_: Any) -> None:
        """Leaves out the validation that was."""
        self._ended = None

    def on_train_batch_start(self, *_: Any) -> None:
        """Ends the wait for a batch."""
        self._started = time.perf_counter()
        if self._ended is not None:
            self._waited += self._started - self._ended
            self._seconds += self._started - self._ended

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Batch[Any], batch_idx: int
    ) -> None:
        """Counts a batch; logs where the task logs its training figures."""
        self._ended = time.perf_counter()
        self._seconds += self._ended - self._started
        self._images += len(batch.images)
        if (batch_idx + 1) % trainer.accumulate_grad_batches:
            return
        self._steps += 1
        if trainer.global_step % trainer.log_every_n_steps == 0:  # type: ignore[attr-defined]
            self._log(trainer, pl_module)

    def _log(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        device = trainer.strategy.root_device
        mine = Figures(self._images / self._seconds, self._waited / self._steps, memory(device) / MIB)
        self._images, self._seconds, self._waited, self._steps = 0, 0.0, 0.0, 0
        for rank, figures in enumerate(distributed.gather_everywhere(mine)):
            pl_module.log_dict({f"rank{rank}/{name}": value for name, value in figures._asdict().items()})
        # Waiting for the slowest rank's figures is no wait for data.
        self._ended = time.perf_counter()


def memory(device: torch.device) -> float:
    """Highest memory so far, in bytes."""
    if device.type == "cuda":
        return float(torch.cuda.max_memory_allocated(device))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return float(peak if sys.platform == "darwin" else peak * 1024)  # macOS counts bytes, Linux KiB
