"""One annotation file of Pascal VOC: the image's size and its objects, as the XML has them."""

import hashlib
import math
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from lit_vision import files
from lit_vision.data.formats import objects

MOST_BYTES = 64 << 20  # of an annotation file; VOC's largest have 20 kB

_CODEC = re.compile(rb"""\s*<\?xml[^>]*?encoding\s*=\s*["']([\w.:-]+)["'][^>]*\?>""")


class Object(NamedTuple):
    """An object in the file's own terms.

    Attributes:
        name: Its class.
        corners: `xmin ymin xmax ymax`; NaN where there is no number.
        difficult: None where the mark says nothing clear.
    """

    name: str
    corners: tuple[float, float, float, float]
    difficult: bool | None


class Image(NamedTuple):
    """An image of a list.

    Attributes:
        number: Its id; see `numbers`.
        stem: Its name in the list.
        size: Height and width as in the file; zero where it does not tell.
        objects: What is annotated.
    """

    number: int
    stem: str
    size: tuple[int, int]
    objects: list[Object]


def numbers(stems: Sequence[str]) -> list[int]:
    """The ids of images: the digits of VOC's own names (`000012`, `2008_000015`), else a number made from the name.

    An id depends on the name and not on the list, so that the results of two lists can be joined and compared; only
    where a list has both `1` and `01` are these two numbered as other names are.
    """
    plain = [int(digits) if (digits := stem.replace("_", "")).isdecimal() else -1 for stem in stems]
    times = Counter(plain)
    found = zip(stems, plain, strict=True)
    return [number if 0 <= number < 2**53 and times[number] == 1 else _hashed(stem) for stem, number in found]


def parse(path: Path, number: int, stem: str) -> Image:
    """Reads a file.

    Raises:
        OSError: It cannot be read.
        ValueError: It is no XML, or not in the encoding that it declares.
    """
    root = tree(path)
    height, width = (_number(root, f"size/{key}") for key in ("height", "width"))
    stated = (int(height), int(width)) if math.isfinite(height + width) else (0, 0)
    return Image(number, stem, stated, [_object(entry) for entry in root.iterfind("object")])


def tree(path: Path) -> Element:
    """The XML of a file, in any encoding that Python knows; the parser itself knows few.

    Raises:
        OSError: It cannot be read.
        ValueError: It is no XML, or not in the encoding that it declares.
    """
    content = files.content(path, MOST_BYTES)
    try:
        return ElementTree.fromstring(content)
    except ElementTree.ParseError as error:
        raise ValueError(str(error)) from None
    except (ValueError, LookupError):
        return _decoded(content)


def text(entry: Element, key: str) -> str:
    """What stands in a field; empty where there is none."""
    return (entry.findtext(key) or "").strip()


def _decoded(content: bytes) -> Element:
    """The XML of a file whose encoding the parser refuses, such as gb2312."""
    declared = _CODEC.match(content)
    codec = declared[1].decode() if declared else "utf-8"
    try:
        return ElementTree.fromstring(content[declared.end() if declared else 0 :].decode(codec))
    except LookupError:
        raise ValueError(f"its encoding {codec!r:.60} is not known; save it as UTF-8") from None
    except UnicodeDecodeError:
        raise ValueError(f"it is not in {codec:.60}, the encoding that it declares; save it as UTF-8") from None
    except ElementTree.ParseError as error:
        raise ValueError(str(error)) from None


def _object(entry: Element) -> Object:
    x1, y1, x2, y2 = (_number(entry, f"bndbox/{key}") for key in ("xmin", "ymin", "xmax", "ymax"))
    return Object(text(entry, "name"), (x1, y1, x2, y2), objects.flag(text(entry, "difficult")))


def _number(entry: Element, key: str) -> float:
    """NaN where there is no number; some of VOC's own corners have decimals."""
    try:
        return float(text(entry, key))
    except ValueError:
        return math.nan


def _hashed(stem: str) -> int:
    """52 bits: also what reads numbers as doubles, as JavaScript does, keeps them apart."""
    return int.from_bytes(hashlib.sha256(stem.encode()).digest()[:8]) >> 12
