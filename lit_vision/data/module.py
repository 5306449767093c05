"""What every data module does: batch sizes, loaders, and where a run stands in its data."""

from abc import abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

import lightning as L
import torch
from lightning.pytorch.utilities.rank_zero import rank_zero_info
from torch import Tensor

from lit_vision import errors
from lit_vision.data import quarantine as quarantines
from lit_vision.data import shared
from lit_vision.data.pipelines import sampler
from lit_vision.data.pipelines.pipeline import Pipeline, Place, Sized
from lit_vision.data.pipelines.sampler import EvalBatches, SampledBatches, TrainBatches
from lit_vision.errors import InputError
from lit_vision.types import Batch

Monitor = Literal["val", "test"]

S = TypeVar("S", bound=Sized)


class DataModule(L.LightningDataModule, Generic[S]):
    """Splits of a data set, and a pipeline that turns them into batches.

    Subclasses know `class_names` at construction and implement `read` and `fingerprint`. After `setup`, `splits` holds
    the splits as the loaders take them, `mean` and `std` are the model's input statistics, `found` is the number of
    images of each split, and `overlaps` tells which evaluated ones are also trained on (see `shared.watch`).

    Args:
        class_names: Names by class index.
        pipeline: How images become batches.
        batch_size: Images per optimiser step, over all devices and accumulation steps, as papers print it.
        eval_batch_size: Images per process and evaluation step; does not depend on the number of devices. No figure
            depends on it: images that would be padded to different shapes are not evaluated together.
        max_per_device: Most images that a device takes at once; the command sets the accumulation it needs.
        monitor: What validation runs on while training; `test` where a paper shows test curves.
        num_workers: Reader processes, for images that are read from disk.
        seed: Seed of order and augmentation.
        overlap: What to do where images that are evaluated are also trained on: `warn` tells how many, `refuse` stops,
            `ignore` does not look.
        quarantine: File of images that are left out of their splits, as `lit-vision data check` writes it
            (`data/quarantine.py`).
    """

    def __init__(
        self,
        class_names: Sequence[str],
        pipeline: Pipeline[S, Any],
        batch_size: int,
        eval_batch_size: int,
        max_per_device: int | None = None,
        monitor: Monitor = "val",
        num_workers: int = 0,
        seed: int = 0,
        overlap: shared.Policy = "warn",
        quarantine: str | None = None,
    ) -> None:
        super().__init__()
        numbers = {"batch_size": batch_size, "eval_batch_size": eval_batch_size, "max_per_device": max_per_device}
        for key, number in numbers.items():
            if number is not None and number < 1:
                raise InputError(f"data.{key} is {number}; it must be at least 1")
        if num_workers < 0:
            raise InputError(f"data.num_workers is {num_workers}; it must be at least 0 (read in the main process)")
        if twice := [name for name, times in Counter(class_names).items() if times > 1]:
            raise InputError(f"the class name {twice[0]!r} is there twice; results are listed by class name")
        self.class_names = list(class_names)
        self.pipeline = pipeline
        self.batch_size = batch_size
        self.eval_batch_size = eval_batch_size
        self.max_per_device = max_per_device
        self.monitor = monitor
        self.num_workers = num_workers
        self.seed = seed
        self.overlap = overlap
        self.quarantine = Path(quarantine) if quarantine else None
        self.quarantined: dict[str, int] = {}
        """Images of each split that are left out by `quarantine`; filled when the data are read."""
        self.splits: dict[str, S] = {}
        self.overlaps: dict[str, dict[str, Any]] = {}
        self.found: dict[str, int] = {}
        self.mean = torch.empty(0)
        self.std = torch.empty(0)
        self.tested: list[Tensor] = []
        """Sample indices of each batch of the test pass, of all ranks; filled when its loader is made."""

    @property
    def num_classes(self) -> int:
        """Number of classes, K."""
        return len(self.class_names)

    @property
    def num_train(self) -> int:
        """Training images; before `setup`, what the data set is known to have."""
        return len(self.splits["train"]) if self.splits else self.nominal_train()

    @property
    def val_split(self) -> str:
        """What validation runs on."""
        return "test" if self.monitor == "test" else "val"

    @property
    def test_split(self) -> str:
        """What `test` runs on: `test`, or `val` where the data have no test split."""
        return "test" if "test" in self.splits else "val"

    @property
    def official_split(self) -> str:
        """What `test` runs on, in the words of cards (`card.SPLITS`)."""
        return self.test_split

    @property
    def pipeline_config(self) -> dict[str, Any] | None:
        """Class path and arguments of a pipeline that was chosen here and not in the recipe; None for the recipe's."""
        return None

    @abstractmethod
    def read(self) -> dict[str, S]:
        """The splits on disk: `train`, and `val` and `test` where there are such."""

    def sound(self) -> dict[str, S]:
        """The splits on disk without what is in quarantine."""
        return self.read()

    @abstractmethod
    def fingerprint(self) -> str:
        """A short hash of what the splits hold."""

    @abstractmethod
    def image_names(self, split: str) -> dict[int, str]:
        """The data set's own names of an evaluated split's images, by their number.

        Args:
            split: `val` for what is monitored, `test` for what is tested on, whatever split that is.
        """

    @abstractmethod
    def original(self, split: str, image_id: int) -> Tensor:
        """An image of an evaluated split as its file has it, uint8 [3, H, W].

        Args:
            split: See `image_names`.
            image_id: The image's number.
        """

    @abstractmethod
    def name_of(self, split: S, index: int) -> str:
        """Name of a split's image: its file, or its position where images are no files."""

    def sources(self, split: S) -> shared.Sources | None:
        """Where a split's images are: files, or pixels in memory; None where images are neither."""
        return None

    def official(self) -> dict[str, int]:
        """Images of each split as its authors published it; empty for a user's own data."""
        return {}

    def shortfall(self) -> dict[str, str]:
        """What differs from the published splits, by split, as `80 of 118,287 images`; empty where nothing does.

        Needs `setup`. What was left out on purpose (images without objects, a share for validation) is not missing.
        """
        found = {split: (self.found.get(split, 0), number) for split, number in self.official().items()}
        return {split: f"{here:,} of {all_:,} images" for split, (here, all_) in found.items() if here != all_}

    def images_of_step(self) -> list[str]:
        """Names of this rank's training images of the optimiser step in hand."""
        return [self.name_of(self.splits["train"], index) for index in self._batches.of_step().tolist()]

    def evaluated(self, split: str) -> S:
        """What `val` (the monitored split) and `test` (`val` where there is no test split) stand for."""
        return self.splits[self.test_split if split == "test" else self.val_split]

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

    def prepare_data(self) -> None:
        """Called on one process, for which the others wait: what is read once for all is read here."""
        if self.pipeline.reads_all:
            self.setup()

    @errors.alike()
    def setup(self, stage: str | None = None) -> None:
        """Reads and splits the data, once."""
        if self.splits:
            return
        read = self.sound()
        self.found = {name: len(split) for name, split in read.items()}
        splits = self.complete(read)
        if self.monitor == "test" and "test" not in splits:
            raise InputError("data.monitor is test, but the data have no test split; set data.monitor to val")
        sources = {name: found for name, split in splits.items() if (found := self.sources(split)) is not None}
        self.overlaps = shared.watch(sources, lambda name, index: self.name_of(splits[name], index), self.overlap)
        self.splits = {name: self.pipeline.load(split) for name, split in splits.items()}
        self.mean, self.std = self.pipeline.statistics(self.splits["train"])

    def complete(self, splits: dict[str, S]) -> dict[str, S]:
        """The splits, with what is missing made from what is there."""
        return splits

    def in_quarantine(self, known: Mapping[str, set[str]]) -> dict[str, set[str]]:
        """Names of the images to leave out, by split; none without `quarantine`. What is left out is counted.

        Args:
            known: Names of all images, by split.

        Raises:
            InputError: The list cannot be read, or names an image that is not there.
        """
        if self.quarantine is None:
            return {split: set() for split in known}
        named = quarantines.read(self.quarantine, known)
        self.quarantined = {split: len(images) for split, images in named.items() if images}
        for split, number in self.quarantined.items():
            rank_zero_info(f"{split}: {number} of {len(known[split])} images are in quarantine and left out")
        return named

    def groups(self) -> Tensor | None:
        """Group of each training image, int64 [N]; a batch holds one group where possible. None: one group."""
        return None

    def eval_groups(self, split: S) -> Tensor | None:
        """Group of each evaluated image, int64 [N]; a batch holds one group. None: one group."""
        return self.pipeline.eval_groups(split)

    def train_dataloader(self) -> Iterable[Batch[Any]]:
        """Training batches from where the run stands."""
        self._batches = self._train_batches()
        return self.pipeline.train_loader(self.splits["train"], self._batches, self.seed, self.num_workers)

    def val_dataloader(self) -> Iterable[Batch[Any]]:
        """Batches of what is monitored."""
        split = self.splits[self.val_split]
        return self.pipeline.eval_loader(split, self._eval_batches(split), self.num_workers)

    def test_dataloader(self) -> Iterable[Batch[Any]]:
        """Batches of the test split, or of the validation split where there is none."""
        if self.test_split == "val":
            rank_zero_info("the data have no test split: testing on val")
        split = self.splits[self.test_split]
        batches = self._eval_batches(split)
        self.tested = batches.batches
        return self.pipeline.eval_loader(split, batches, self.num_workers)

    def training_images(self, network: Any, images: int, batch: int) -> Iterator[Tensor]:
        """This process's share of a fixed choice of training images, on its device and augmented as in training.

        Neither the run's seed nor the number of processes changes the choice or an augmentation, and where training
        stands is not touched.

        Args:
            network: Has `normalise`, for augmentations of normalised images.
            images: How many, of all processes; fewer where there are fewer.
            batch: Images of one batch.

        Yields:
            What the network takes, [batch, 3, H, W].

        Raises:
            InputError: If there is not one whole batch.
        """
        train = self.splits["train"]
        if len(train) < batch:
            raise InputError(f"{len(train)} training images are no whole batch of {batch}; ask for smaller batches")
        batches = SampledBatches(len(train), batch, images // batch, *self._place_in_world())
        loader = self.pipeline.train_loader(train, batches, 0, self.num_workers)
        device = self.trainer.strategy.root_device if self.trainer else torch.device("cpu")
        for number, loaded in zip(batches.share, loader, strict=True):
            there = self.transfer_batch_to_device(loaded, device, 0)
            yield self.pipeline.augment(there.images, Place(0, number, 0, batch), network.normalise)

    def on_after_batch_transfer(self, batch: Batch[Any], dataloader_idx: int) -> Batch[Any]:
        """Augments training batches on the device."""
        if self.trainer is None or not self.trainer.training:
            return batch
        loop = self.trainer.fit_loop.epoch_loop
        # Lightning counts a batch as ready after its transfer, so this is the index of the one in hand.
        part = loop.batch_progress.current.ready % self.trainer.accumulate_grad_batches
        place = Place(self.seed, self.trainer.global_step, self._batches.slice_start(part), self.batch_size)
        return batch._replace(images=self.pipeline.augment(batch.images, place, self._normalise))

    def _normalise(self, images: Tensor) -> Tensor:
        """As the network in training does.

        Raises:
            InputError: What is trained has no such network.
        """
        network: Any = getattr(self.trainer and self.trainer.lightning_module, "network", None)
        if not hasattr(network, "normalise"):
            raise InputError(
                "data.pipeline.fill: mean pads what the network has normalised, but what is trained here has no "
                "network.normalise; set it to black, or train a lit_vision task"
            )
        normal: Tensor = network.normalise(images)
        return normal

    def _train_batches(self) -> TrainBatches:
        rank, world_size = self._place_in_world()
        accumulate = self.trainer.accumulate_grad_batches if self.trainer else 1
        size = len(self.splits["train"])
        batches = TrainBatches(size, self.batch_size, self.seed, rank, world_size, accumulate, self.groups())
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

    def _eval_batches(self, split: S) -> EvalBatches:
        rank, world_size = self._place_in_world()
        if not len(split):
            raise InputError(f"{type(self).__name__}: the split to evaluate holds no image; see data.val and data.test")
        groups = self.eval_groups(split)
        batches = EvalBatches(len(split), self.eval_batch_size, rank, world_size, groups)
        # A rank without a batch would miss DDP's broadcast of buffers and the metrics' gathering, and stall the others.
        if batches.count < world_size:
            raise InputError(
                f"{len(split)} images in batches of data.eval_batch_size {self.eval_batch_size} are too few "
                f"for {world_size} devices; set it to {max(1, len(split) // world_size)} or less"
            )
        return batches

    def _place_in_world(self) -> tuple[int, int]:
        return (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)
