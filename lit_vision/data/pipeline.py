"""What a pipeline is: how images become batches, wherever they come from."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from lit_vision.data.sampler import EvalBatches, TrainBatches
from lit_vision.types import Batch


class Split(NamedTuple):
    """One split of a data set.

    Attributes:
        images: Files, or uint8 [N, 3, H, W] where the images are in memory already.
        labels: int64 [N], class indices.
    """

    images: Sequence[Path] | Tensor
    labels: Tensor


class Place(NamedTuple):
    """Where a training batch stands in the run: all that augmentation on the device may depend on.

    Attributes:
        seed: The run's seed.
        step: Optimiser steps done.
        start: First position of the batch within the total batch.
        total: Size of the total batch.
    """

    seed: int
    step: int
    start: int
    total: int


class Pipeline(ABC):
    """Turns the images of a split into batches.

    Attributes:
        input_size: Height and width the network is trained at; None before the images are known.
    """

    input_size: tuple[int, int] | None

    def load(self, split: Split) -> Split:
        """The split as the loaders want it; called once per split."""
        return split

    @abstractmethod
    def train_loader(self, split: Split, batches: TrainBatches, seed: int, workers: int) -> Iterable[Batch[Tensor]]:
        """Batches for training, in the order of `batches`."""

    @abstractmethod
    def eval_loader(self, split: Split, batches: EvalBatches, workers: int) -> Iterable[Batch[Tensor]]:
        """Batches for validation and test, without augmentation."""

    @abstractmethod
    def statistics(self, split: Split) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation for the model's `Normalise`, of images in 0..1."""

    @abstractmethod
    def prepare(self, image: Tensor) -> Tensor:
        """One decoded image as evaluation sees it: uint8 [3, H, W] in and out."""

    def augment(self, images: Tensor, place: Place) -> Tensor:
        """Batched augmentation on the training device, uint8 [B, 3, H, W] in and out; none by default."""
        return images
