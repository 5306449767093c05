"""What the diagnoses of both tasks share: how they are called, and the pictures they leave."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lightning.pytorch.utilities.rank_zero import rank_zero_warn
from PIL import Image
from torch import Tensor

from lit_vision.diagnosis import calibration
from lit_vision.diagnosis.calibration import Bin
from lit_vision.errors import InputError

FOLDER = "diagnosis"
SHOWN = 40  # pictures
SIDE = 480  # pixels, the longest side of a picture

Rows = dict[str, Tensor]
Report = tuple[dict[str, Any], list[dict[str, Any]]]


class Examination(ABC):
    """Collects one task's test outputs on every rank; the first one reports on those of all."""

    task: str
    """As `diagnosis.json` calls it."""

    @abstractmethod
    def keep(self, outputs: Any, batch: Any, number: int) -> None:
        """Takes one batch.

        Args:
            outputs: What the test step returned.
            batch: What it got.
            number: Of the batch in the split, over all ranks.
        """

    @abstractmethod
    def rows(self) -> Rows:
        """What this rank has seen, on the CPU."""

    @abstractmethod
    def report(self, parts: list[Rows], data: Any, folder: Path) -> Report:
        """What goes into `diagnosis.json` and, an entry each, into `per_image.jsonl`; draws the pictures.

        Args:
            parts: Of all ranks.
            data: The data module.
            folder: The run's folder.
        """


def save(folder: Path, name: str, draw: Callable[[], Image.Image]) -> str | None:
    """Draws and writes a picture; its path in the run's folder, or None where the image cannot be read any more."""
    try:
        picture = draw()
    except InputError as error:  # the figures are there: a file that vanished since must not cost them
        rank_zero_warn(f"no picture {name}: {error}")
        return None
    path = folder / FOLDER / f"{name}.jpg"
    path.parent.mkdir(exist_ok=True)
    picture.save(path, quality=85)
    return f"{FOLDER}/{name}.jpg"


def calibrated(bins: list[Bin]) -> dict[str, Any]:
    """The entries of both tasks that tell whether scores mean what they say."""
    return {"calibration": [asdict(one) for one in bins], "calibration_error": calibration.error(bins)}
