"""Scenes of handwritten digits: the embedded detection data set, composed from what scikit-learn ships."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lit_vision.data import digit_scenes_source as source
from lit_vision.data.boxes import BoxData
from lit_vision.data.formats import masks
from lit_vision.data.formats.annotations import Annotations
from lit_vision.data.formats.findings import Reading
from lit_vision.data.pipelines.scenes import BoxPipeline
from lit_vision.errors import InputError


class DigitScenes(BoxData):
    """Up to six digits of several sizes on a shaded ground; every scene is a function of its split and index.

    Nothing is stored, and no digit of a test scene was ever trained on. A mirrored digit is none: nothing is flipped.

    Args:
        size: Height and width of a scene in pixels.
        train: Number of training scenes.
        val: Number of validation scenes.
        test: Number of test scenes.
        pipeline: None leaves scenes as they are.
        kwargs: See `BoxData`.
    """

    def __init__(
        self,
        size: int = 128,
        train: int = 2000,
        val: int = 200,
        test: int = 200,
        pipeline: BoxPipeline | None = None,
        **kwargs: Any,
    ) -> None:
        if size < 32:
            raise InputError(f"data.size is {size}; a scene has at least 32 pixels a side")
        self.size = size
        self.counts = {"train": train, "val": val, "test": test}
        for split, count in self.counts.items():
            if count < 1:
                raise InputError(f"data.{split} is {count}; it must be at least 1 scene")
        self.preset = {"train": [size], "test": size, "cap": size, "flip": False}
        super().__init__([str(digit) for digit in range(10)], pipeline, **kwargs)
        self.boxes.read_image = read_scene

    def readings(self) -> dict[str, Reading]:
        """All scenes' boxes; the images are composed again when they are read."""
        return {
            split: Reading(_annotate(split, count, self.size, self.masks), []) for split, count in self.counts.items()
        }

    def nominal_train(self) -> int:
        """Number of training scenes."""
        return self.counts["train"]


def read_scene(split: Annotations, index: int) -> Tensor:
    """The image of a scene; the folder's name is the data set's split."""
    of_split: Any = split.folder.name
    return source.scene(int(split.image_ids[index]), int(split.sizes[index, 0]), of_split).image


def _annotate(split: Any, count: int, size: int, outlined: bool) -> Annotations:
    objects = [_objects(source.scene(index, size, split), outlined) for index in range(count)]
    counts = torch.tensor([0, *(len(labels) for _, labels, _ in objects)])
    boxes = torch.cat([boxes for boxes, *_ in objects])
    none = torch.zeros(len(boxes), dtype=torch.bool)
    names = [f"{split}-{index}" for index in range(count)]
    return Annotations(
        Path(split),
        names,
        torch.arange(count),
        names,
        torch.full((count, 2), size),
        counts.cumsum(0),
        boxes,
        torch.cat([labels for _, labels, _ in objects]),
        none,
        none,
        (boxes[:, 2:] - boxes[:, :2]).prod(1),
        masks=masks.pack([run for *_, runs in objects for run in runs]) if outlined else None,
    )


def _objects(scene: source.Scene, outlined: bool) -> tuple[Tensor, Tensor, list[bytes]]:
    """Boxes, labels and, where they are wanted, masks of a scene: what is kept of it."""
    return scene.boxes, scene.labels, masks.of_pixels(scene.masks) if outlined else []
