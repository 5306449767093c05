"""Class names that differ only in case or spaces, and files that nobody lists."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from lit_vision.data.image_folder import SUFFIXES
from lit_vision.doctor.report import Problem


def classes(names: Sequence[str]) -> Iterator[Problem]:
    """Classes that may be one and the same."""
    first: dict[str, str] = {}
    for name in names:
        earlier = first.setdefault(_plain(name), name)
        if earlier != name:
            yield Problem("", "alike class names", "", f"{earlier!r} and {name!r} are two classes", True)
    for name in names:
        if name != name.strip():
            yield Problem("", "space around a class name", "", f"{name!r} begins or ends with a space")


def unlisted(folders: Iterable[Path], listed: set[Path]) -> Iterator[Problem]:
    """Images that lie in a folder of the data set and that no split reads."""
    for folder in sorted(set(folders)):
        with os.scandir(folder) as entries:
            there = sorted(entry.name for entry in entries if Path(entry.name).suffix.lower() in SUFFIXES)
        for name in there:
            if folder / name not in listed:
                yield Problem("", "unlisted image", name, f"{folder / name} is read in no split", path=folder / name)


def unread(splits: Mapping[str, Path]) -> Iterator[Problem]:
    """Folders beside `train` that are no split, such as `valid`: nothing in them is looked at.

    Args:
        splits: Folder of each split.
    """
    train = splits["train"]
    if train.name != "train":
        return  # one folder of class folders, or named one by one
    for folder in sorted(train.parent.iterdir()):
        if folder.is_dir() and folder not in splits.values() and not folder.name.startswith("."):
            text = f"{folder} is not read; splits are the folders train, val and test, or what data.val names"
            yield Problem("", "unread folder", "", text)


def _plain(name: str) -> str:
    return "".join(name.lower().split())
