"""Pascal VOC as it is unpacked, a few images a split: `VOCdevkit/VOC<year>/{Annotations,ImageSets/Main,JPEGImages}`.

Objects are bright rectangles whose level tells the class. Every split holds a difficult object; its last image holds no
object.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import SubElement

import numpy as np

from tests.twins import folders

SPLITS = {
    "2007": {"train": 4, "val": 3, "test": 3},
    "2012": {"train": 4, "val": 3},
}
USED = ("aeroplane", "person", "tvmonitor")


def write(root: Path, years: Mapping[str, Mapping[str, int]] = SPLITS) -> Path:
    """The years' folders, with `trainval` made of `train` and `val`, and one list of a single class, as in VOC."""
    for year, splits in years.items():
        base = root / "VOCdevkit" / f"VOC{year}"
        stems = folder(base, splits, USED, first=int(year) * 1000, turn=int(year) - 2007)
        lists = base / "ImageSets" / "Main"
        (lists / "trainval.txt").write_text("".join(f"{stem}\n" for stem in sorted(stems["train"] + stems["val"])))
        (lists / "person_train.txt").write_text("".join(f"{stem} -1\n" for stem in stems["train"]))
    return root


def folder(
    base: Path,
    splits: Mapping[str, int],
    names: Sequence[str] = USED,
    first: int = 1,
    suffix: str = "jpg",
    turn: int = 0,
) -> dict[str, list[str]]:
    """One folder in VOC format, its classes taken in turn from that one on; returns the images' names by split."""
    stems: dict[str, list[str]] = {}
    for split, count in splits.items():
        stems[split] = []
        for number in range(count):
            stems[split].append(f"{first:06}")
            shown = [] if number == count - 1 else objects(2 - number % 2, number, names, turn)
            image(base, stems[split][-1], shown, names, (50, 70) if number % 2 else (70, 50), suffix)
            first += 1
        path = base / "ImageSets" / "Main" / f"{split}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{stem}\n" for stem in stems[split]))
    return stems


def objects(count: int, number: int, names: Sequence[str], turn: int = 0) -> list[dict]:
    """Objects with VOC's corners, counted from 1, both part of the box; the first of a split is difficult."""
    return [
        {
            "name": names[(number + place + turn) % len(names)],
            "difficult": int(number == place == 0),
            "box": (3 + 20 * place, 5 + 20 * place, 22 + 20 * place, 30 + 20 * place),
        }
        for place in range(count)
    ]


def image(
    base: Path,
    stem: str,
    shown: Sequence[dict],
    names: Sequence[str] = USED,
    size: tuple[int, int] = (50, 70),
    suffix: str = "jpg",
) -> Path:
    """One image and its XML; returns the XML's path."""
    pixels = folders.picture(*size, 0, 10, int(stem))
    for entry in shown:
        x1, y1, x2, y2 = entry["box"]
        pixels[y1 - 1 : y2, x1 - 1 : x2] = 120 + 130 * names.index(entry["name"]) // len(names)
    folders.save(base / "JPEGImages" / f"{stem}.{suffix}", np.ascontiguousarray(pixels))
    return annotate(base, stem, shown, size)


def annotate(base: Path, stem: str, shown: Sequence[dict], size: tuple[int, int] = (50, 70)) -> Path:
    """The XML of an image, whatever it says."""
    tree = ElementTree.Element("annotation")
    sides = SubElement(tree, "size")
    for key, value in zip(("width", "height", "depth"), (size[1], size[0], 3), strict=True):
        SubElement(sides, key).text = str(value)
    for entry in shown:
        node = SubElement(tree, "object")
        SubElement(node, "name").text = entry["name"]
        if "difficult" in entry:
            SubElement(node, "difficult").text = str(entry["difficult"])
        box = SubElement(node, "bndbox")
        for key, value in zip(("xmax", "xmin", "ymax", "ymin"), [entry["box"][at] for at in (2, 0, 3, 1)], strict=True):
            SubElement(box, key).text = str(value)
        part = SubElement(node, "part")  # limbs of people have boxes of their own
        SubElement(SubElement(part, "bndbox"), "xmin").text = "1"
    path = base / "Annotations" / f"{stem}.xml"
    path.parent.mkdir(parents=True, exist_ok=True)
    ElementTree.ElementTree(tree).write(path)
    return path
