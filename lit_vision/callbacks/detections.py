"""Detections as files: COCO's result format, and VOC's where the data are VOC's."""

import json
import zipfile
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import lightning as L
from torch import Tensor

from lit_vision import distributed
from lit_vision.ops import mask
from lit_vision.runs import durable, filenames
from lit_vision.types import Batch, Detections, Target


class Outlines(NamedTuple):
    """Masks of an image's detections.

    Attributes:
        size: Height and width of the file's image.
        runs: COCO's compressed run lengths of each, one per line.
    """

    size: tuple[int, int]
    runs: bytes


NONE: Mapping[int, Outlines] = {}


class DetectionFiles(L.Callback):
    """Writes what `validate` and `test` find, in original pixels and with the data set's own ids.

    `detections_<val|test>.json` is COCO's result format, which `pycocotools`' `loadRes` reads, with `segmentation` in
    compressed run lengths where a network outlines objects. Data whose test split a
    server scores (`coco_results`) get it packed under the server's name too. Data that name a `voc_results` prefix get
    VOC's files in `voc/`, one per class, with 1-based inclusive corners and the class in the file's name as
    `filenames.of` writes it. Rank zero writes what all ranks found, in the order of image ids.

    Args:
        folder: Where the files go, the run's folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._found: list[tuple[int, Detections]] = []
        self._outlines: dict[int, Outlines] = {}

    def on_validation_batch_end(  # noqa: D102
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, *_: Any
    ) -> None:
        self._keep(outputs, batch)

    def on_test_batch_end(  # noqa: D102
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, *_: Any
    ) -> None:
        self._keep(outputs, batch)

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Writes the file of the monitored split; while fitting, the latest replaces the one before."""
        self._write(trainer, "val")

    def on_test_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Writes the file of the test split."""
        self._write(trainer, "test")

    def _keep(self, outputs: Any, batch: Batch[list[Target]]) -> None:
        if not isinstance(outputs, dict):
            return  # another task's
        for target, found in zip(batch.targets, outputs["found"], strict=True):
            number = int(target.image_id)
            if len(found.masks):
                self._outlines[number] = outlines(found, target.original_size)
            self._found.append((number, found._replace(masks=found.masks[:0], windows=found.windows[:0])))

    def _write(self, trainer: L.Trainer, split: str) -> None:
        mine, self._found = (self._found, self._outlines), []
        self._outlines = {}
        parts = distributed.gather(([], {}) if trainer.sanity_checking else mine) or []
        found = [entry for part, _ in parts for entry in part]
        if not found:
            return  # another rank than the first, or another task
        outlined = {number: runs for _, part in parts for number, runs in part.items()}
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        text = coco_results(found, data.category_ids, outlined)
        _write(self.folder / f"detections_{split}.json", text)
        if split == "test" and data.coco_results:
            _pack(self.folder / f"{data.coco_results}.zip", f"{data.coco_results}.json", text)
        for name, content in data.submission(split, found).items():
            _write(self.folder / name, content)
        if data.voc_results:
            start = self.folder / "voc" / data.voc_results
            for part in reversed(start.relative_to(self.folder).parents[:-1]):  # a link on the way is refused
                durable.make_folder(self.folder / part)
            for name, lines in voc_results(found, data.class_names, data.image_names(split)).items():
                _write(start.with_name(f"{start.name}_{filenames.of(name)}.txt"), lines)


def _write(path: Path, text: str) -> None:
    with open(path, "w", encoding="utf-8", opener=durable.fresh) as file:
        file.write(text)


def _pack(path: Path, name: str, text: str) -> None:
    """One file of that name in an archive, as COCO's server takes it."""
    with (
        open(path, "wb", opener=durable.fresh) as file,
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        archive.writestr(name, text)


def outlines(found: Detections, size: Tensor) -> Outlines:
    """The masks of an image's detections, small enough to be kept of all images.

    Args:
        found: In original pixels, with masks.
        size: int64 [2], height and width of the file's image.
    """
    height, width = size.tolist()
    runs = mask.encode(found.masks, found.windows, height, width)
    return Outlines((height, width), b"\n".join(each["counts"] for each in runs))


def coco_results(
    found: list[tuple[int, Detections]], category_ids: list[int], outlined: Mapping[int, Outlines] = NONE
) -> str:
    """JSON in COCO's result format, one detection a line.

    Args:
        found: Image ids and detections in original pixels.
        category_ids: The data set's number of each class.
        outlined: Masks of the same detections, by image id; images without are found by boxes alone.
    """
    lines = []
    for image_id, detections in sorted(found, key=lambda entry: entry[0]):
        boxes = detections.boxes.double()
        boxes[:, 2:] -= boxes[:, :2]
        masks = _segmentations(outlined.get(image_id), len(boxes))
        for box, score, label, segmentation in zip(
            boxes.tolist(), detections.scores.tolist(), detections.labels.tolist(), masks, strict=True
        ):
            entry = {"image_id": image_id, "category_id": category_ids[label], "bbox": box, "score": score}
            lines.append(json.dumps(entry | segmentation))
    return "[" + ",\n".join(lines) + "]\n"


def _segmentations(found: Outlines | None, count: int) -> list[dict[str, Any]]:
    """What the masks add to the entry of each detection of an image."""
    if found is None:
        return [{}] * count
    runs = found.runs.decode("ascii").split("\n")
    return [{"segmentation": {"size": list(found.size), "counts": each}} for each in runs]


def voc_results(
    found: list[tuple[int, Detections]], class_names: list[str], image_names: dict[int, str]
) -> dict[str, str]:
    """Lines of VOC's competition 3 and 4 by class: image, score, and inclusive corners that count from 1."""
    lines: dict[str, list[str]] = defaultdict(list, {name: [] for name in class_names})
    for image_id, detections in sorted(found, key=lambda entry: entry[0]):
        for (x1, y1, x2, y2), score, label in zip(
            detections.boxes.tolist(), detections.scores.tolist(), detections.labels.tolist(), strict=True
        ):
            corners = f"{x1 + 1:.6f} {y1 + 1:.6f} {x2:.6f} {y2:.6f}"
            lines[class_names[label]].append(f"{image_names[image_id]} {score:.6f} {corners}\n")
    return {name: "".join(of_class) for name, of_class in lines.items()}
