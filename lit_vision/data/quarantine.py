"""A list of images that a data set is used without: written by `lit-vision data check`, named by `data.quarantine`.

Each line is an image: the split, a tab, and the image's name as results have it. What follows another tab is for
readers, and so are lines that begin with `#`. No torch here.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from lit_vision.data.formats import lists
from lit_vision.errors import InputError

HEAD = "# images left out by data.quarantine: split, image, reason\n"


class Entry(NamedTuple):
    """One image that is left out.

    Attributes:
        split: `train`, `val` or `test`.
        image: The data set's own name of it.
        reason: Why, for readers.
    """

    split: str
    image: str
    reason: str = ""


def read(path: Path, known: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """Names of the images to leave out, by split.

    Args:
        path: The list.
        known: The data set's images by split, those that are no good too.

    Raises:
        InputError: If it cannot be read, a line is none of ours, or a split or an image is not there.
    """
    found: dict[str, set[str]] = {split: set() for split in known}
    for line in lists.lines(path):
        if line.startswith("#"):
            continue
        split, tab, rest = line.partition("\t")
        if not tab or split not in found:
            raise InputError(
                f"data.quarantine {path}: expected a split ({', '.join(found)}), a tab and an image; got {line!r:.80}"
            )
        found[split].add(rest.partition("\t")[0].strip())
    _refuse_unknown(path, found, known)
    return found


def text(entries: Iterable[Entry]) -> str:
    """The list as a file holds it, each image once."""
    once: dict[tuple[str, str], str] = {}
    for split, image, reason in entries:
        once.setdefault((split, image), reason)
    lines = (f"{split}\t{image}\t{reason}".rstrip() for (split, image), reason in sorted(once.items()))
    return HEAD + "".join(f"{line}\n" for line in lines)


def _refuse_unknown(path: Path, named: Mapping[str, set[str]], known: Mapping[str, set[str]]) -> None:
    """Refuses a list that names what is not there: it is of another data set, or a name is misspelt."""
    for split, images in named.items():
        if missing := sorted(images - known[split]):
            raise InputError(
                f"data.quarantine {path}: {len(missing)} of its {len(images)} {split} images are not in the data, "
                f"as {missing[0]!r:.80};\nmake the list anew by lit-vision data check --write-quarantine"
            )
