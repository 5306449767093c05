"""Tiny synthetic trees of class folders: equal small images (PNG, exact pixels) and photographs (JPEG, any size)."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

CLASSES = ("ant", "bee", "cat")
SPLITS = {"train": 8, "val": 3, "test": 2}  # images per class


def small(
    root: Path,
    classes: Sequence[str] = CLASSES,
    splits: Mapping[str, int] = SPLITS,
    size: int | tuple[int, int] = 8,
    suffix: str = "png",
) -> Path:
    """Equal small images, `<root>/<split>/<class>/<number>.<suffix>`; the split "" puts class folders into the root."""
    height, width = (size, size) if isinstance(size, int) else size
    for split, label, number, path in _paths(root, classes, splits, suffix):
        save(path, picture(height, width, label, len(classes), _key(split, label, number)))
    return root


def photographs(
    root: Path, classes: Sequence[str] = CLASSES, splits: Mapping[str, int] = SPLITS, suffix: str = "jpg"
) -> Path:
    """Images of many sizes around 40 x 60 pixels, upright and lying, in the same layout."""
    for split, label, number, path in _paths(root, classes, splits, suffix):
        sides = (40 + 3 * number, 60 + 2 * label)
        height, width = sides if number % 2 else sides[::-1]
        save(path, picture(height, width, label, len(classes), _key(split, label, number)))
    return root


def picture(height: int, width: int, label: int, num_classes: int, seed: int) -> np.ndarray:
    """Noise on a grey level that tells the class, so that a network can learn it: uint8 [H, W, 3]."""
    random = np.random.default_rng(seed)
    level = 40 + 150 * label // num_classes
    return random.integers(level, level + 60, (height, width, 3)).astype(np.uint8)


def save(path: Path, pixels: np.ndarray) -> None:
    """Writes one file, with its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def _paths(root, classes, splits, suffix):
    for split, count in splits.items():
        for label, name in enumerate(classes):
            for number in range(count):
                yield split, label, number, root / split / name / f"{number:03}.{suffix}"


def _key(split: str, label: int, number: int) -> int:
    return 1_000_000 * (1 + len(split)) + 1000 * label + number
