"""A user's own images: one folder per class."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.utilities.rank_zero import rank_zero_info

from lit_vision.data.base import ImageData, stratified
from lit_vision.data.formats import lists
from lit_vision.data.pipelines import decode
from lit_vision.data.pipelines.pipeline import ImagePipeline, Split
from lit_vision.data.pipelines.small import SmallImages
from lit_vision.errors import InputError

SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"}
SPLITS = ("train", "val", "test")

_LARGEST_IN_MEMORY = 64  # pixels; beyond that, images are photographs


class ImageFolder(ImageData):
    """Images in one folder per class; the folders' names are the classes.

    Give `root` with `train`, and `val` or `test` or both; or one folder of class folders with `val_fraction`; or the
    splits' folders one by one. Without a test split, `test` runs on val and says so.

    Args:
        root: Folder with all splits, or of all classes.
        train: Folder of the training classes, instead of the root's.
        val: Folder of the validation classes, instead of the root's.
        test: Folder of the test classes, instead of the root's.
        pipeline: None holds images in memory that are all of one size up to 64 pixels, cropped after padding by an
            eighth and flipped; it treats all others as photographs by the ResNet paper's preset. The choice is printed.
        kwargs: See `ImageData`.

    Raises:
        InputError: If there is no training folder, a class folder is empty, or the splits have different classes.
    """

    def __init__(
        self,
        root: str | None = None,
        train: str | None = None,
        val: str | None = None,
        test: str | None = None,
        pipeline: ImagePipeline | None = None,
        **kwargs: Any,
    ) -> None:
        self.folders = find_splits(root, {"train": train, "val": val, "test": test})
        names = class_names(self.folders["train"])
        for split, folder in self.folders.items():
            _refuse_other_classes(names, folder, split, self.folders["train"])
        self._chosen = None if pipeline else _choose_pipeline(self.folders["train"], names)
        super().__init__(names, pipeline or _build(self._chosen or {}), **kwargs)

    @property
    def pipeline_config(self) -> dict[str, Any] | None:
        """The pipeline that was chosen by the images."""
        return self._chosen

    def read(self) -> dict[str, Split]:
        """The files of every split."""
        return {split: list_images(folder, self.class_names) for split, folder in self.folders.items()}

    def nominal_train(self) -> int:
        """Training images."""
        labels = list_images(self.folders["train"], self.class_names).labels
        held = self.val_fraction if "val" not in self.folders and self.monitor == "val" else 0
        return len(stratified(labels, held)[1]) if held else len(labels)


def find_splits(root: str | None, given: dict[str, str | None]) -> dict[str, Path]:
    """The folder of each split that there is.

    Args:
        root: Folder with the splits, or of the classes themselves.
        given: Folders named one by one; they go before the root's.

    Raises:
        InputError: If a named folder is missing or there is no training folder.
    """
    base = Path(root) if root else None
    if base and not base.is_dir():
        raise InputError(f"data.root {base}: there is no such folder")
    found = {split: base / split for split in SPLITS if base and (base / split).is_dir()}
    found |= {split: Path(folder) for split, folder in given.items() if folder}
    for split, folder in found.items():
        if not folder.is_dir():
            raise InputError(f"data.{split} {folder}: there is no such folder")
    if "train" not in found and base and not found:
        found["train"] = base  # one folder of class folders
    if "train" not in found:
        raise InputError(
            "no training images: give data.root (with train/, or of class folders) or data.train; "
            f"got root {root}, {', '.join(f'{split} {folder}' for split, folder in given.items())}"
        )
    return found


def class_names(folder: Path) -> list[str]:
    """The class folders below a folder, sorted.

    Raises:
        InputError: If there is none, or one holds no image, is a link back to where it lies, or has no name in UTF-8.
    """
    names = sorted(path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    if {"Annotations", "JPEGImages"} <= set(names):
        raise InputError(f"{folder} has boxes in VOC format, not class folders; quickstart/own_boxes reads them")
    if not names:
        raise InputError(f"{folder} has no class folders; expected {folder}/<class>/*.jpg")
    for name in names:
        _refuse_odd(folder / name)
        if folder.resolve().is_relative_to((folder / name).resolve()):
            raise InputError(f"{folder / name} is a link back to {(folder / name).resolve()}; remove it")
        if next(_images(folder / name), None) is None:
            raise InputError(f"{folder / name} holds no image; fill it or remove it")
    return names


def list_images(folder: Path, names: list[str]) -> Split:
    """All images of a split in a fixed order, and their labels."""
    files = [(path, label) for label, name in enumerate(names) for path in sorted(_images(folder / name))]
    return Split([path for path, _ in files], torch.tensor([label for _, label in files]))


def _images(folder: Path) -> Iterator[Path]:
    """Image files at any depth, without what systems and editors left: `._a.jpg`, `.ipynb_checkpoints/a.jpg`."""
    for parent, folders, files in os.walk(folder):  # `Path.rglob` takes more than twice as long
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            if not name.startswith(".") and os.path.splitext(name)[1].lower() in SUFFIXES:
                path = Path(parent, name)
                _refuse_odd(path)
                yield path


def _refuse_odd(path: Path) -> None:
    """Refuses a name that no text file of ours could hold."""
    if not lists.writable(path.name):
        raise InputError(f"{lists.shown(path)}: the name is not UTF-8; rename it")


def _refuse_other_classes(names: list[str], folder: Path, split: str, train: Path) -> None:
    here = class_names(folder)
    if here != names:
        only_here = sorted(set(here) - set(names))[:3]
        only_train = sorted(set(names) - set(here))[:3]
        raise InputError(
            f"the classes of {split} ({folder}) are not those of train ({train}):\n"
            f"only in {split}: {', '.join(only_here) or '-'}; only in train: {', '.join(only_train) or '-'}; "
            "every split needs the same class folders"
        )


def _choose_pipeline(folder: Path, names: list[str]) -> dict[str, Any]:
    """The pipeline that fits the images, by the headers of all training images up to the first that decides."""
    sizes = set()
    for path in list_images(folder, names).images:
        assert isinstance(path, Path)
        try:
            sizes.add(decode.size(path))
        except InputError:
            continue  # who reads the image is told
        if len(sizes) > 1 or max(map(max, sizes)) > _LARGEST_IN_MEMORY:
            rank_zero_info("images: photographs, read from disk (pipeline lit_vision.data.pipelines.photos.paper)")
            return {"class_path": "lit_vision.data.pipelines.photos.paper", "init_args": {}}
    if not sizes:
        raise InputError(f"{folder}: none of its images can be read; lit-vision data check {folder} lists why")
    ((height, width),) = sizes
    if height != width:
        rank_zero_info("images: not square, read from disk (pipeline lit_vision.data.pipelines.photos.paper)")
        return {"class_path": "lit_vision.data.pipelines.photos.paper", "init_args": {}}
    rank_zero_info(
        f"images: all {height}x{width}, held in memory (pipeline lit_vision.data.pipelines.small.SmallImages)"
    )
    return {
        "class_path": "lit_vision.data.pipelines.small.SmallImages",
        "init_args": {"pad": height // 8, "flip": True, "size": height},
    }


def _build(config: dict[str, Any]) -> ImagePipeline:
    if config["class_path"] == "lit_vision.data.pipelines.small.SmallImages":
        return SmallImages(**config["init_args"])
    from lit_vision.data.pipelines import photos

    return photos.paper()
