"""A fixed handful of evaluated images, ground truth beside prediction, for the eye."""

from pathlib import Path
from typing import Any

import lightning as L
import torch
from torch import Tensor

from lit_vision import drawing
from lit_vision.loggers.wandb import Wandb
from lit_vision.types import Batch, Detections, Target

SHOWN_SCORE = 0.5


class Gallery(L.Callback):
    """Draws the first images of the monitored split and of the test split after each pass; rank zero's share.

    Pictures go to `gallery/` in the run's folder, where the latest pass replaces the one before, and to W&B.

    Args:
        folder: Where the pictures go, the run's folder.
        count: How many images.
    """

    def __init__(self, folder: Path, count: int = 8) -> None:
        self.folder = folder
        self.count = count
        self._kept: list[tuple[Target, Detections]] = []

    def on_validation_batch_end(  # noqa: D102
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, *_: Any
    ) -> None:
        self._keep(trainer, outputs, batch)

    def on_test_batch_end(  # noqa: D102
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, *_: Any
    ) -> None:
        self._keep(trainer, outputs, batch)

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Draws the monitored split."""
        self._draw(trainer, "val")

    def on_test_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Draws the test split."""
        self._draw(trainer, "test")

    def _keep(self, trainer: L.Trainer, outputs: Any, batch: Batch[list[Target]]) -> None:
        if isinstance(outputs, dict) and trainer.is_global_zero and not trainer.sanity_checking:
            room = self.count - len(self._kept)
            self._kept += list(zip(batch.targets, outputs["found"], strict=True))[:room]

    def _draw(self, trainer: L.Trainer, split: str) -> None:
        kept, self._kept = self._kept, []
        if not kept:
            return
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        folder = self.folder / "gallery"
        folder.mkdir(exist_ok=True)
        shown = []
        for number, (target, found) in enumerate(kept):
            image = data.original(split, int(target.image_id))
            path = folder / f"{split}_{number:02d}.jpg"
            pair(image, target, found, data.class_names).save(path, quality=90)
            shown.append((image, target, found))
        for logger in trainer.loggers:
            if isinstance(logger, Wandb):
                logger.log_boxes(f"{split}/gallery", shown, data.class_names)


def pair(image: Tensor, target: Target, found: Detections, class_names: list[str]) -> Any:
    """Ground truth beside what was found with a score of at least one half, both on the original image."""
    truth = Detections(target.original_boxes.float(), torch.ones(len(target.labels)), target.labels)
    sure = found.scores >= SHOWN_SCORE
    confident = Detections(*(value[sure] for value in found))
    return drawing.beside(
        drawing.picture(image, truth, class_names, scores=False),
        drawing.picture(image, confident, class_names),
        ("ground truth", f"found, score at least {SHOWN_SCORE:g}"),
    )
