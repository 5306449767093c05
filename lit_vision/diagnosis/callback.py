"""Why a run may have missed its figure: computed from the test pass and left in the run's folder."""

import json
import math
import shutil
from pathlib import Path
from typing import Any

import lightning as L
from torch import Tensor

from lit_vision import distributed
from lit_vision.diagnosis.classification import ClassificationDiagnosis
from lit_vision.diagnosis.detection import DetectionDiagnosis
from lit_vision.diagnosis.pictures import FOLDER, Examination
from lit_vision.runs import durable

VERSION = 1
DIGITS = 5  # of figures in the files: beyond those of any table, and a tenth of the bytes


class Diagnosis(L.Callback):
    """Writes `diagnosis.json`, `per_image.jsonl` and the pictures in `diagnosis/` after each test pass.

    Not where a server alone knows the labels.

    Detections or logits are what the task's `test_step` returns; a few numbers of each are kept until the end. Rank
    zero computes from what all ranks saw, in the order of the images' numbers, so the files do not depend on the
    number of ranks. Those of an earlier test pass are replaced.

    Args:
        folder: Where the files go, the run's folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._examination: Examination | None = None

    def on_test_start(self, *_: Any) -> None:
        """Forgets an earlier pass."""
        self._examination = None

    def on_test_batch_end(  # noqa: D102
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int, *_: Any
    ) -> None:
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        if self._examination is None and getattr(data, "labelled", True):
            self._examination = _of_task(outputs, pl_module)
        if self._examination is not None:
            self._examination.keep(outputs, batch, batch_idx * trainer.world_size + trainer.global_rank)

    def on_test_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Computes and writes."""
        examination, self._examination = self._examination, None
        parts = distributed.gather(examination.rows() if examination else None) or []
        seen = [part for part in parts if part is not None]
        if examination is None or not seen:
            return  # another rank than the first, or a task that says nothing of single images
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        shutil.rmtree(self.folder / FOLDER, ignore_errors=True)
        summary, images = examination.report(seen, data, self.folder)
        head = {"version": VERSION, "task": examination.task, "split": data.test_split}
        lines = "".join(_json(line) + "\n" for line in images)
        durable.write_text(self.folder / "per_image.jsonl", lines)
        durable.write_text(self.folder / "diagnosis.json", _json(head | summary) + "\n")


def _of_task(outputs: Any, pl_module: Any) -> Examination | None:
    """What fits the task; None for one whose test step returns neither logits nor detections."""
    if isinstance(outputs, Tensor):
        return ClassificationDiagnosis()
    if isinstance(outputs, dict) and "found" in outputs:
        return DetectionDiagnosis(agnostic=pl_module.network.agnostic)
    return None


def _json(content: Any) -> str:
    return json.dumps(_plain(content), ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _plain(content: Any) -> Any:
    """Rounded; None where there was nothing to measure, as JSON has no NaN."""
    if isinstance(content, float):
        return round(content, DIGITS) if math.isfinite(content) else None
    if isinstance(content, dict):
        return {key: _plain(value) for key, value in content.items()}
    return [_plain(value) for value in content] if isinstance(content, list | tuple) else content
