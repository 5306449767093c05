"""Which data set a folder or a file is, by what lies in it: a configuration that reads it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lit_vision import files
from lit_vision.data.formats import voc_xml
from lit_vision.errors import InputError

_SPLITS = ("train", "val", "test")


def guess(path: Path) -> dict[str, Any]:
    """The data module for a folder in VOC's layout, of class folders or with COCO's files, or for one such file.

    Returns:
        Its `{class_path, init_args}`.

    Raises:
        InputError: If there is nothing, or nothing that says what it is.
    """
    if files.is_there(path) and path.suffix == ".json":
        root = path.parent.parent if path.parent.name == "annotations" else path.parent
        return _coco(root, {"train": str(path.relative_to(root))})
    if not files.is_folder(path):
        raise InputError(f"{path}: there is no such folder, COCO file or recipe; lit-vision recipes ls shows recipes")
    if (path / "ImageSets" / "Main").is_dir():
        lists = _by_split(voc_xml.splits(path))
        return _part("voc.VocFormat", {"root": str(path)} | _named(lists))
    for folder in (path, path / "annotations"):
        if found := sorted(entry.name for entry in folder.glob("*.json")):
            names = {split: str((folder / name).relative_to(path)) for split, name in _by_split(found).items()}
            return _coco(path, names)
    if any(any(path.glob(f"{depth}/ImageSets/Main")) for depth in ("*", "*/*")):
        voc_xml.splits(path)  # refuses, and names the folder that is meant
    if any(entry.is_dir() for entry in path.iterdir()):
        return _part("image_folder.ImageFolder", {"root": str(path)})
    raise InputError(
        f"{path}: no class folders, no ImageSets/Main and no COCO file;\ndocs/own-data.md shows what is read"
    )


def _coco(root: Path, names: Mapping[str, str]) -> dict[str, Any]:
    return _part("coco.CocoFormat", {"root": str(root)} | _named(names))


def _named(names: Mapping[str, str]) -> dict[str, str | None]:
    """All splits; none for those that are not there."""
    return {split: names.get(split) for split in _SPLITS}


def _by_split(names: Sequence[str]) -> dict[str, str]:
    """The name that stands for each split: `train`, or one with that word and no other, such as `instances_val2017`.

    A set that says nothing, or both of two, is trained on where nothing else is.
    """
    found: dict[str, str] = {}
    for split in _SPLITS:
        others = [word for word in _SPLITS if word != split]
        own = [name for name in names if split in name.lower() and not any(word in name.lower() for word in others)]
        if own:
            found[split] = min(own, key=len)
    left = [name for name in names if name not in found.values()]
    return found if "train" in found or not left else {"train": left[0]} | found


def _part(name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {"class_path": f"lit_vision.data.{name}", "init_args": dict(arguments)}
