"""The list `annotations` of a file in COCO's format as arrays: 860,001 entries are too many to go through singly."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from lit_vision.data.formats import masks, objects
from lit_vision.data.formats.findings import Finding
from lit_vision.data.formats.objects import Bools, Describe, Described, Floats, Images, Ints, Objects

Entry = Mapping[str, Any]

_TOLERANCE = 1.0  # pixels


class Place(NamedTuple):
    """What objects are looked up in.

    Attributes:
        file: Their file.
        ids: All its image ids.
        labels: The label of each category id.
        masks: Whether outlines are read too.
    """

    file: Path
    ids: set[int]
    labels: dict[int, int]
    masks: bool = False


def read(content: list[Any], images: Images, place: Place, findings: list[Finding]) -> Objects:
    """The sound objects of some images; what is wrong with the others is added to the findings.

    Args:
        content: The file's list `annotations`.
        images: The images at hand; objects of other images of the file are passed over.
        place: What objects are looked up in.
        findings: Gets a finding for each object that is left out or clipped.
    """
    entries = _dicts(content, place.file, findings)
    positions = {number: position for position, number in enumerate(images.ids)}
    image_ids = _column(entries, "image_id")
    owners = np.array([positions.get(number, -1) for number in image_ids], dtype=np.int64)
    for index in np.flatnonzero(owners < 0).tolist():
        if image_ids[index] not in place.ids:
            text = f"image_id {image_ids[index]!r:.60} is not among the images"
            findings.append(Finding(place.file, _name(entries[index]), "unknown image", text))
    mine = np.flatnonzero(owners >= 0)
    return _sound([entries[index] for index in mine.tolist()], owners[mine], images, place, findings)


def _sound(entries: Sequence[Entry], owners: Ints, images: Images, place: Place, findings: list[Finding]) -> Objects:
    """The objects whose box, category and id are right."""
    labels = np.array([place.labels.get(number, -1) for number in _column(entries, "category_id")], dtype=np.int64)
    once = _first_of_each(_column(entries, "id"))
    stated, sizes = _boxes(entries), images.sizes[owners]
    boxes, verdict = objects.check(stated, sizes, _TOLERANCE)

    def describe(index: int) -> Described:
        entry = entries[index]
        return Described(place.file, _name(entry), f"bbox {entry.get('bbox')}", images.names[owners[index]])

    for index in np.flatnonzero(labels < 0).tolist():
        text = f"category_id {entries[index].get('category_id')!r:.60} is not among the categories"
        findings.append(describe(index).finding("unknown category", text))
    for index in np.flatnonzero(~once).tolist():
        findings.append(describe(index).finding("duplicate id", "this annotation id is there twice"))
    findings.extend(verdict.findings(stated, sizes, describe))
    crowd, clear = _crowd(entries, describe, findings)
    found = Objects(owners, boxes, labels, crowd, np.zeros_like(crowd), _areas(entries, boxes))
    sound = verdict.sound & (labels >= 0) & once & clear
    if not place.masks:
        return found.take(sound)
    outlines = _masks(entries, sizes, sound, describe, findings)
    return found._replace(masks=outlines).take(np.array([mask is not None for mask in outlines], dtype=np.bool_))


def _masks(
    entries: Sequence[Entry], sizes: Ints, sound: Bools, describe: Describe, findings: list[Finding]
) -> npt.NDArray[np.object_]:
    """The compressed mask of each sound object, None for those without one."""
    found = np.full(len(entries), None, dtype=np.object_)
    for index in np.flatnonzero(sound).tolist():
        mask = masks.compress(entries[index].get("segmentation"), *sizes[index].tolist())
        if isinstance(mask, str):
            findings.append(describe(index).finding("bad segmentation", mask))
        else:
            found[index] = mask
    return found


def _crowd(entries: Sequence[Entry], describe: Describe, findings: list[Finding]) -> tuple[Bools, Bools]:
    """`iscrowd` of all entries, and whether it says anything clear."""
    flags = [objects.flag(value) for value in _column(entries, "iscrowd")]
    clear = np.array([value is not None for value in flags], dtype=np.bool_)
    for index in np.flatnonzero(~clear).tolist():
        text = f"iscrowd {entries[index].get('iscrowd')!r:.60} is neither 0 nor 1"
        findings.append(describe(index).finding("bad flag", text))
    return np.array([bool(value) for value in flags], dtype=np.bool_), clear


def _dicts(content: list[Any], file: Path, findings: list[Finding]) -> list[Entry]:
    for position, entry in enumerate(content):
        if not isinstance(entry, dict):
            text = f"expected an object with image_id and bbox, got {entry!r:.60}"
            findings.append(Finding(file, f"annotations[{position}]", "bad annotation", text))
    return [entry for entry in content if isinstance(entry, dict)]


def _column(entries: Sequence[Entry], key: str) -> list[Any]:
    """One field of all entries; what cannot be looked up (lists) becomes its text."""
    values = [entry.get(key) for entry in entries]
    return [value if value.__hash__ else str(value) for value in values]


def _first_of_each(ids: Sequence[Any]) -> Bools:
    """Where a value stands for the first time; objects without an id need none."""
    first = {number: index for index, number in zip(range(len(ids) - 1, -1, -1), reversed(ids), strict=True)}
    return np.array([number is None or first[number] == index for index, number in enumerate(ids)], dtype=np.bool_)


def _boxes(entries: Sequence[Entry]) -> Floats:
    """COCO's x, y, width, height as xyxy, float64 [M, 4]; NaN where there are no four numbers."""
    values = [entry.get("bbox") for entry in entries]
    try:
        found = np.array(values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        found = np.empty(0)
    if found.ndim != 2 or found.shape[1] != 4:
        found = np.array([_four(value) for value in values], dtype=np.float64).reshape(-1, 4)
    with np.errstate(over="ignore", invalid="ignore"):
        return np.concatenate([found[:, :2], found[:, :2] + found[:, 2:]], axis=1)


def _four(value: Any) -> list[float]:
    try:
        x, y, width, height = (float(number) for number in value)
    except (TypeError, ValueError, OverflowError):
        return [math.nan] * 4
    return [x, y, width, height]


def _areas(entries: Sequence[Entry], boxes: Floats) -> Floats:
    """The file's areas (of masks, in COCO), the box's where there is none."""
    sides = boxes[:, 2:] - boxes[:, :2]
    stated = np.array([_number(entry.get("area")) for entry in entries], dtype=np.float64)
    return np.where(np.isfinite(stated) & (stated >= 0), stated, sides.prod(1))


def _number(value: Any) -> float:
    try:
        return float(value) if isinstance(value, int | float) else math.nan
    except OverflowError:
        return math.nan


def _name(entry: Entry) -> str:
    return f"annotation {entry.get('id', 'without id')!s:.60} of image {entry.get('image_id')!s:.60}"
