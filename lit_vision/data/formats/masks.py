"""Masks of objects: as COCO's files outline them, as a data set keeps them, and as pixels.

A file may come from anybody, and pycocotools' C trusts what it is given: every outline is checked before it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from pycocotools import mask as coco
from torch import Tensor


@dataclass(frozen=True)
class Masks:
    """Masks of M objects in flat tensors, about 150 bytes each, in the pixels of the images' files.

    Attributes:
        runs: uint8 [bytes], COCO's compressed run lengths of one mask after the other.
        starts: int64 [M + 1]; those of object `i` are `starts[i]:starts[i + 1]`.
    """

    runs: Tensor
    starts: Tensor

    def rows(self, first: int, last: int) -> Tensor:
        """Run lengths of some objects, uint8 [G, L]; shorter rows are filled up with zeros."""
        ends = self.starts[first : last + 1].tolist()
        parts = [self.runs[start:end] for start, end in pairwise(ends)]
        return torch.nn.utils.rnn.pad_sequence(parts, True) if parts else torch.zeros(0, 0, dtype=torch.uint8)

    def take(self, objects: Tensor) -> "Masks":
        """The masks of some objects, in the given order."""
        ends = self.starts.tolist()
        parts = [self.runs[ends[index] : ends[index + 1]] for index in objects.tolist()]
        return _joined(parts, [len(part) for part in parts])


def pack(runs: Sequence[bytes]) -> Masks:
    """Compressed run lengths as one object."""
    flat = torch.from_numpy(np.frombuffer(b"".join(runs), dtype=np.uint8).copy())
    return _joined([flat], [len(each) for each in runs])


def concat(parts: Sequence[Masks]) -> Masks:
    """The masks of several splits."""
    lengths = torch.cat([part.starts.diff() for part in parts]).tolist()
    return _joined([part.runs for part in parts], lengths)


def _joined(runs: Sequence[Tensor], lengths: Sequence[int]) -> Masks:
    flat = torch.cat([torch.zeros(0, dtype=torch.uint8), *runs])
    return Masks(flat, torch.tensor([0, *lengths], dtype=torch.int64).cumsum(0))


def pixels(rows: Tensor, height: int, width: int) -> Tensor:
    """The masks of one image, bool [G, H, W].

    Args:
        rows: uint8 [G, L], from `Masks.rows`.
        height: H of the image's file.
        width: W of the image's file.
    """
    runs = [{"size": [height, width], "counts": row.tobytes().rstrip(b"\0")} for row in rows.numpy()]
    if not runs:
        return torch.zeros(0, height, width, dtype=torch.bool)
    return torch.from_numpy(coco.decode(runs)).permute(2, 0, 1).bool()


def of_pixels(masks: Tensor) -> list[bytes]:
    """Compressed run lengths of masks, bool [G, H, W]."""
    return [found["counts"] for found in coco.encode(np.asfortranarray(masks.byte().permute(1, 2, 0).numpy()))]


def slim(entry: dict[str, Any]) -> dict[str, Any]:
    """An entry of an annotation file with its polygons as arrays: a tenth of the memory of lists of numbers."""
    if isinstance(polygons := entry.get("segmentation"), list):
        entry["segmentation"] = [_array(polygon) for polygon in polygons]
    return entry


def _array(polygon: Any) -> Any:
    try:
        return np.array(polygon, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        return polygon


def compress(outline: Any, height: int, width: int) -> bytes | str:
    """The compressed run lengths of an object's `segmentation`, or what is wrong with it, as text.

    Args:
        outline: Polygons, all of which are part of the object; or run lengths, plain or compressed.
        height: Of the image.
        width: Of the image.
    """
    if isinstance(outline, Mapping):
        return _from_runs(outline, height, width)
    if not isinstance(outline, list) or not outline:
        return f"expected polygons or run lengths, got {outline!r:.60}"
    if fault := next(filter(None, (_fault(polygon, height, width) for polygon in outline)), ""):
        return fault
    found: bytes = coco.merge(coco.frPyObjects(outline, height, width))["counts"]
    return found


def _fault(polygon: Any, height: int, width: int) -> str:
    """What is wrong with a polygon; C draws any line to its end, so none may lead far out of the image."""
    if not isinstance(polygon, np.ndarray) or polygon.ndim != 1 or len(polygon) < 6 or len(polygon) % 2:
        return f"a polygon is x, y of at least three points, got {polygon!r:.60}"
    points = polygon.reshape(-1, 2)
    far = ~((points >= [-width, -height]) & (points <= [2 * width, 2 * height])).all(1)  # also where one is NaN
    return f"a polygon has the point {points[far][0].tolist()} in {width} x {height} pixels" if far.any() else ""


def _from_runs(outline: Mapping[str, Any], height: int, width: int) -> bytes | str:
    size, counts = outline.get("size"), outline.get("counts")
    if size != [height, width]:
        return f"run lengths are of size {size!r:.60}, the image of [{height}, {width}]"
    runs: Any = _decompressed(counts) if isinstance(counts, str) else counts
    whole = isinstance(runs, list) and all(type(run) is int and run >= 0 for run in runs)
    if not whole or sum(runs) != height * width:
        return f"run lengths do not add up to {width} x {height} pixels, got {counts!r:.60}"
    found: bytes = coco.frPyObjects({"size": size, "counts": runs}, height, width)["counts"]
    return found


def _decompressed(text: str) -> list[int] | None:
    """COCO's compressed run lengths as numbers: five bits a character, from the third run on as differences."""
    runs: list[int] = []
    value, shift = 0, 0
    for character in text:
        bits = ord(character) - 48
        if not 0 <= bits < 64:
            return None
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        value -= (1 << shift) if bits & 16 else 0
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
        value, shift = 0, 0
    return runs if not shift else None
