"""The objects of annotation files on their way to `Annotations`: which boxes can be trained on, and whose they are.

All boxes of a split are judged at once: COCO has 860,001 of them.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from lit_vision.data.formats import masks
from lit_vision.data.formats.annotations import Annotations
from lit_vision.data.formats.findings import Finding

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

# Thinner boxes vanish in float32, and the logarithm of a width of zero is what turns a loss into NaN. COCO's files are
# written in hundredths of a pixel.
THINNEST = 0.005

_FLAGS = {"": False, "0": False, "false": False, "no": False, "none": False, "1": True, "true": True, "yes": True}


class Described(NamedTuple):
    """A box in the words of its file.

    Attributes:
        file: The annotation file.
        name: The object.
        box: Its numbers as they stand there.
        image: The image's name.
    """

    file: Path
    name: str
    box: str
    image: str

    def finding(self, kind: str, text: str) -> Finding:
        """What is wrong with something else of the object than its box."""
        return Finding(self.file, self.name, kind, text, image=self.image)


Describe = Callable[[int], Described]


class Images(NamedTuple):
    """The images of a split: the first fields of `Annotations`, with `sizes` as int64 [N, 2]."""

    folder: Path
    files: Sequence[str]
    ids: Sequence[int]
    names: Sequence[str]
    sizes: Ints


class Objects(NamedTuple):
    """M objects in any order.

    Attributes:
        owners: int64 [M], position of the object's image.
        boxes: float64 [M, 4], xyxy pixels, lower right exclusive.
        labels: int64 [M].
        crowd: bool [M].
        difficult: bool [M].
        area: float64 [M].
        masks: bytes [M], compressed run lengths; None where they were not read.
    """

    owners: Ints
    boxes: Floats
    labels: Ints
    crowd: Bools
    difficult: Bools
    area: Floats
    masks: npt.NDArray[np.object_] | None = None

    def take(self, chosen: Ints | Bools) -> "Objects":
        """Some of the objects."""
        return Objects(*(None if column is None else column[chosen] for column in self))  # type: ignore[arg-type]


class Verdict(NamedTuple):
    """What is wrong with each of M boxes: at most one of these.

    Attributes:
        not_finite: bool [M], NaN or infinite, or no four numbers.
        swapped: bool [M], a lower or right edge before its opposite.
        zero_size: bool [M], no width or no height.
        outside: bool [M], no part lies within the image.
        clipped: bool [M], a part lies outside; no reason to leave the box out.
        beside: bool [M], clipped by one pixel: another convention of corners may be meant.
    """

    not_finite: Bools
    swapped: Bools
    zero_size: Bools
    outside: Bools
    clipped: Bools
    beside: Bools

    @property
    def sound(self) -> Bools:
        """The boxes that may be used, bool [M]."""
        return ~(self.not_finite | self.swapped | self.zero_size | self.outside)

    def findings(self, boxes: Floats, sizes: Ints, describe: Describe) -> Iterator[Finding]:
        """A finding for each box that is not as it should be.

        Args:
            boxes: [M, 4] xyxy pixels, before they were clipped.
            sizes: int64 [M, 2], height and width of each box's image.
            describe: Tells of a box in the file's own words.
        """
        told = (
            (self.not_finite, "not a box", "expected four finite numbers"),
            (self.swapped, "swapped corners", "its right edge lies left of its left one, or its lower above its upper"),
            (self.zero_size, "zero size", "it has no width or no height"),
            (self.outside, "outside the image", "no part of it lies within {1} x {0} pixels"),
            (self.clipped & ~self.beside, "clipped", "it sticks out of {1} x {0} pixels"),
            (self.beside, "one pixel outside", "it sticks out of {1} x {0} pixels by one; corners may count otherwise"),
        )
        for mask, kind, text in told:
            for index in np.flatnonzero(mask).tolist():
                yield self._finding(index, boxes[index], kind, text.format(*sizes[index]), describe(index))

    def _finding(self, index: int, box: Floats, kind: str, text: str, told: Described) -> Finding:
        x1, y1, x2, y2 = box.tolist()
        drawn = None if self.not_finite[index] else (x1, y1, x2, y2)
        fatal = not self.clipped[index]
        return Finding(told.file, told.name, kind, f"{told.box}; {text}", fatal, told.image, drawn)


def check(boxes: Floats, sizes: Ints, tolerance: float = 0.0) -> tuple[Floats, Verdict]:
    """Judges boxes and clips those that stick out of their image.

    Args:
        boxes: [M, 4] xyxy pixels, lower right exclusive.
        sizes: [M, 2], height and width of each box's image.
        tolerance: Pixels by which a box may stick out and is left as it is.

    Returns:
        The boxes, clipped where the verdict says so, and the verdict.
    """
    limit = sizes[:, [1, 0, 1, 0]].astype(np.float64)
    with np.errstate(invalid="ignore"):
        inside = np.minimum(np.maximum(boxes, 0), limit)
        not_finite = _any(~np.isfinite(boxes))
        swapped = ~not_finite & _any(boxes[:, 2:] - boxes[:, :2] <= -THINNEST)
        zero_size = ~not_finite & ~swapped & _thin(boxes)
        outside = ~not_finite & ~swapped & ~zero_size & _thin(inside)
        over = np.abs(boxes - inside)
        clipped = ~not_finite & ~swapped & ~zero_size & ~outside & _any(over > tolerance)
        beside = clipped & ~_any((over != 0) & (over != 1))
    verdict = Verdict(not_finite, swapped, zero_size, outside, clipped, beside)
    return np.where(clipped[:, None], inside, boxes), verdict


def flag(value: object) -> bool | None:
    """What a mark such as `iscrowd` or `difficult` says, as number, text or nothing; None where that is unclear."""
    return _FLAGS.get(f"{value:g}" if isinstance(value, float) else str(value).strip().lower())


def assemble(images: Images, objects: Objects) -> Annotations:
    """Sorts objects by image, keeping their order within each."""
    ordered = objects.take(np.argsort(objects.owners, kind="stable"))
    counts = np.bincount(ordered.owners, minlength=len(images.files))
    return Annotations(
        images.folder,
        images.files,
        torch.tensor(images.ids, dtype=torch.int64),
        images.names,
        torch.from_numpy(images.sizes),
        torch.from_numpy(np.concatenate([[0], counts.cumsum()]).astype(np.int64)),
        *(torch.from_numpy(field) for field in ordered[1:6]),
        masks=None if ordered.masks is None else masks.pack(ordered.masks.tolist()),
    )


def _thin(boxes: Floats) -> Bools:
    return _any(boxes[:, 2:] - boxes[:, :2] < THINNEST)


def _any(flags: Bools) -> Bools:
    """Whether any flag of a row is set."""
    return np.asarray(flags.any(axis=1))
