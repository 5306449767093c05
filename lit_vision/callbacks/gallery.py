"""A fixed handful of evaluated images, ground truth beside prediction, for the eye."""

from pathlib import Path
from typing import Any

import lightning as L
import torch
from torch import Tensor

from lit_vision import distributed
from lit_vision.diagnosis import drawing
from lit_vision.loggers.wandb import Wandb
from lit_vision.runs import durable
from lit_vision.types import Batch, Detections, Target

SHOWN_SCORE = 0.5


class Gallery(L.Callback):
    """Draws the first images of the monitored split and of the test split after each pass, the same on any world size.

    Pictures go to `gallery/` in the run's folder, where the latest pass replaces the one before, and to W&B.

    Args:
        folder: Where the pictures go, the run's folder.
        count: How many images.
    """

    def __init__(self, folder: Path, count: int = 8) -> None:
        self.folder = folder
        self.count = count
        self._kept: list[tuple[int, Target, Detections]] = []  # with the number of the batch in the split

    def on_validation_batch_end(  # noqa: D102
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int, *_: Any
    ) -> None:
        self._keep(trainer, outputs, batch, batch_idx)

    def on_test_batch_end(  # noqa: D102
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int, *_: Any
    ) -> None:
        self._keep(trainer, outputs, batch, batch_idx)

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Draws the monitored split."""
        self._draw(trainer, "val")

    def on_test_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Draws the test split."""
        self._draw(trainer, "test")

    def _keep(self, trainer: L.Trainer, outputs: Any, batch: Batch[list[Target]], batch_idx: int) -> None:
        """Keeps the first of this rank's share: the first of the split are among those of all ranks."""
        if isinstance(outputs, dict) and not trainer.sanity_checking:
            number = batch_idx * trainer.world_size + trainer.global_rank  # batches are dealt in turn
            room = self.count - len(self._kept)
            shown = zip(batch.targets, outputs["found"], strict=True)
            self._kept += [(number, _on_cpu(target), found) for target, found in shown][:room]

    def _draw(self, trainer: L.Trainer, split: str) -> None:
        mine, self._kept = self._kept, []
        parts = distributed.gather(mine) or []
        ordered = sorted((entry for part in parts for entry in part), key=lambda entry: entry[0])
        kept = [entry[1:] for entry in ordered[: self.count]]
        if not kept:
            return  # another rank than the first, or another task
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        folder = self.folder / "gallery"
        durable.make_folder(folder)
        shown = []
        for number, (target, found) in enumerate(kept):
            image = data.original(split, int(target.image_id))
            with open(folder / f"{split}_{number:02d}.jpg", "wb", opener=durable.fresh) as file:
                pair(image, target, found, data.class_names).save(file, "JPEG", quality=90)
            shown.append((image, target, found))
        for logger in trainer.loggers:
            if isinstance(logger, Wandb):
                logger.log_boxes(f"{split}/gallery", shown, data.class_names)


def _on_cpu(target: Target) -> Target:
    """What can be sent to another process without a GPU's help."""
    return Target(*(value.cpu() for value in target))


def pair(image: Tensor, target: Target, found: Detections, class_names: list[str]) -> Any:
    """Ground truth beside what was found with a score of at least one half, both on the original image."""
    truth = Detections(target.original_boxes.float(), torch.ones(len(target.labels)), target.labels)
    sure = found.scores >= SHOWN_SCORE
    confident = Detections(found.boxes[sure], found.scores[sure], found.labels[sure])
    return drawing.beside(
        drawing.picture(image, truth, class_names, scores=False),
        drawing.picture(image, confident, class_names),
        ("ground truth", f"found, score at least {SHOWN_SCORE:g}"),
    )
