"""Annotation folders in the format of Pascal VOC: one XML file an image, lists of images by split.

`Annotations/<stem>.xml`, `ImageSets/Main/<split>.txt` with one stem a line, `JPEGImages/<stem>.jpg`. Pixels are counted
from 1 and both corners belong to the box (VOC devkit, Section 4.3), unless `Corners` say otherwise; that ends here.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from lit_vision import files, nearest
from lit_vision.data.formats import image_headers, lists, objects, voc_file
from lit_vision.data.formats.findings import Finding, Reading
from lit_vision.data.formats.objects import Bools, Described, Floats, Images, Ints, Objects
from lit_vision.data.formats.voc_file import Image, Object
from lit_vision.errors import InputError

SUFFIXES = (".jpg", ".jpeg", ".png")

Corners = Literal["inclusive_1", "inclusive_0", "exclusive_0"]
"""How corners are meant: `inclusive_1` counts pixels from 1 and the last belongs to the box (VOC's own), `inclusive_0`
counts from 0, `exclusive_0` gives the edges of the box, the lower right one beyond its last pixel."""

_TO_EDGES = {"inclusive_1": (-1, -1, 0, 0), "inclusive_0": (0, 0, 1, 1), "exclusive_0": (0, 0, 0, 0)}

_OF_CLASS = re.compile(r"(.*\S)\s+(?:-1|0|1)")  # a line of a class's list: the image, and whether it shows the class


class Meaning(NamedTuple):
    """What annotations mean.

    Attributes:
        class_names: Classes by label.
        corners: See `Corners`.
        ignore: Names of objects that are neither a class nor background: regions in which nothing is counted, as in a
            crowd of COCO's, whatever class is looked for.
    """

    class_names: Sequence[str]
    corners: Corners = "inclusive_1"
    ignore: Sequence[str] = ()

    def labels(self) -> dict[str, list[int]]:
        """Labels by name: one of a class, all of what is ignored."""
        every = list(range(len(self.class_names)))
        return {name: [label] for label, name in enumerate(self.class_names)} | dict.fromkeys(self.ignore, every)


class Places(NamedTuple):
    """Where annotations and images are: `<annotations>/<stem>.xml` and `<images>/<stem>.jpg`, with folders in stems."""

    annotations: Path
    images: Path


def read(root: Path, split: str, meaning: Meaning, labelled: bool = True) -> Reading:
    """The images and boxes of a split, checked against the images' headers.

    Boxes that stick out are clipped and noted, also by the one pixel of folders that count from 0.

    Args:
        root: Folder with `Annotations`, `ImageSets/Main` and `JPEGImages`, such as `VOC2007`.
        split: Name of a list in `ImageSets/Main`.
        meaning: Classes and corners.
        labelled: False for a test split whose annotations are not public: images alone are read.

    Raises:
        InputError: If the split is not there.
    """
    findings: list[Finding] = []
    stems = _stems(root, split, findings)
    return read_listed(Places(root / "Annotations", root / "JPEGImages"), stems, meaning, labelled, findings)


def read_listed(
    places: Places, stems: Sequence[str], meaning: Meaning, labelled: bool = True, findings: Sequence[Finding] = ()
) -> Reading:
    """The images of some stems and their boxes, wherever these are; arguments as of `read`, findings so far."""
    told = list(findings)
    numbers = voc_file.numbers(stems)
    if labelled:
        parsed = list(_parse_all(places.annotations, stems, numbers, told))
    else:
        parsed = [Image(number, stem, (0, 0), []) for number, stem in zip(numbers, stems, strict=True)]
    parsed, images = _images(places, parsed, told)
    found = _objects(places.annotations, parsed, images, meaning, told)
    return Reading(objects.assemble(images, found), told)


def splits(root: Path) -> list[str]:
    """Names of the lists of images in a folder, sorted; not VOC's lists of one class (`cat_train`).

    Raises:
        InputError: If the folder is not laid out as VOC's; names one below it that is.
    """
    folder = root / "ImageSets" / "Main"
    if not folder.is_dir():
        below = [place.parents[1] for depth in ("*", "*/*") for place in sorted(root.glob(f"{depth}/ImageSets/Main"))]
        tree = "expected Annotations/*.xml, ImageSets/Main/<split>.txt and JPEGImages/*.jpg"
        hint = f"did you mean {below[0]}?" if below else tree
        raise InputError(f"{root}: not a folder in VOC format: there is no ImageSets/Main;\n{hint}")
    # A list of one class has a second column: 1, -1 or 0.
    return sorted(path.stem for path in folder.glob("*.txt") if _stem(root, line := _first_line(path)) == line)


def class_names(root: Path) -> list[str]:
    """The names of all objects in a folder, sorted. Files that cannot be read are left to `read`.

    Raises:
        InputError: If there is no object.
    """
    found = set()
    for path in (root / "Annotations").glob("*.xml"):
        try:
            found |= {voc_file.text(entry, "name") for entry in voc_file.tree(path).iterfind("object")}
        except (ValueError, OSError):
            continue
    found.discard("")
    if not found:
        raise InputError(f"{root}: no object is annotated in {root / 'Annotations'}/*.xml")
    return sorted(found)


def _first_line(path: Path) -> str:
    try:
        text = files.content(path).decode("utf-8-sig", "replace")
    except OSError:  # who asks for this list is told
        return ""
    return next((line.strip() for line in text.splitlines() if line.strip()), "")


def _stem(root: Path, line: str) -> str:
    """The image of a list's line, which may be in a class's list, and whose name may hold spaces."""
    of_class = _OF_CLASS.fullmatch(line)
    return line if of_class is None or files.is_there(root / "Annotations" / f"{line}.xml") else of_class[1]


def _stems(root: Path, split: str, findings: list[Finding]) -> list[str]:
    """The images of a split, each once; a suffix of an image file is no part of a name."""
    path = root / "ImageSets" / "Main" / f"{split}.txt"
    if not files.is_there(path):
        raise InputError(f"{path}: there is no such split; {nearest.hint(split, splits(root))}")
    names = [_stem(root, line) for line in lists.lines(path)]
    stems = [name[: name.rindex(".")] if name.lower().endswith(SUFFIXES) else name for name in names]
    seen: set[str] = set()
    for stem in stems:
        if stem in seen:
            findings.append(Finding(path, f"image {stem}", "duplicate id", "this image is listed twice", image=stem))
        seen.add(stem)
    return list(dict.fromkeys(stems))


def _parse_all(folder: Path, stems: Sequence[str], numbers: Sequence[int], findings: list[Finding]) -> Iterator[Image]:
    for stem, number in zip(stems, numbers, strict=True):
        path = folder / f"{stem}.xml"
        try:
            yield voc_file.parse(path, number, stem)
        except OSError as error:
            text = f"the file cannot be read: {error.strerror}"
            findings.append(Finding(path, f"image {stem}", "missing annotation", text, image=stem))
        except ValueError as error:
            findings.append(Finding(path, f"image {stem}", "bad XML", str(error), image=stem))


def _images(places: Places, parsed: Sequence[Image], findings: list[Finding]) -> tuple[list[Image], Images]:
    """The images that are there and as large as their XML says."""
    folder = places.images
    files = _files(folder, [image.stem for image in parsed])
    sizes, faults = image_headers.sizes(folder, files)
    kept = []
    for index, fault in enumerate(image_headers.faults(sizes, faults, [image.size for image in parsed])):
        if fault is None:
            kept.append(index)
        else:
            path = places.annotations / f"{parsed[index].stem}.xml"
            findings.append(Finding(path, f"image {files[index]}", *fault, image=parsed[index].stem))
    there = [parsed[index] for index in kept]
    ids, stems = [image.number for image in there], [image.stem for image in there]
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
    folder: Path, parsed: Sequence[Image], images: Images, meaning: Meaning, findings: list[Finding]
) -> Objects:
    """The sound objects; each finding names the object by its place in its file."""
    flat = [(owner, place, entry) for owner, image in enumerate(parsed) for place, entry in enumerate(image.objects)]
    labels = meaning.labels()

    def describe(index: int) -> Described:
        owner, place, entry = flat[index]
        stem = parsed[owner].stem
        x1, y1, x2, y2 = entry.corners
        box = f"bndbox {x1:g} {y1:g} {x2:g} {y2:g}"
        return Described(folder / f"{stem}.xml", f"object {place + 1} ({entry.name})", box, stem)

    for index, (_, _, entry) in enumerate(flat):
        if entry.name not in labels:
            text = f"there is no class of this name; {nearest.hint(entry.name, labels)}"
            findings.append(describe(index).finding("unknown category", text))
        elif entry.difficult is None:
            findings.append(describe(index).finding("bad flag", "difficult is neither 0 nor 1"))
    owners = np.array([owner for owner, _, _ in flat], dtype=np.int64)
    corners = _edges([entry.corners for _, _, entry in flat], meaning.corners)
    boxes, verdict = objects.check(corners, images.sizes[owners])
    findings.extend(verdict.findings(corners, images.sizes[owners], describe))
    clear = np.array([entry.name in labels and entry.difficult is not None for _, _, entry in flat], dtype=np.bool_)
    return _labelled([entry for _, _, entry in flat], owners, boxes, verdict.sound & clear, meaning)


def _labelled(entries: Sequence[Object], owners: Ints, boxes: Floats, sound: Bools, meaning: Meaning) -> Objects:
    """The sound objects with their labels; what is ignored is a crowd of every class, so that none is counted in it."""
    labels = meaning.labels()
    pairs = [(index, label) for index in np.flatnonzero(sound).tolist() for label in labels[entries[index].name]]
    chosen = np.array([index for index, _ in pairs], dtype=np.int64)
    shown = [entries[index] for index in chosen.tolist()]
    return Objects(
        owners[chosen],
        boxes[chosen],
        np.array([label for _, label in pairs], dtype=np.int64),
        np.array([entry.name in meaning.ignore for entry in shown], dtype=np.bool_),
        np.array([bool(entry.difficult) for entry in shown], dtype=np.bool_),
        (boxes[chosen, 2:] - boxes[chosen, :2]).prod(1),
    )


def in_corners(boxes: Floats, convention: Corners) -> Floats:
    """Boxes [M, 4] as a file of that convention has them: the inverse of what is read."""
    return boxes - np.array(_TO_EDGES[convention], dtype=np.float64)


def _edges(corners: Sequence[tuple[float, float, float, float]], convention: Corners) -> Floats:
    """Corners as xyxy from 0, lower right exclusive, float64 [M, 4].

    Equal corners would be one pixel by the devkit, but nobody draws that: it is a click without a drag, a zero size.
    """
    found = np.array(corners, dtype=np.float64).reshape(-1, 4)
    with np.errstate(invalid="ignore"):
        drawn = (found[:, 2:] > found[:, :2]).all(1, keepdims=True)
    return np.where(drawn, found + np.array(_TO_EDGES[convention], dtype=np.float64), found)
