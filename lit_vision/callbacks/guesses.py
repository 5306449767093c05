"""Guesses at images whose labels a server holds, in the file that it takes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning as L
from torch import Tensor

from lit_vision import distributed
from lit_vision.runs import durable

NAME = "guesses_test.txt"
GUESSES = 5  # of each image, as ILSVRC counts


class GuessFiles(L.Callback):
    """Writes `guesses_test.txt` after a test of images without labels, as ILSVRC's classification server takes it.

    One line per image, in the order of the images' names; five of the data set's own class numbers, the surest first.
    Those numbers (ILSVRC2012_ID) are not the order of the classes here, which is that of their wnids. Rank zero writes
    what all ranks found.

    Args:
        folder: Where the file goes, the run's folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ids: list[int] | None = None
        self._best: list[Tensor] = []

    def on_test_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Asks the data whether a server waits for guesses."""
        self._ids = getattr(getattr(trainer, "datamodule", None), "server_ids", None)
        self._best = []

    def on_test_batch_end(  # noqa: D102
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, *_: Any
    ) -> None:
        if self._ids:
            self._best.append(outputs.topk(min(GUESSES, outputs.shape[1])).indices.cpu())

    def on_test_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Writes the file, if a server waits for it."""
        if not self._ids:
            return
        parts = distributed.gather(self._best)
        if parts is not None:
            data: Any = trainer.datamodule  # type: ignore[attr-defined]
            durable.write_text(self.folder / NAME, guesses(parts, data.tested, self._ids))


def guesses(parts: Sequence[Sequence[Tensor]], tested: Sequence[Tensor], ids: Sequence[int]) -> str:
    """The file's content.

    Args:
        parts: Of each process and each of its batches, the best classes of each image, int64 [B, 5].
        tested: Sample indices of each batch; batch `b` was that of process `b % processes`.
        ids: The server's number of each class.
    """
    lines: dict[int, str] = {}
    for rank, batches in enumerate(parts):
        for position, best in enumerate(batches):
            images = tested[position * len(parts) + rank].tolist()
            texts = [" ".join(str(ids[label]) for label in labels) for labels in best.tolist()]
            lines |= dict(zip(images, texts, strict=True))
    return "".join(f"{lines[image]}\n" for image in sorted(lines))
