"""The data module behind every detection data set: annotations checked at the start, batches of alike shapes."""

import hashlib
import os
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.utilities.rank_zero import rank_zero_info
from torch import Tensor

from lit_vision.data import shared
from lit_vision.data.formats import findings, public_proposals
from lit_vision.data.formats.annotations import Annotations
from lit_vision.data.formats.findings import Policy, Reading
from lit_vision.data.module import DataModule, Monitor
from lit_vision.data.pipelines import scenes
from lit_vision.data.pipelines.scenes import BoxPipeline
from lit_vision.errors import InputError
from lit_vision.types import Detections


class BoxData(DataModule[Annotations]):
    """Images with boxes. A subclass knows the files, a pipeline how they become batches.

    Subclasses know `class_names` at construction and implement `readings`.

    Args:
        class_names: Names by class index.
        pipeline: How images become batches; None resizes as the data set's own preset does, and flips.
        category_ids: The data set's own numbers of the classes, for result files; None counts from 1.
        batch_size: See `DataModule`.
        eval_batch_size: See `DataModule`.
        max_per_device: See `DataModule`.
        keep_empty: Whether images without any object that can be trained on stay in the training set. They are always
            evaluated.
        bad: What to do about annotations and images that are no good: `fail` lists them all, `skip` leaves them out
            and counts them.
        proposals: Files of regions from elsewhere, by split, for detectors that take them; `.npz`, `.mat` or `.pkl` as
            told in `data/formats/public_proposals.py`.
        masks: Whether the objects' masks are kept, for networks that outline objects.
        monitor: See `DataModule`.
        num_workers: See `DataModule`.
        seed: See `DataModule`.
        overlap: See `DataModule`.
        quarantine: See `DataModule`.
    """

    def __init__(
        self,
        class_names: Sequence[str],
        pipeline: BoxPipeline | None = None,
        category_ids: Sequence[int] | None = None,
        batch_size: int = 16,
        eval_batch_size: int = 4,
        max_per_device: int | None = None,
        keep_empty: bool = False,
        bad: Policy = "fail",
        proposals: Mapping[str, str] | None = None,
        masks: bool = False,
        monitor: Monitor = "val",
        num_workers: int = 0,
        seed: int = 0,
        overlap: shared.Policy = "warn",
        quarantine: str | None = None,
    ) -> None:
        self._own_pipeline = pipeline is None
        self.boxes = pipeline or scenes.short_side(**self.preset)
        super().__init__(
            class_names,
            self.boxes,
            batch_size,
            eval_batch_size,
            max_per_device,
            monitor,
            num_workers,
            seed,
            overlap,
            quarantine,
        )
        self.category_ids = list(category_ids or range(1, len(class_names) + 1))
        self.keep_empty = keep_empty
        self.bad = bad
        self.proposals = dict(proposals or {})
        self.masks = masks
        self.boxes.skip_unreadable = bad == "skip"

    voc_results: str | None = None
    """Beginning of the names of VOC's result files, `comp4_det_test`, also below folders as the server wants them; None
    for data that have no such files."""

    coco_results: str | None = None
    """Name of the test split's detections as COCO's server wants it, without suffix; None for data without a server."""

    preset: dict[str, Any] = {}  # noqa: RUF012
    """Arguments of `scenes.short_side` where no pipeline is given."""

    @property
    def pipeline_config(self) -> dict[str, Any] | None:
        """The preset, where no pipeline was given."""
        own = {"class_path": "lit_vision.data.pipelines.scenes.short_side", "init_args": self.preset}
        return own if self._own_pipeline else None

    @abstractmethod
    def readings(self) -> dict[str, Reading]:
        """What was read for each split: `train`, and `val` and `test` where there are such."""

    def read(self) -> dict[str, Annotations]:
        """The sound images and objects of every split, without the images in quarantine.

        Raises:
            InputError: If something else is bad and the policy is `fail`, or the files have no masks that are asked
                for.
        """
        read = self.readings()
        if self.masks and not all(reading.annotations.masks for reading in read.values()):
            kind = type(self).__name__
            raise InputError(f"data.masks is true, but files of {kind} hold boxes alone; set it to false")
        left_out = self.in_quarantine({split: _images_of(reading) for split, reading in read.items()})
        read = {split: _without(reading, left_out[split]) for split, reading in read.items()}
        return dict(zip(read, findings.apply(list(read.values()), self.bad), strict=True))

    def _with_proposals(self, splits: dict[str, Annotations]) -> dict[str, Annotations]:
        """The splits with the regions that were made for them elsewhere.

        Raises:
            InputError: A split that is not there, a file that does not read, or regions that are not of these images.
        """
        needed = {"train", "test" if "test" in splits else "val", self.val_split}
        if self.proposals and (missing := needed - self.proposals.keys()):
            lacking = ", ".join(sorted(missing))
            raise InputError(f"data.proposals has no file for {lacking}; name one for each split in use")
        for name, file in self.proposals.items():
            if name not in splits:
                raise InputError(f"data.proposals names the split {name!r}, but the data have {', '.join(splits)}")
            names, ids = splits[name].names, splits[name].image_ids.tolist()
            found = public_proposals.read(Path(file)).named(names, ids)
            found.check(names, splits[name].sizes)
            rank_zero_info(f"{name}: {len(found.boxes):,} regions of {len(found):,} images in {file}")
            splits[name] = replace(splits[name], proposals=found)
        return splits

    def complete(self, splits: dict[str, Annotations]) -> dict[str, Annotations]:
        """Leaves out training images without objects, and refuses data without anything to watch.

        An image list cannot be split by class as folders can.
        """
        if "val" not in splits and self.monitor == "val":
            raise InputError(
                f"{type(self).__name__} has no val split; name one, or watch the test split by data.monitor: test"
            )
        kept = splits if self.keep_empty else splits | {"train": _without_empty(splits["train"])}
        return self._with_proposals(kept)

    def sources(self, split: Annotations) -> shared.Sources | None:
        """The files; None where images are not read from any."""
        from_files = self.boxes.read_image is scenes.read_file
        return [os.path.join(split.folder, file) for file in split.files] if from_files else None

    def submission(self, split: str, found: Sequence[tuple[int, Detections]]) -> dict[str, str]:
        """Further files for an evaluation server, by name; none for data without one.

        Args:
            split: `val` or `test`.
            found: Image ids of the split and detections in original pixels.
        """
        return {}

    def image_names(self, split: str) -> dict[int, str]:
        """The data set's own names of a split's images, by their number."""
        of_split = self.evaluated(split)
        return dict(zip(of_split.image_ids.tolist(), of_split.names, strict=True))

    def name_of(self, split: Annotations, index: int) -> str:
        """The data set's own name of an image."""
        return split.names[index]

    def original(self, split: str, image_id: int) -> Tensor:
        """An image of a split as its file has it, uint8 [3, H, W]."""
        of_split = self.evaluated(split)
        (index,) = (of_split.image_ids == image_id).nonzero().flatten().tolist()
        return self.boxes.read_image(of_split, index)

    def groups(self) -> Tensor:
        """Wide or tall, so that a batch needs little padding."""
        sizes = self.splits["train"].sizes
        return (sizes[:, 0] > sizes[:, 1]).long()

    def eval_groups(self, split: Annotations) -> Tensor:
        """By the shape that an image is padded to: a larger neighbour would add a border that convolutions see."""
        shapes = torch.tensor(self.boxes.padded_shapes(split.sizes)).reshape(-1, 2)
        found: Tensor = torch.unique(shapes, dim=0, return_inverse=True)[1]
        return found

    def fingerprint(self) -> str:
        """A short hash of what the splits hold: names, sizes and objects of all images."""
        found = hashlib.sha256(repr(self.class_names).encode())
        for name, split in sorted(self.splits.items()):
            found.update("\n".join([name, *split.names]).encode())
            for values in (split.sizes, split.starts, split.boxes, split.labels, split.crowd, split.difficult):
                found.update(values.numpy().tobytes())
            if split.masks:
                found.update(split.masks.runs.numpy().tobytes())
            if split.proposals:
                found.update(split.proposals.boxes.numpy().tobytes())
        return found.hexdigest()[:16]


