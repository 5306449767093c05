"""What a pipeline is: how images become batches, wherever they come from."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, NamedTuple, Protocol, TypeVar

from torch import Tensor

from lit_vision.data.pipelines.sampler import EvalBatches, TrainBatches
from lit_vision.types import Batch


class Sized(Protocol):
    """A split of any kind: so many images."""

    def __len__(self) -> int:
        """Number of images."""


@dataclass(frozen=True)
class Split:
    """One split of a classification data set.

    Attributes:
        images: Files, or uint8 [N, 3, H, W] where the images are in memory already.
        labels: int64 [N], class indices.
        names: Of the images, [N]; empty where the files tell them, or where images have none. See `named`.
    """

    images: Sequence[Path] | Tensor
    labels: Tensor
    names: Sequence[str] = ()

    def __len__(self) -> int:
        return len(self.labels)


def name_of(split: Split, index: int) -> str:
    """An image's name: its own, folder and file, or its position."""
    if split.names:
        return split.names[index]
    if isinstance(split.images, Tensor):
        return str(index)
    path = split.images[index]
    return f"{path.parent.name}/{path.name}"


def named(split: Split) -> Sequence[str]:
    """A name for each image; see `name_of`."""
    return split.names or [name_of(split, index) for index in range(len(split))]


Normaliser = Callable[[Tensor], Tensor]

S = TypeVar("S", bound=Sized)
T = TypeVar("T")


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


class Pipeline(ABC, Generic[S, T]):
    """Turns the images of a split into batches: of a `Split` with class indices, of `Annotations` with boxes.

    Attributes:
        input_size: Height and width the network is trained at; None before the images are known.
        reads_all: Whether `statistics` reads every training image, and keeps what it found for other processes.
    """

    input_size: tuple[int, int] | None
    reads_all: bool = False

    def load(self, split: S) -> S:
        """The split as the loaders want it; called once per split."""
        return split

    @abstractmethod
    def train_loader(self, split: S, batches: TrainBatches, seed: int, workers: int) -> Iterable[Batch[T]]:
        """Batches for training, in the order of `batches`."""

    @abstractmethod
    def eval_loader(self, split: S, batches: EvalBatches, workers: int) -> Iterable[Batch[T]]:
        """Batches for validation and test, without augmentation."""

    @abstractmethod
    def statistics(self, split: S) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation for the model's `Normalise`, of images in 0..1."""

    @abstractmethod
    def prepare(self, image: Tensor) -> Tensor:
        """One decoded image as evaluation sees it: uint8 [3, H, W] in and out."""

    def eval_groups(self, split: S) -> Tensor | None:
        """Group of each evaluated image, int64 [N], where their shapes differ; a batch holds one. None: one shape."""
        return None

    def augment(self, images: Tensor, place: Place, normalise: Normaliser) -> Tensor:
        """Batched augmentation on the training device; none by default.

        Args:
            images: uint8 [B, 3, H, W].
            place: All that is drawn depends on it alone.
            normalise: The network's, for augmentations of normalised images.

        Returns:
            uint8 [B, 3, H, W], or float32 if normalised already.
        """
        return images


class ImagePipeline(Pipeline[Split, Tensor]):
    """Turns images with one class each into batches.

    Attributes:
        short_side: What evaluation resizes the shorter side to before the crop; None where it does not.
    """

    short_side: int | None = None
