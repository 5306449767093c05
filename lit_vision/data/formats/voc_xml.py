"""Annotation folders in the format of Pascal VOC: one XML file an image, lists of images by split.

`Annotations/<stem>.xml`, `ImageSets/Main/<split>.txt` with one stem a line, `JPEGImages/<stem>.jpg`. Pixels are counted
from 1 and both corners belong to the box (VOC devkit, Section 4.3); that ends here.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import numpy as np

from lit_vision import nearest
from lit_vision.data.formats import image_headers, objects
from lit_vision.data.formats.findings import Finding, Reading
from lit_vision.data.formats.objects import Floats, Images, Objects
from lit_vision.errors import InputError

SUFFIXES = (".jpg", ".jpeg", ".png")


class _Object(NamedTuple):
    name: str
    corners: tuple[float, float, float, float]  # as in the file
    difficult: bool


class _Image(NamedTuple):
    position: int  # in the split's list
    stem: str
    size: tuple[int, int]  # height and width as in the file; zero where it does not tell
    objects: list[_Object]


def read(root: Path, split: str, class_names: Sequence[str], labelled: bool = True) -> Reading:
    """The images and boxes of a split, checked against the images' headers.

    Boxes that stick out are clipped and noted, also by the one pixel of folders that count from 0.

    Args:
        root: Folder with `Annotations`, `ImageSets/Main` and `JPEGImages`, such as `VOC2007`.
        split: Name of a list in `ImageSets/Main`.
        class_names: Classes by label.
        labelled: False for a test split whose annotations are not public: images alone are read.

    Raises:
        InputError: If the split is not there.
    """
    findings: list[Finding] = []
    stems = _stems(root, split, findings)
    if labelled:
        parsed = list(_parse_all(root, stems, findings))
    else:
        parsed = [_Image(position, stem, (0, 0), []) for position, stem in enumerate(stems)]
    parsed, images = _images(root, parsed, findings)
    found = _objects(root, parsed, images, {name: label for label, name in enumerate(class_names)}, findings)
    return Reading(objects.assemble(images, found), findings)


def splits(root: Path) -> list[str]:
    """Names of the lists of images in a folder, sorted; not VOC's lists of one class (`cat_train`).

    Raises:
        InputError: If the folder is not laid out as VOC's.
    """
    lists = root / "ImageSets" / "Main"
    if not lists.is_dir():
        raise InputError(
            f"{root}: not a folder in VOC format: there is no ImageSets/Main;\n"
            "expected Annotations/*.xml, ImageSets/Main/<split>.txt and JPEGImages/*.jpg"
        )
    # A list of one class has a second column: 1, -1 or 0.
    return sorted(path.stem for path in lists.glob("*.txt") if len(_first_line(path).split()) < 2)


def class_names(root: Path) -> list[str]:
    """The names of all objects in a folder, sorted. Files that cannot be read are left to `read`.

    Raises:
        InputError: If there is no object.
    """
    found = set()
    for path in (root / "Annotations").glob("*.xml"):
        try:
            found |= {_text(entry, "name") for entry in ElementTree.parse(path).iterfind("object")}
        except (ElementTree.ParseError, OSError):
            continue
    found.discard("")
    if not found:
        raise InputError(f"{root}: no object is annotated in {root / 'Annotations'}/*.xml")
    return sorted(found)


def _first_line(path: Path) -> str:
    with path.open(errors="replace") as file:
        return next((line for line in file if line.strip()), "")


def _stems(root: Path, split: str, findings: list[Finding]) -> list[str]:
    """The images of a split, each once; a suffix of an image file is no part of a name."""
    path = root / "ImageSets" / "Main" / f"{split}.txt"
    if not path.is_file():
        raise InputError(f"{path}: there is no such split; {nearest.hint(split, splits(root))}")
    lines = [line.split()[0] for line in path.read_text().splitlines() if line.strip()]
    stems = [line[: line.rindex(".")] if line.lower().endswith(SUFFIXES) else line for line in lines]
    seen: set[str] = set()
    for stem in stems:
        if stem in seen:
            findings.append(Finding(path, f"image {stem}", "duplicate id", "this image is listed twice"))
        seen.add(stem)
    return list(dict.fromkeys(stems))


def _parse_all(root: Path, stems: Sequence[str], findings: list[Finding]) -> Iterator[_Image]:
    for position, stem in enumerate(stems):
        path = root / "Annotations" / f"{stem}.xml"
        try:
            yield _parse(position, stem, ElementTree.parse(path).getroot())
        except ElementTree.ParseError as error:
            findings.append(Finding(path, f"image {stem}", "bad XML", str(error)))
        except OSError as error:
            text = f"the file cannot be read: {error.strerror}"
            findings.append(Finding(path, f"image {stem}", "missing annotation", text))


def _parse(position: int, stem: str, tree: Element) -> _Image:
    height, width = (_number(tree, f"size/{key}") for key in ("height", "width"))
    found = []
    for entry in tree.iterfind("object"):
        x1, y1, x2, y2 = (_number(entry, f"bndbox/{key}") for key in ("xmin", "ymin", "xmax", "ymax"))
        found.append(_Object(_text(entry, "name"), (x1, y1, x2, y2), _text(entry, "difficult") == "1"))
    stated = (int(height), int(width)) if math.isfinite(height + width) else (0, 0)
    return _Image(position, stem, stated, found)


def _text(entry: Element, key: str) -> str:
    return (entry.findtext(key) or "").strip()


def _number(entry: Element, key: str) -> float:
    """NaN where there is no number; some of VOC's own corners have decimals."""
    try:
        return float(_text(entry, key))
    except ValueError:
        return math.nan


