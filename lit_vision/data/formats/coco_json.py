"""Annotation files in the format of COCO: one JSON file for all images of a split.

https://cocodataset.org/#format-data: `images` (id, file_name, height, width), `annotations` (id, image_id, category_id,
bbox as x, y, width, height, area, iscrowd) and `categories` (id, name). Ids are any numbers, with gaps or without.
"""

import hashlib
import json
import os
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lit_vision.data.fetch import cache
from lit_vision.data.formats import coco_objects, image_headers, objects
from lit_vision.data.formats.coco_objects import Entry, Place
from lit_vision.data.formats.findings import Finding, Reading
from lit_vision.data.formats.objects import Images
from lit_vision.errors import InputError


class Category(NamedTuple):
    """A class of a data set: its number in the files, and its name. Labels are positions in the list of all."""

    id: int
    name: str


def read(file: Path, images: Path, categories: Sequence[Category] | None = None, ids: Path | None = None) -> Reading:
    """The images and boxes of a file, checked against the images' headers.

    Corners that stick out of the image by up to a pixel stay as they are: COCO's files are rounded, and the official
    evaluation compares with just these corners. Larger ones are clipped and noted.

    Args:
        file: The annotation file; a test set's may lack `annotations`.
        images: Folder that `file_name` is relative to.
        categories: Classes by label; None takes the file's own.
        ids: A text file with one image id a line: only these images are read.

    Raises:
        InputError: If a file is missing or is no such file, if the categories are not those asked for, or if an id
            is not in the file.
    """
    content = _load(file)
    classes = _categories(content, file)
    if categories is not None:
        _refuse_other_names(classes, categories, file)
        classes = list(categories)
    findings: list[Finding] = []
    entries = _entries(content["images"], file, findings)
    known = {entry["id"] for entry in entries}
    place = Place(file, known, {category.id: label for label, category in enumerate(classes)})
    if ids is not None:
        wanted = _read_ids(ids, known, file)
        entries = [entry for entry in entries if entry["id"] in wanted]
    there = _images(entries, images, file, findings)
    found = coco_objects.read(content.get("annotations", []), there, place, findings)
    return Reading(objects.assemble(there, found), findings)


def categories(file: Path) -> list[Category]:
    """The classes of a file, ascending by id.

    Raises:
        InputError: If the file is missing, is no such file, or its categories are not unique numbers with names.
    """
    return list(_summary(file)["categories"])


def first_image(file: Path) -> str:
    """The `file_name` of a file's first image; empty where it has none.

    Raises:
        InputError: As `categories`.
    """
    return str(_summary(file)["first"])


def _summary(file: Path) -> dict[str, Any]:
    """What is asked of a file before it is read, kept in the cache folder: parsing COCO's takes 14 seconds."""
    state = file.stat() if file.is_file() else None
    key = hashlib.sha256(f"{file.resolve()} {state and (state.st_size, state.st_mtime_ns)}".encode()).hexdigest()[:32]
    path = cache.folder() / "coco_json" / f"{key}.json"
    try:
        kept = json.loads(path.read_bytes())
        return {"categories": [Category(*entry) for entry in kept["categories"]], "first": kept["first"]}
    except (OSError, ValueError, KeyError, TypeError):
        content = _load(file)
    first = next((entry.get("file_name") for entry in content["images"][:1] if isinstance(entry, dict)), "")
    found = {"categories": _categories(content, file), "first": first}
    cache.write(path, json.dumps(found).encode())
    return found


def _load(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_bytes(), object_hook=_without_masks)
    except FileNotFoundError:
        raise InputError(f"{file}: there is no such annotation file") from None
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror}") from None
    except ValueError as error:  # of JSON and of its encoding
        raise InputError(f"{file}: not valid JSON ({error}); was it copied or downloaded whole?") from None
    if not isinstance(content, dict) or not all(isinstance(content.get(key), list) for key in ("images", "categories")):
        got = f"keys {', '.join(sorted(content)[:6]) or '-'}" if isinstance(content, dict) else type(content).__name__
        raise InputError(
            f"{file}: not an annotation file in COCO format: expected lists images, annotations and categories; "
            f"got {got}"
        )
    return content


def _without_masks(entry: dict[str, Any]) -> dict[str, Any]:
    """Drops outlines while parsing: they are most of COCO's 470 MB, and more than half of the memory."""
    entry.pop("segmentation", None)
    return entry


def _categories(content: dict[str, Any], file: Path) -> list[Category]:
    try:
        found = sorted(Category(int(entry["id"]), str(entry["name"])) for entry in content["categories"])
    except (KeyError, TypeError, ValueError):
        raise InputError(f"{file}: each of categories needs a number `id` and a `name`") from None
    for one, other in pairwise(found):
        if one.id == other.id:
            raise InputError(
                f"{file}: category id {one.id} is there twice, {one.name!r} and {other.name!r}; ids must be unique"
            )
    if not found:
        raise InputError(f"{file}: categories is empty; it must name the classes")
    return found


def _refuse_other_names(own: Sequence[Category], asked: Sequence[Category], file: Path) -> None:
    """The same number must mean the same thing in every split; a split may lack classes."""
    names = dict(asked)
    for category in own:
        if names.get(category.id, category.name) != category.name:
            raise InputError(
                f"{file}: category {category.id} is {category.name!r} here, but {names[category.id]!r} in the "
                "training annotations; all splits need the same categories"
            )


def _read_ids(ids: Path, known: set[int], file: Path) -> set[int]:
    try:
        lines = ids.read_text().split()
    except OSError as error:
        raise InputError(f"{ids}: the list of image ids cannot be read: {error.strerror}") from None
    try:
        wanted = {int(line) for line in lines}
    except ValueError:
        wrong = next(line for line in lines if not line.lstrip("-").isdigit())
        raise InputError(f"{ids}: expected one image id (a number) a line; got {wrong!r}") from None
    missing = sorted(wanted - known)
    if missing:
        raise InputError(f"{ids}: {len(missing)} of its {len(wanted)} image ids are not in {file}, as {missing[0]}")
    return wanted


def _entries(images: list[Any], file: Path, findings: list[Finding]) -> list[Entry]:
    """The usable entries of `images`, each id once."""
    usable, seen = [], set()
    for position, entry in enumerate(images):
        number = entry.get("id") if isinstance(entry, dict) else None
        name = f"image {number}"
        if not isinstance(number, int):
            findings.append(Finding(file, f"images[{position}]", "bad image entry", f"id {number!r} is no number"))
        elif not isinstance(entry.get("file_name"), str):
            findings.append(Finding(file, name, "bad image entry", "it has no file_name"))
        elif number in seen:
            findings.append(Finding(file, name, "duplicate id", f"this image id is there twice ({entry['file_name']})"))
        else:
            seen.add(number)
            usable.append(entry)
    return usable


def _images(entries: Sequence[Entry], folder: Path, file: Path, findings: list[Finding]) -> Images:
    """The images that are there and as large as the file says."""
    files = [os.path.normpath(entry["file_name"]) for entry in entries]
    sizes, faults = image_headers.sizes(folder, files)
    stated = [(entry.get("height"), entry.get("width")) for entry in entries]
    kept = []
    for index, fault in enumerate(image_headers.faults(sizes, faults, stated)):
        if fault is None:
            kept.append(index)
        else:
            findings.append(Finding(file, f"image {entries[index]['id']} ({files[index]})", *fault))
    return Images(
        folder,
        [files[index] for index in kept],
        [entries[index]["id"] for index in kept],
        [entries[index]["file_name"] for index in kept],
        sizes[np.array(kept, dtype=np.int64)],
    )
