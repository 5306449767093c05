"""CIFAR-10 and CIFAR-100, by torchvision's readers with their checksums."""

from abc import abstractmethod
from http.client import HTTPException
from pathlib import Path
from typing import Any

import torch
from torchvision import datasets

from lit_vision.data.base import ImageData
from lit_vision.data.fetch import catalog
from lit_vision.data.pipelines.pipeline import ImagePipeline, Split
from lit_vision.data.pipelines.small import SmallImages
from lit_vision.errors import InputError

_PIPELINE: dict[str, Any] = {"mean": "pixel", "std": None, "size": 32}


class _CIFAR(ImageData):
    """Common to both: 50,000 training and 10,000 test images of 32 x 32 pixels.

    `val_fraction: 0.1` is the paper's 45,000/5,000 split; `monitor: test` trains on all 50,000.

    Args:
        root: Folder that holds, or gets, the files.
        download: Whether to fetch missing files.
        pipeline: None is the ResNet paper's: pad 4, crop, flip, mean image.
        kwargs: See `ImageData`.
    """

    name: str

    def __init__(
        self,
        root: str | None = None,
        download: bool = False,
        pipeline: ImagePipeline | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(self._names(), pipeline or SmallImages(**_PIPELINE), **kwargs)
        self.root = Path(root or f"data/{self.name}")
        self.download = download
        self._own_pipeline = pipeline is None

    @property
    def pipeline_config(self) -> dict[str, Any] | None:
        """The default pipeline."""
        own = {"class_path": "lit_vision.data.pipelines.small.SmallImages", "init_args": _PIPELINE}
        return own if self._own_pipeline else None

    def prepare_data(self) -> None:
        """Fetches the files on one process, where asked to."""
        if self.download:
            fetch(self.name, self.root)
        super().prepare_data()

    def read(self) -> dict[str, Split]:
        """Both splits, checksums verified."""
        return {"train": self._read(train=True), "test": self._read(train=False)}

    def official(self) -> dict[str, int]:
        """Images of both splits."""
        return {"train": 50_000, "test": 10_000}

    def nominal_train(self) -> int:
        """Training images."""
        return 50_000 if self.monitor == "test" else 50_000 - round(50_000 * self.val_fraction)

    def _read(self, train: bool) -> Split:
        try:
            found = reader(self.name)(str(self.root), train=train)
        except RuntimeError:
            raise InputError(
                f"{type(self).__name__}: {self.root} does not hold the data set, or its checksum differs;\n"
                f"fetch it by lit-vision data get {self.name} --root {self.root}"
            ) from None
        images = torch.from_numpy(found.data).permute(0, 3, 1, 2).contiguous()
        return Split(images, torch.tensor(found.targets))

    @classmethod
    @abstractmethod
    def _names(cls) -> list[str]:
        """Class names by index."""


class CIFAR10(_CIFAR):
    """CIFAR-10; arguments as in `_CIFAR`."""

    name = "cifar10"

    @classmethod
    def _names(cls) -> list[str]:
        return ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


class CIFAR100(_CIFAR):
    """CIFAR-100 with its 100 fine labels; arguments as in `_CIFAR`."""

    name = "cifar100"

    @classmethod
    def _names(cls) -> list[str]:
        return list(catalog.CIFAR100_CLASSES)


def reader(name: str) -> Any:
    """Torchvision's reader of a data set."""
    return {"cifar10": datasets.CIFAR10, "cifar100": datasets.CIFAR100}[name]


def fetch(name: str, root: Path) -> None:
    """Downloads, verifies and unpacks; does nothing where the files are already right.

    Raises:
        InputError: If the server cannot be reached or the file is not the right one.
    """
    try:
        reader(name)(str(root), download=True)
    except (OSError, RuntimeError, HTTPException) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise InputError(
            f"{name} could not be fetched into {root}: {reason};\n"
            f"without a network, copy the archive there by hand: lit-vision data where {name}"
        ) from None