def _images(root: Path, parsed: Sequence[_Image], findings: list[Finding]) -> tuple[list[_Image], Images]:
    """The images that are there and as large as their XML says."""
    folder = root / "JPEGImages"
    files = _files(folder, [image.stem for image in parsed])
    sizes, faults = image_headers.sizes(folder, files)
    kept = []
    for index, fault in enumerate(image_headers.faults(sizes, faults, [image.size for image in parsed])):
        if fault is None:
            kept.append(index)
        else:
            path = root / "Annotations" / f"{parsed[index].stem}.xml"
            findings.append(Finding(path, f"image {files[index]}", *fault))
    there = [parsed[index] for index in kept]
    ids, stems = [image.position for image in there], [image.stem for image in there]
    found = Images(folder, [files[index] for index in kept], ids, stems, sizes[np.array(kept, dtype=np.int64)])
    return there, found


def _files(folder: Path, stems: Sequence[str]) -> list[str]:
    """The image file of each stem, whatever its suffix; `<stem>.jpg` where there is none."""
    by_stem = {}
    for name in image_headers.list_files(folder, stems):
        stem, dot, suffix = name.rpartition(".")
        if dot + suffix.lower() in SUFFIXES:
            by_stem[stem] = name
    return [by_stem.get(stem, f"{stem}.jpg") for stem in stems]


def _objects(
    root: Path, parsed: Sequence[_Image], images: Images, labels: Mapping[str, int], findings: list[Finding]
) -> Objects:
    """The sound objects; each finding names the object by its place in its file."""
    flat = [(owner, place, entry) for owner, image in enumerate(parsed) for place, entry in enumerate(image.objects)]

    def describe(index: int) -> tuple[Path, str, str]:
        owner, place, entry = flat[index]
        path = root / "Annotations" / f"{parsed[owner].stem}.xml"
        x1, y1, x2, y2 = entry.corners
        return path, f"object {place + 1} ({entry.name})", f"bndbox {x1:g} {y1:g} {x2:g} {y2:g}"

    for index, (_, _, entry) in enumerate(flat):
        if entry.name not in labels:
            path, name, _ = describe(index)
            text = f"there is no class of this name; {nearest.hint(entry.name, labels)}"
            findings.append(Finding(path, name, "unknown category", text))
    owners = np.array([owner for owner, _, _ in flat], dtype=np.int64)
    boxes, verdict = objects.check(_exclusive([entry.corners for _, _, entry in flat]), images.sizes[owners])
    findings.extend(verdict.findings(images.sizes[owners], describe))
    known = np.array([labels.get(entry.name, -1) for _, _, entry in flat], dtype=np.int64)
    difficult = np.array([entry.difficult for _, _, entry in flat], dtype=np.bool_)
    area = (boxes[:, 2:] - boxes[:, :2]).prod(1)
    found = Objects(owners, boxes, known, np.zeros_like(difficult), difficult, area)
    return found.take(verdict.sound & (known >= 0))


def _exclusive(corners: Sequence[tuple[float, float, float, float]]) -> Floats:
    """VOC's corners as xyxy from 0, lower right exclusive, float64 [M, 4].

    Equal corners would be one pixel by the devkit, but nobody draws that: it is a click without a drag, a zero size.
    """
    found = np.array(corners, dtype=np.float64).reshape(-1, 4)
    with np.errstate(invalid="ignore"):
        drawn = (found[:, 2:] > found[:, :2]).all(1, keepdims=True)
    return np.where(drawn, found - np.array([1, 1, 0, 0]), found)
