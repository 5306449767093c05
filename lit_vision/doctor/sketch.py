"""What an image looks like, in 64 bits and 256 bytes: copies are found by it, whatever their size and quality."""

from collections.abc import Sequence
from typing import NamedTuple

import imagehash
import numpy as np
import numpy.typing as npt
from PIL import Image

Floats = npt.NDArray[np.float32]

BITS = 64
SIDE = 16

# Copies saved at a low quality, shrunk or brightened differ by up to 4 bits, and their thumbnails correlate above 0.98;
# of 99,000 pairs of different photographs none differs by fewer than 14 (docs/data-check.md).
LEAST_SIDE = 32  # pixels; smaller pictures are too simple to be told apart
MOST_BITS = 6
LEAST_CORRELATION = 0.95


class Sketch(NamedTuple):
    """An image as copies of it look, too.

    Attributes:
        bits: Perceptual hash, 64 bits.
        grey: Thumbnail of 16 x 16 greys, row by row.
    """

    bits: int
    grey: bytes


def draw(image: Image.Image) -> Sketch | None:
    """The sketch of a picture; None where it is smaller than `LEAST_SIDE`."""
    if min(image.size) < LEAST_SIDE:
        return None
    grey = image.convert("L")
    bits = int("".join("01"[bit] for bit in imagehash.phash(grey).hash.flatten().tolist()), 2)
    return Sketch(bits, grey.resize((SIDE, SIDE), Image.Resampling.BOX).tobytes())


def alike(ours: Sequence[Sketch], theirs: Sequence[Sketch], chunk: int = 1024) -> list[tuple[int, int]]:
    """Pairs of images that are the same picture, ascending.

    Args:
        ours: M sketches.
        theirs: N sketches.
        chunk: How many of ours are compared at once; each takes 4 N bytes.
    """
    if not ours or not theirs:
        return []
    theirs_signs, theirs_greys = _signs(theirs), _unit_greys(theirs)
    found = []
    for start in range(0, len(ours), chunk):
        part = ours[start : start + chunk]
        # Of signs, the product is the number of equal bits less that of unequal ones.
        rows, columns = np.nonzero(_signs(part) @ theirs_signs.T >= BITS - 2 * MOST_BITS)
        correlation = (_unit_greys(part)[rows] * theirs_greys[columns]).sum(1)
        near = correlation >= LEAST_CORRELATION
        found += list(zip((rows[near] + start).tolist(), columns[near].tolist(), strict=True))
    return found


def _signs(sketches: Sequence[Sketch]) -> Floats:
    words = np.array([sketch.bits for sketch in sketches], dtype=">u8")
    bits = np.unpackbits(words.view(np.uint8).reshape(-1, 8), axis=1)
    return bits.astype(np.float32) * 2 - 1


def _unit_greys(sketches: Sequence[Sketch]) -> Floats:
    """Thumbnails of mean zero and length one; one of a single grey stays zero and is like none."""
    greys = np.stack([np.frombuffer(sketch.grey, dtype=np.uint8) for sketch in sketches]).astype(np.float32)
    greys -= greys.mean(1, keepdims=True)
    length = np.linalg.norm(greys, axis=1, keepdims=True)
    unit: Floats = np.divide(greys, length, out=np.zeros_like(greys), where=length > 0)
    return unit
