"""What the XML files of a folder in VOC's format say beyond VOC: it is not read."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from lit_vision.data.formats import voc_file
from lit_vision.doctor.report import Problem

# Of an object, by the development kits of 2007 to 2012, and what common tools add about themselves.
KNOWN = {
    *("name", "pose", "truncated", "difficult", "occluded", "bndbox"),
    *("part", "actions", "point", "hasparts", "crowd"),
}


def find(root: Path) -> Iterator[Problem]:
    """A note for each tag of objects that is not VOC's, with its number and where it is first."""
    counts: Counter[str] = Counter()
    first: dict[str, str] = {}
    for path in sorted((root / "Annotations").glob("*.xml")):
        try:
            entries = list(voc_file.tree(path).iterfind("object"))
        except (ValueError, OSError):
            continue  # the reader tells
        for tag in (child.tag for entry in entries for child in entry if child.tag not in KNOWN):
            counts[tag] += 1
            first.setdefault(tag, path.name)
    for tag, number in counts.items():
        yield Problem(
            "", "custom tag", "", f"{number:,} objects have <{tag}>, which is not read; first in {first[tag]}"
        )
