"""The data module behind every classification data set: splits, batch sizes, and where a run stands in its data."""

import hashlib
from abc import abstractmethod
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

import lightning as L
import torch
from lightning.pytorch.utilities.rank_zero import rank_zero_info
from torch import Tensor

from lit_vision.data import sampler
from lit_vision.data.pipeline import Pipeline, Place, Split
from lit_vision.data.sampler import EvalBatches, TrainBatches
from lit_vision.errors import InputError
from lit_vision.types import Batch

Monitor = Literal["val", "test"]

# The split is part of the data, not of a run: all seeds validate on the same images.
_SPLIT_SEED = 0


class ImageData(L.LightningDataModule):
    """Images with one class each. A subclass knows where they are, a pipeline how they become batches.

    Subclasses know `class_names` at construction and implement `read`. After `setup`, `mean` and `std` are the model's
    input statistics.

    Args:
        class_names: Names by class index.
        pipeline: How images become batches.
        batch_size: Images per optimiser step, over all devices and accumulation steps, as papers print it.
        eval_batch_size: Images per process and evaluation step; does not depend on the number of devices.
        max_per_device: Most images that a device takes at once; the command sets the accumulation it needs.
        val_fraction: Share of the training images split off for validation (stratified, the same for every seed).
        monitor: What validation runs on while training; `test` where a paper shows test curves: nothing is split off.
        num_workers: Reader processes, for images that are read from disk.
        seed: Seed of order and augmentation.
    """

    def __init__(
        self,
        class_names: Sequence[str],
        pipeline: Pipeline,
        batch_size: int = 128,
        eval_batch_size: int = 250,
        max_per_device: int | None = None,
        val_fraction: float = 0.0,
        monitor: Monitor = "val",
        num_workers: int = 0,
        seed: int = 0,
    ) -> None:
        super().__init__()
        numbers = {"batch_size": batch_size, "eval_batch_size": eval_batch_size, "max_per_device": max_per_device}
        for key, number in numbers.items():
            if number is not None and number < 1:
                raise InputError(f"data.{key} is {number}; it must be at least 1")
        if not 0 <= val_fraction < 1:
            raise InputError(f"data.val_fraction is {val_fraction}; it must be at least 0 and below 1")
        self.class_names = list(class_names)
        self.pipeline = pipeline
        self.batch_size = batch_size
        self.eval_batch_size = eval_batch_size
        self.max_per_device = max_per_device
        self.val_fraction = val_fraction
        self.monitor = monitor
        self.num_workers = num_workers
        self.seed = seed
        self.splits: dict[str, Split] = {}
        self.mean = torch.empty(0)
        self.std = torch.empty(0)

    @property
    def num_classes(self) -> int:
        """Number of classes, K."""
        return len(self.class_names)

    @property
    def num_train(self) -> int:
        """Training images; before `setup`, what the data set is known to have."""
        return len(self.splits["train"].labels) if self.splits else self.nominal_train()

    @property
    def test_split(self) -> str:
        """What `test` runs on: `test`, or `val` where the data have no test split."""
        return "test" if "test" in self.splits else "val"

    @property
    def pipeline_config(self) -> dict[str, Any] | None:
        """Class path and arguments of a pipeline that was chosen here and not in the recipe; None for the recipe's."""
        return None

    @abstractmethod
    def read(self) -> dict[str, Split]:
        """The splits on disk: `train`, and `val` and `test` where there are such."""

    def nominal_train(self) -> int:
        """Training images that the data set is known to have, before any file is read."""
        return 0

    def accumulation(self, world_size: int) -> int:
        """Accumulation steps that `max_per_device` asks for.

        Raises:
            InputError: If the total batch does not divide by devices times `max_per_device`.
        """
        if self.max_per_device is None or self.batch_size <= world_size * self.max_per_device:
            return 1
        sampler.micro_size(self.batch_size, world_size, 1)  # refuses a number of devices that does not divide
        steps, rest = divmod(self.batch_size, world_size * self.max_per_device)
        if rest:
            raise InputError(
                f"data.batch_size {self.batch_size} does not divide by {world_size} device(s) x "
                f"data.max_per_device {self.max_per_device}; choose a divisor of {self.batch_size / world_size:g}"
            )
        return steps

    def setup(self, stage: str | None = None) -> None:
        """Reads and splits the data, once."""
        if self.splits:
            return
        splits = self.read()
        if "val" not in splits and self.monitor == "val":
            splits |= self._split_off(splits)
        if self.monitor == "test" and "test" not in splits:
            raise InputError("data.monitor is test, but the data have no test split; set data.monitor to val")
        self.splits = {name: self.pipeline.load(split) for name, split in splits.items()}
        self.mean, self.std = self.pipeline.statistics(self.splits["train"])

    def train_dataloader(self) -> Iterable[Batch[Tensor]]:
        """Training batches from where the run stands."""
        self._batches = self._train_batches()
        return self.pipeline.train_loader(self.splits["train"], self._batches, self.seed, self.num_workers)

    def val_dataloader(self) -> Iterable[Batch[Tensor]]:
        """Batches of what is monitored."""
        return self._eval_loader(self.splits["test" if self.monitor == "test" else "val"])

    def test_dataloader(self) -> Iterable[Batch[Tensor]]:
        """Batches of the test split, or of the validation split where there is none."""
        if self.test_split == "val":
            rank_zero_info("the data have no test split: testing on val")
        return self._eval_loader(self.splits[self.test_split])

    def on_after_batch_transfer(self, batch: Batch[Tensor], dataloader_idx: int) -> Batch[Tensor]:
        """Augments training batches on the device."""
        if self.trainer is None or not self.trainer.training:
            return batch
        loop = self.trainer.fit_loop.epoch_loop
        # Lightning counts a batch as ready after its transfer, so this is the index of the one in hand.
        part = loop.batch_progress.current.ready % self.trainer.accumulate_grad_batches
        place = Place(self.seed, self.trainer.global_step, self._batches.slice_start(part), self.batch_size)
        return batch._replace(images=self.pipeline.augment(batch.images, place))

    def fingerprint(self) -> str:
        """A short hash of what the splits hold: labels, and names and sizes of files or a sample of the pixels."""
        found = hashlib.sha256(repr(self.class_names).encode())
        for name, split in sorted(self.splits.items()):
            found.update(f"{name} {len(split.labels)}".encode())
            found.update(split.labels.numpy().tobytes())
            found.update(_bytes_of(split.images))
        return found.hexdigest()[:16]

    def _train_batches(self) -> TrainBatches:
        rank, world_size = self._place_in_world()
        accumulate = self.trainer.accumulate_grad_batches if self.trainer else 1
        size = len(self.splits["train"].labels)
        batches = TrainBatches(size, self.batch_size, self.seed, rank, world_size, accumulate)
        batches.position = lambda: self._position(len(batches), accumulate)
        return batches

    def _position(self, length: int, accumulate: int) -> tuple[int, int]:
        """Epoch and micro batch at which the run stands, by the optimiser steps done: true also after resumption."""
        if self.trainer is None:
            return 0, 0
        limit = self.trainer.limit_train_batches
        limited = int(length * limit) if isinstance(limit, float) else min(length, limit or length)
        steps_of_epoch = -(-limited // accumulate)
        epoch, step = divmod(self.trainer.global_step, steps_of_epoch)
        return epoch, step * accumulate

    def _eval_loader(self, split: Split) -> Iterable[Batch[Tensor]]:
        rank, world_size = self._place_in_world()
        batches = EvalBatches(len(split.labels), self.eval_batch_size, rank, world_size)
        # A rank without a batch would miss DDP's broadcast of buffers and the metrics' gathering, and stall the others.
        if batches.count < world_size:
            raise InputError(
                f"{len(split.labels)} images in batches of data.eval_batch_size {self.eval_batch_size} are too few "
                f"for {world_size} devices; set it to {max(1, len(split.labels) // world_size)} or less"
            )
        return self.pipeline.eval_loader(split, batches, self.num_workers)

    def _place_in_world(self) -> tuple[int, int]:
        return (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)

    def _split_off(self, splits: dict[str, Split]) -> dict[str, Split]:
        """Training data without, and validation data of, a stratified share of the training images."""
        if not self.val_fraction:
            raise InputError(
                f"{type(self).__name__} has no val split; split one off by data.val_fraction (e.g. 0.1), "
                "or watch the test split by data.monitor: test"
            )
        held, kept = stratified(splits["train"].labels, self.val_fraction)
        rank_zero_info(f"val: {len(held)} of {len(held) + len(kept)} training images, stratified")
        return {"train": take(splits["train"], kept), "val": take(splits["train"], held)}


def stratified(labels: Tensor, fraction: float) -> tuple[Tensor, Tensor]:
    """Two disjoint index sets in ascending order, the first with `fraction` of each class.

    Both get at least one image of each class, but the first none of a class that has only one.
    """
    random = sampler.generator(_SPLIT_SEED)
    held = []
    for label in labels.bincount().nonzero().flatten():
        members = (labels == label).nonzero().flatten()
        count = min(max(1, round(len(members) * fraction)), len(members) - 1)
        held.append(members[torch.randperm(len(members), generator=random)[:count]])
    mask = torch.zeros(len(labels), dtype=torch.bool)
    mask[torch.cat(held)] = True
    return mask.nonzero().flatten(), (~mask).nonzero().flatten()


def take(split: Split, indices: Tensor) -> Split:
    """The samples of a split at some indices."""
    images = split.images
    chosen = images[indices] if isinstance(images, Tensor) else [images[index] for index in indices.tolist()]
    return Split(chosen, split.labels[indices])


def _bytes_of(images: Sequence[Path] | Tensor) -> bytes:
    if isinstance(images, Tensor):
        return images[:: max(1, len(images) // 256)].numpy().tobytes()
    # Where the data lie is no part of what they are: folder, name and size of each file.
    return "\n".join(f"{path.parent.name}/{path.name} {path.stat().st_size}" for path in images).encode()
