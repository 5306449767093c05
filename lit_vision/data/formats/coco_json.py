"""Annotation files in the format of COCO: one JSON file for all images of a split.

https://cocodataset.org/#format-data: `images` (id, file_name, height, width), `annotations` (id, image_id, category_id,
bbox as x, y, width, height, area, iscrowd) and `categories` (id, name). Ids are any numbers, with gaps or without.
"""

import difflib
import hashlib
import json
import os
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lit_vision import files, nearest
from lit_vision.data.fetch import cache
from lit_vision.data.formats import coco_objects, image_headers, lists, objects
from lit_vision.data.formats import masks as outlines
from lit_vision.data.formats.coco_objects import Entry, Place
from lit_vision.data.formats.findings import Finding, Reading
from lit_vision.data.formats.objects import Images
from lit_vision.errors import InputError

LARGEST_ID = 2**63 - 1  # of an image or a category; tensors hold no larger number


class Category(NamedTuple):
    """A class of a data set: its number in the files, and its name. Labels are positions in the list of all."""

    id: int
    name: str


def read(
    file: Path,
    images: Path,
    categories: Sequence[Category] | None = None,
    ids: Path | None = None,
    labelled: bool = True,
    masks: bool = False,
    first: int | None = None,
) -> Reading:
    """The images and boxes of a file, checked against the images' headers.

    Corners that stick out of the image by up to a pixel stay as they are: COCO's files are rounded, and the official
    evaluation compares with just these corners. Larger ones are clipped and noted.

    Args:
        file: The annotation file.
        images: Folder that `file_name` is relative to.
        categories: Classes by label; None takes the file's own.
        ids: A text file with one image id a line: only these images are read.
        labelled: Whether the file must have `annotations`; a test set's may lack them.
        masks: Whether the objects' outlines are kept as masks.
        first: So many images are read, those with the lowest ids; None reads all.

    Raises:
        InputError: If a file is missing or is no such file, if the categories are not those asked for, or if an id
            is not in the file.
    """
    content = _load(file, masks)
    classes = _categories(content, file)
    if categories is not None:
        _refuse_other_names(classes, categories, file)
        classes = list(categories)
    findings: list[Finding] = []
    annotations = _annotations(content, file, labelled)
    entries = _entries(content["images"], file, findings)
    known = {entry["id"] for entry in entries}
    place = Place(file, known, {category.id: label for label, category in enumerate(classes)}, masks)
    if ids is not None:
        wanted = _read_ids(ids, known, file)
        entries = [entry for entry in entries if entry["id"] in wanted]
    if first is not None:
        entries = sorted(entries, key=lambda entry: entry["id"])[:first]
    there = _images(_each_file_once(entries, file, findings), images, file, findings)
    found = coco_objects.read(annotations, there, place, findings)
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
    state = file.stat() if files.is_there(file) else None
    key = hashlib.sha256(f"{file.resolve()} {state and (state.st_size, state.st_mtime_ns)}".encode()).hexdigest()[:32]
    path = cache.folder() / "coco_json" / f"{key}.json"
    try:
        kept = json.loads(path.read_bytes())
        return {"categories": [Category(*entry) for entry in kept["categories"]], "first": kept["first"]}
    except (OSError, ValueError, KeyError, TypeError):
        content = _load(file)
    named = (entry.get("file_name") for entry in content["images"] if isinstance(entry, dict))
    first = next((name for name in named if isinstance(name, str) and lists.writable(name)), "")
    found = {"categories": _categories(content, file), "first": first}
    cache.write(path, json.dumps(found).encode())
    return found


def _nearby(file: Path) -> str:
    """The end of a message that a file is missing: the nearest of those beside it and in `annotations`."""
    there = [str(path) for folder in (file.parent, file.parent / "annotations") for path in folder.glob("*.json")]
    return f";\n{nearest.hint(str(file), there)}" if there else "; name data.train, data.val and data.test"


def _load(file: Path, with_masks: bool = False) -> dict[str, Any]:
    try:
        content = json.loads(files.content(file), object_hook=outlines.slim if with_masks else _without_masks)
    except FileNotFoundError:
        raise InputError(f"{file}: there is no such annotation file{_nearby(file)}") from None
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:  # of JSON, of its encoding, and of brackets without end
        raise InputError(f"{file}: not valid JSON ({error}); was it copied or downloaded whole?") from None
    if not isinstance(content, dict) or not all(isinstance(content.get(key), list) for key in ("images", "categories")):
        got = f"keys {', '.join(sorted(content)[:6]) or '-'}" if isinstance(content, dict) else type(content).__name__
        raise InputError(
            f"{file}: not an annotation file in COCO format: expected lists images, annotations and categories; "
            f"got {got}"
        )
    return content


