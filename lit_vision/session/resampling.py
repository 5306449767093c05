"""A finished run's figure on test images drawn with replacement, from the files that its test has left."""

import functools
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import lightning as L
import torch

from lit_vision import build
from lit_vision.errors import InputError
from lit_vision.experiment import yamlio
from lit_vision.metrics import bootstrap
from lit_vision.metrics.coco import CocoAP
from lit_vision.metrics.matches import ClassMetric
from lit_vision.metrics.voc import VocAP
from lit_vision.runs import claim_runs
from lit_vision.runs.folder import RunFolder
from lit_vision.types import Detections, Target

DECIMALS = 3

_METRICS: dict[str, type[ClassMetric]] = {"ap": CocoAP, "ap50": CocoAP, "map": VocAP}
_NOTHING = Detections(torch.zeros(0, 4), torch.zeros(0), torch.zeros(0, dtype=torch.int64))


def note(folder: RunFolder, metric: str, samples: int) -> None:
    """Draws, and notes the figure of each sample beside the result.

    The same images are in a sample of whatever run was tested on the same data.

    Args:
        folder: A finished detection run or a later test of one.
        metric: `test/ap`, `test/ap50` or `test/map`.
        samples: How often images are drawn.

    Raises:
        InputError: The run left no detections.
    """
    data: Any = build.part(L.LightningDataModule, yamlio.load(folder.config)["data"])
    data.setup("test")
    split = data.splits[data.test_split]
    targets = [split.target(index) for index in range(len(split))]
    detections = of_run(folder.path, targets, data.category_ids)
    figure = metric.removeprefix("test/")
    make: Callable[[], ClassMetric] = functools.partial(_METRICS[figure], num_classes=data.num_classes)
    drawn = bootstrap.samples(make, detections, targets, bootstrap.Drawing(samples))[figure]
    claim_runs.note_drawn(folder, {metric: [round(float(value), DECIMALS) for value in drawn]})


def of_run(folder: Path, targets: Sequence[Target], category_ids: list[int]) -> list[Detections]:
    """The detections of a finished run or test, image by image.

    Args:
        folder: The run's, or that of a later test below it.
        targets: Of the tested images.
        category_ids: The data set's own id of each class.

    Raises:
        InputError: It left no detections.
    """
    found = read(folder / "detections_test.json", category_ids)
    return [found.get(int(target.image_id), _NOTHING) for target in targets]


def read(file: Path, category_ids: list[int]) -> dict[int, Detections]:
    """Detections by image id from a file in COCO's result format.

    Args:
        file: The file.
        category_ids: The data set's own id of each class.

    Raises:
        InputError: There is no such file.
    """
    if not file.is_file():
        raise InputError(f"{file} is not there, so that no images can be resampled; test the run again")
    found: dict[int, list[tuple[list[float], float, int]]] = {}
    for entry in json.loads(file.read_text(encoding="utf-8")):
        x, y, width, height = entry["bbox"]
        label = category_ids.index(entry["category_id"])
        found.setdefault(entry["image_id"], []).append(([x, y, x + width, y + height], entry["score"], label))
    return {
        image: Detections(*(torch.tensor(values) for values in zip(*entries, strict=True)))
        for image, entries in found.items()
    }
