"""CIFAR-10 and CIFAR-100 as torchvision's readers expect them on disk, a few images a class.

The pickles are laid out as the real ones, but cannot have their MD5 sums. `install` therefore puts the twin's own sums
into the reader for the length of a test (monkeypatch); the check itself stays in force.
"""

import hashlib
import pickle
from pathlib import Path

import numpy as np
from torchvision import datasets

from lit_vision.data.cifar import CIFAR10, CIFAR100
from tests.twins.folders import picture

PER_CLASS = {"train": 10, "test": 2}

_READERS = {"cifar10": datasets.CIFAR10, "cifar100": datasets.CIFAR100}
_BATCHES = {
    "cifar10": {"train": [f"data_batch_{number}" for number in range(1, 6)], "test": ["test_batch"]},
    "cifar100": {"train": ["train"], "test": ["test"]},
}
_LABELS = {"cifar10": "labels", "cifar100": "fine_labels"}
_NAMES = {"cifar10": CIFAR10._names(), "cifar100": CIFAR100._names()}


def install(monkeypatch, root: Path, name: str = "cifar10", per_class: dict[str, int] = PER_CLASS) -> Path:
    """Writes a twin and lets torchvision's reader accept it; undone with the test."""
    sums = write(root, name, per_class)
    reader = _READERS[name]
    for split in ("train", "test"):
        monkeypatch.setattr(reader, f"{split}_list", [[batch, sums[batch]] for batch in _BATCHES[name][split]])
    meta = reader.meta["filename"]
    monkeypatch.setattr(reader, "meta", reader.meta | {"md5": sums[meta]})
    return root


def write(root: Path, name: str, per_class: dict[str, int]) -> dict[str, str]:
    """Writes the files; returns their MD5 sums. Image `i` of a split has the class `i % K`."""
    reader, sums = _READERS[name], {}
    folder = root / reader.base_folder
    folder.mkdir(parents=True)
    for split, batches in _BATCHES[name].items():
        pixels, labels = images(name, split, per_class[split])
        # A row is the red plane, then the green, then the blue one.
        rows = pixels.transpose(0, 3, 1, 2).reshape(len(pixels), 3072)
        for part, batch in enumerate(batches):
            mine = slice(part * len(rows) // len(batches), (part + 1) * len(rows) // len(batches))
            content = {"data": rows[mine], _LABELS[name]: labels[mine], "filenames": [], "batch_label": batch}
            sums[batch] = _write(folder / batch, content)
    sums[reader.meta["filename"]] = _write(folder / reader.meta["filename"], {reader.meta["key"]: _NAMES[name]})
    return sums


def images(name: str, split: str, per_class: int) -> tuple[np.ndarray, list[int]]:
    """Pixels, uint8 [N, 32, 32, 3], and labels of a split."""
    classes = len(_NAMES[name])
    labels = [number % classes for number in range(per_class * classes)]
    pixels = [picture(32, 32, label, classes, 10_000 * len(split) + number) for number, label in enumerate(labels)]
    return np.stack(pixels), labels


def _write(path: Path, content: dict) -> str:
    data = pickle.dumps(content, protocol=2)
    path.write_bytes(data)
    return md5(data)


def md5(data: bytes) -> str:
    return hashlib.md5(data).hexdigest()