def _annotations(content: dict[str, Any], file: Path, labelled: bool) -> list[Any]:
    """The list of objects; one that is missing by a typing error would leave a data set without any."""
    if "annotations" in content:
        if not isinstance(content["annotations"], list):
            raise InputError(f"{file}: annotations is {content['annotations']!r:.60}; it must be a list of objects")
        return list(content["annotations"])
    if labelled or difflib.get_close_matches("annotations", content, cutoff=0.7):
        raise InputError(
            f"{file}: there is no list `annotations`, only {', '.join(sorted(content)[:6])};\n"
            "name it so, or give the file as data.test if its objects are not public"
        )
    return []


def _without_masks(entry: dict[str, Any]) -> dict[str, Any]:
    """Drops outlines while parsing: they are most of COCO's 470 MB, and more than half of the memory."""
    entry.pop("segmentation", None)
    return entry


def _categories(content: dict[str, Any], file: Path) -> list[Category]:
    try:
        found = sorted(Category(int(entry["id"]), str(entry["name"])) for entry in content["categories"])
    except (KeyError, TypeError, ValueError, OverflowError):
        raise InputError(f"{file}: each of categories needs a number `id` and a `name`") from None
    for category in found:
        if not _is_id(category.id) or not lists.writable(category.name):
            raise InputError(
                f"{file}: category {category.id!s:.60} ({lists.shown(category.name)}) cannot be used; "
                "an id is a number below 2^63, a name is text in UTF-8"
            )
    _refuse_same(found, file)
    if not found:
        raise InputError(f"{file}: categories is empty; it must name the classes")
    return found


def _refuse_same(found: Sequence[Category], file: Path) -> None:
    """Classes are told apart by their numbers in the files, and by their names in results."""
    for one, other in pairwise(found):
        if one.id == other.id:
            raise InputError(
                f"{file}: category id {one.id} is there twice, {one.name!r} and {other.name!r}; ids must be unique"
            )
    for one, other in pairwise(sorted(found, key=lambda category: category.name)):
        if one.name == other.name:
            raise InputError(
                f"{file}: categories {one.id} and {other.id} are both named {one.name!r}; names must be unique"
            )


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
    numbers = [number for line in lists.lines(ids) for number in line.split()]
    for number in numbers:
        if not number.isdecimal() or len(number) > len(str(LARGEST_ID)):
            raise InputError(f"{ids}: expected one image id (a number) a line; got {number!r:.60}")
    wanted = {int(number) for number in numbers}
    missing = sorted(wanted - known)
    if missing:
        raise InputError(f"{ids}: {len(missing)} of its {len(wanted)} image ids are not in {file}, as {missing[0]}")
    return wanted


def _entries(images: list[Any], file: Path, findings: list[Finding]) -> list[Entry]:
    """The usable entries of `images`, each id once."""
    usable: dict[int, Entry] = {}
    for position, entry in enumerate(images):
        number = entry.get("id") if isinstance(entry, dict) else None
        if not isinstance(number, int) or not _is_id(number):
            text = f"id {number!r:.60} is no number" + (" below 2^63" if isinstance(number, int) else "")
            findings.append(Finding(file, f"images[{position}]", "bad image entry", text))
        elif fault := _fault(entry.get("file_name")):
            findings.append(Finding(file, f"image {number}", "bad image entry", fault))
        elif number in usable:
            text = f"this image id is there twice ({entry['file_name']})"
            findings.append(Finding(file, f"image {number}", "duplicate id", text, image=entry["file_name"]))
        else:
            usable[number] = entry
    return list(usable.values())


def _fault(name: Any) -> str:
    """What is wrong with a `file_name`; nothing where it is one."""
    if not isinstance(name, str):
        return "it has no file_name"
    return "" if lists.writable(name) else f"its file_name {lists.shown(name)!r} cannot be a file's name"


def _is_id(number: int) -> bool:
    return -LARGEST_ID <= number <= LARGEST_ID


def _each_file_once(entries: Sequence[Entry], file: Path, findings: list[Finding]) -> list[Entry]:
    """The entries without those that give a file a second id: its objects would count twice."""
    owners: dict[str, Any] = {}
    for entry in entries:
        path = os.path.normpath(entry["file_name"])
        if owners.setdefault(path, entry["id"]) != entry["id"]:
            text = f"{path} is image {owners[path]} already"
            findings.append(Finding(file, f"image {entry['id']}", "duplicate file", text, image=entry["file_name"]))
    return [entry for entry in entries if owners[os.path.normpath(entry["file_name"])] == entry["id"]]


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
            name = f"image {entries[index]['id']} ({files[index]})"
            findings.append(Finding(file, name, *fault, image=entries[index]["file_name"]))
    return Images(
        folder,
        [files[index] for index in kept],
        [entries[index]["id"] for index in kept],
        [entries[index]["file_name"] for index in kept],
        sizes[np.array(kept, dtype=np.int64)],
    )