def _images_of(reading: Reading) -> set[str]:
    """Names of all images that were read of, those that are no good too."""
    return {*reading.annotations.names, *(finding.image for finding in reading.findings if finding.image)}


def _without(reading: Reading, names: set[str]) -> Reading:
    """A reading without some images, and without what was found wrong with them."""
    if not names:
        return reading
    found = reading.annotations
    kept = [index for index, name in enumerate(found.names) if name not in names]
    left = [finding for finding in reading.findings if finding.image not in names]
    return Reading(found.take(torch.tensor(kept, dtype=torch.int64)), left)


def _without_empty(split: Annotations) -> Annotations:
    counted = (~split.crowd & ~split.difficult).long()
    sums = torch.cat([torch.zeros(1, dtype=torch.int64), counted.cumsum(0)])
    kept = (sums[split.starts[1:]] > sums[split.starts[:-1]]).nonzero().flatten()
    if len(split) and not len(kept):
        raise InputError(
            f"none of the {len(split)} training images in {split.folder} holds an object to train on;\n"
            "are annotations and class names those of these images?"
        )
    if len(kept) < len(split):
        rank_zero_info(
            f"train: {len(split) - len(kept)} of {len(split)} images hold no object to train on and are left out "
            "(data.keep_empty keeps them)"
        )
    return split.take(kept)
