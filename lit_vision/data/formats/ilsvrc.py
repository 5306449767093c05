"""ILSVRC's boxes as they are unpacked: CLS-LOC (1000 classes, one per image) and DET (200 classes).

Annotations/<track>/{train/<wnid>/<image>.xml, val/<image>.xml}    as VOC's, with wnids for names
Data/<track>/{train/<wnid>/<image>.JPEG, val/…, test/…}
ImageSets/<track>/<list>.txt                                       an image a line, its number behind it
devkit/data/map_clsloc.txt, map_det.txt                            wnid, number and name of each class
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from lit_vision.data.formats import findings, lists, voc_xml
from lit_vision.data.formats.findings import Finding, Reading
from lit_vision.data.formats.voc_xml import Meaning, Places
from lit_vision.errors import InputError

Track = Literal["CLS-LOC", "DET"]


class Synset(NamedTuple):
    """A class: its number at the server, and its wnid."""

    number: int
    wnid: str


def synsets(file: Path) -> list[Synset]:
    """The classes of a devkit's map, by their number.

    Raises:
        InputError: There is no such file, or a line is no wnid and number, or one stands there twice.
    """
    if not file.is_file():
        raise InputError(f"{file} is missing; unpack the devkit, or name the file by data.classes")
    found = [_synset(file, place, line) for place, line in enumerate(lists.lines(file), 1)]
    for column in zip(*found, strict=True):
        if twice := [value for value in dict.fromkeys(column) if column.count(value) > 1]:
            raise InputError(f"{file}: {twice[0]} stands there twice")
    return sorted(found)


def _synset(file: Path, place: int, line: str) -> Synset:
    wnid, number, *_ = [*line.split(), "", ""]
    if not (number.isdecimal() and wnid[:1] == "n" and wnid[1:].isdecimal()):
        raise InputError(f"{file}, line {place}: {line!r:.60} does not begin with a wnid and a number")
    return Synset(int(number), wnid)


def stems(root: Path, track: Track, name: str) -> list[str]:
    """The images of a list, with the folder that each lies in: `val/ILSVRC2012_val_00000001`.

    Args:
        root: Folder with `ImageSets`.
        track: The task.
        name: A list in `ImageSets/<track>`, or the path of a file, such as the parts val1 and val2 of DET's `val`.

    Raises:
        InputError: There is no such list; names those that there are.
    """
    folder = root / "ImageSets" / track
    file = Path(name) if name.endswith(".txt") else folder / f"{name}.txt"
    if not file.is_file():
        there = ", ".join(sorted(path.stem for path in folder.glob("*.txt"))) or "none"
        raise InputError(
            f"{file}: there is no such list; {folder} has {there}, and any other is named by its .txt file"
        )
    images = [line.split()[0] for line in lists.lines(file)]
    if not images:
        raise InputError(f"{file}: the list names no image")
    return [f"{part_of(image)}/{image}" for image in images]


def part_of(image: str) -> str:
    """The folder of an image, by its name."""
    return next((part for part in ("val", "test") if f"_{part}_" in image), "train")


def read(root: Path, track: Track, names: Sequence[str], meaning: Meaning) -> Reading:
    """The images of some lists, checked against their headers; test images are read without boxes.

    Raises:
        InputError: A list is missing.
    """
    listed = Counter(stem for name in names for stem in stems(root, track, name))
    told = [
        Finding(root / "ImageSets" / track, f"image {stem}", "duplicate id", "this image is listed twice", image=stem)
        for stem, times in listed.items()
        if times > 1
    ]
    places = Places(root / "Annotations" / track, root / "Data" / track)
    secret = [stem for stem in listed if stem.startswith("test/")]
    labelled = [stem for stem in listed if not stem.startswith("test/")]
    parts = [voc_xml.read_listed(places, labelled, meaning, findings=told)] if labelled else []
    parts += [voc_xml.read_listed(places, secret, meaning, labelled=False)] if secret else []
    return findings.join(parts)


def number_of(name: str) -> int:
    """The server's number of an image: `ILSVRC2012_val_00000007` is 7."""
    return int(name.rsplit("_", 1)[1])
