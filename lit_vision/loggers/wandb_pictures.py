"""Pictures with boxes whose pixels and ground truth go to W&B once. No torch here.

W&B copies and sends a picture's file each time the picture is logged, with every layer of boxes as another file, though
a log entry holds only their paths. A picture that was logged before is therefore kept here: the next entry refers to
the files of the first, and only the boxes that were found anew become a file. That holds for one process; a run that is
continued sends its pictures again, because an offline piece must hold all that it refers to.
"""

import hashlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import wandb
from wandb.data_types import BoundingBoxes2D

TRUTH = "ground truth"
FOUND = "found"

Boxes = Sequence[tuple[Sequence[float], float, int]]  # corners in pixels, score, label


class Shown(NamedTuple):
    """One picture.

    Attributes:
        pixels: uint8 [H, W, 3].
        truth: Its objects.
        found: What was detected.
    """

    pixels: np.ndarray[Any, Any]
    truth: Boxes
    found: Boxes


class _Layer(BoundingBoxes2D):
    """Boxes whose file goes to the run once."""

    def bind_to_run(self, *args: Any, **kwargs: Any) -> None:
        if not self.is_bound():
            super().bind_to_run(*args, **kwargs)


class _Picture(wandb.Image):
    """A picture whose file goes to the run once; its layers decide for themselves."""

    def bind_to_run(self, run: Any, key: Any, step: Any, *args: Any, **kwargs: Any) -> None:
        if not self.is_bound():
            super().bind_to_run(run, key, step, *args, **kwargs)
            return
        for layer in (self._boxes or {}).values():
            layer.bind_to_run(run, key, step, *args, **kwargs)

    def show(self, found: _Layer) -> None:
        """Replaces what was found."""
        self._boxes = (self._boxes or {}) | {FOUND: found}


class Pictures:
    """The pictures that a W&B run has been given."""

    def __init__(self) -> None:
        self._kept: dict[str, _Picture] = {}

    def of(self, name: str, shown: Sequence[Shown], classes: Sequence[str]) -> list[wandb.Image]:
        """The pictures to log under a key.

        Args:
            name: The key.
            shown: Pictures, their objects and what was found.
            classes: Names by label.
        """
        names = dict(enumerate(classes))
        return [self._picture(name, entry, names) for entry in shown]

    def _picture(self, name: str, shown: Shown, names: dict[int, str]) -> _Picture:
        identity = hashlib.sha256(f"{name} {shown.pixels.shape} {shown.truth}".encode() + shown.pixels.tobytes())
        found = _layer(shown.found, FOUND, names)
        picture = self._kept.get(identity.hexdigest())
        if picture is None:
            layers: dict[str, BoundingBoxes2D] = {TRUTH: _layer(shown.truth, TRUTH, names), FOUND: found}
            picture = self._kept[identity.hexdigest()] = _Picture(shown.pixels, boxes=layers)
        picture.show(found)
        return picture


def _layer(boxes: Boxes, key: str, names: dict[int, str]) -> _Layer:
    content: dict[str, Any] = {"box_data": [_box(*box) for box in boxes], "class_labels": names}
    return _Layer(content, key)


def _box(corners: Sequence[float], score: float, label: int) -> dict[str, Any]:
    position = dict(zip(("minX", "minY", "maxX", "maxY"), corners, strict=True))
    return {"position": position, "domain": "pixel", "class_id": label, "scores": {"score": score}}
