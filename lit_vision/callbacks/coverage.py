"""Every image of a split is evaluated exactly once or is known to be left out: counted after each pass."""

from typing import Any

import lightning as L

from lit_vision import console, distributed
from lit_vision.types import Batch


class Coverage(L.Callback):
    """Counts evaluated and skipped images over all ranks and holds their sum against the split.

    The counts are printed where they are news: not again at every validation of a run. A pass that
    `limit_<val|test>_batches` cuts short is left alone.
    """

    def __init__(self) -> None:
        self._evaluated = 0
        self._told: dict[str, str] = {}

    def on_validation_start(self, *_: Any) -> None:
        """Begins to count."""
        self._evaluated = 0

    def on_test_start(self, *_: Any) -> None:
        """Begins to count."""
        self._evaluated = 0

    def on_validation_batch_end(  # noqa: D102
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Batch[Any], *_: Any
    ) -> None:
        self._evaluated += len(batch.images)

    def on_test_batch_end(  # noqa: D102
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Batch[Any], *_: Any
    ) -> None:
        self._evaluated += len(batch.images)

    def on_validation_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Checks the pass over the monitored split."""
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        if not trainer.sanity_checking and _whole(trainer.limit_val_batches):
            self._check(data, data.val_split, trainer.val_dataloaders)

    def on_test_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Checks the pass over the test split."""
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        if _whole(trainer.limit_test_batches):
            self._check(data, data.test_split, trainer.test_dataloaders)

    def _check(self, data: Any, split: str, loader: Any) -> None:
        """Compares the counts of all ranks with the split; raises on every rank, so that none waits for another.

        Raises:
            RuntimeError: An image was evaluated twice or not at all; no input can cause it.
        """
        parts = distributed.gather_everywhere((self._evaluated, getattr(loader, "skipped", 0)))
        size = len(data.splits[split])
        evaluated, skipped = (sum(counts) for counts in zip(*parts, strict=True))
        if evaluated + skipped != size:
            raise RuntimeError(
                f"{split} has {size} images, but {evaluated} were evaluated and {skipped} skipped by {len(parts)} "
                "process(es): the figures would be wrong; please report this"
            )
        text = f"{split}: {evaluated} images evaluated, {skipped} skipped"
        if left_out := data.quarantined.get(split, 0):
            text += f", {left_out} in quarantine"
        if self._told.get(split) != text and distributed.rank() == 0:
            console.say(text)
        self._told[split] = text


def _whole(limit: float | int) -> bool:
    """Whether a `limit_<val|test>_batches` is none: 1.0 is all batches, 1 a single one."""
    return isinstance(limit, float) and limit == 1.0
