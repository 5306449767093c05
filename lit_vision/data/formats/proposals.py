"""Proposals of regions as a data set's column: read from a file, checked against the images, written by a stage.

The file is NumPy's `.npz` without Python objects:

    names    text [N]          the data set's own names of the images (VOC: `000005`; COCO: as in messages)
    starts   int64 [N + 1]     the proposals of image `i` are `starts[i]:starts[i + 1]`
    boxes    float32 [P, 4]    `x1 y1 x2 y2` in the pixels of the image's file, lower right exclusive
    scores   float32 [P]       the best of an image first

Other layouts are read by `public_proposals.py`.
"""

import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lit_vision import files
from lit_vision.errors import InputError
from lit_vision.runs import durable

_COLUMNS = {"names": ("U", 1), "starts": ("i", 1), "boxes": ("f", 2), "scores": ("f", 1)}
MOST_UNFOLDED = 200  # times the size of the file; boxes and scores shrink to a third, names to a fiftieth
_SLACK = 1.0  # pixels that a box may pass the image's border by: other programs round, and count pixels inclusively


@dataclass(frozen=True)
class Proposals:
    """The proposals of many images in flat tensors.

    Attributes:
        names: The data set's own name of each image, [N].
        starts: int64 [N + 1].
        boxes: float32 [P, 4] in the pixels of the image's file.
        scores: float32 [P].
        source: The file, for messages.
        by_id: Whether the names are the data set's numbers, as text.
    """

    names: Sequence[str]
    starts: Tensor
    boxes: Tensor
    scores: Tensor
    source: str = ""
    by_id: bool = False
    _places: dict[str, int] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        self._places.update({name: place for place, name in enumerate(self.names)})

    def __len__(self) -> int:
        return len(self.names)

    def of(self, name: str) -> Tensor:
        """The boxes of an image, float32 [P, 4], the best first."""
        place = self._places[name]
        return self.boxes[int(self.starts[place]) : int(self.starts[place + 1])]

    def named(self, names: Sequence[str], ids: Sequence[int]) -> "Proposals":
        """The same with the data set's names in place of its numbers; images that are not among these keep theirs."""
        if not self.by_id:
            return self
        by_number = dict(zip(map(str, ids), names, strict=True))
        return replace(self, names=[by_number.get(name, name) for name in self.names], by_id=False, _places={})

    def check(self, names: Sequence[str], sizes: Tensor) -> None:
        """Checks that every image has proposals, and that they lie in it.

        Args:
            names: The data set's own names of the images, [N].
            sizes: int64 [N, 2], heights and widths of their files.

        Raises:
            InputError: Names the file and the first image that is wrong.
        """
        missing = [name for name in names if name not in self._places]
        if missing:
            raise InputError(
                f"{self.source}: {len(missing)} of {len(names)} images have no proposals, first {missing[0]!r};\n"
                "propose regions for this split, or name the file that belongs to it by data.proposals"
            )
        for name, size in zip(names, sizes, strict=True):
            boxes = self.of(name)
            limit = size.flip(0).repeat(2) + _SLACK
            sound = torch.isfinite(boxes).all(1) & (boxes >= -_SLACK).all(1) & (boxes <= limit).all(1)
            sound &= (boxes[:, 2:] >= boxes[:, :2]).all(1)
            if not bool(sound.all()):
                first = int((~sound).nonzero()[0])
                raise InputError(
                    f"{self.source}: proposal {first} of image {name!r} is {boxes[first].tolist()}, "
                    f"but the image is {int(size[1])}x{int(size[0])};\n"
                    "boxes are x1 y1 x2 y2 in the pixels of the image's file, lower right exclusive"
                )


def join(names: Sequence[str], boxes: Sequence[Tensor], scores: Sequence[Tensor]) -> Proposals:
    """The proposals of many images, each boxes [P, 4] and scores [P], as one."""
    counts = torch.tensor([0, *(len(each) for each in boxes)])
    return Proposals(
        list(names),
        counts.cumsum(0),
        torch.cat([torch.zeros(0, 4), *(each.float() for each in boxes)]),
        torch.cat([torch.zeros(0), *(each.float() for each in scores)]),
    )


def write(path: Path, proposals: Proposals) -> None:
    """Writes the file whole, or not at all.

    Raises:
        InputError: The disk is full, or the folder cannot be written to.
    """
    content = io.BytesIO()
    np.savez(
        content,
        names=np.array(proposals.names, dtype=np.str_),
        starts=proposals.starts.numpy(),
        boxes=proposals.boxes.numpy(),
        scores=proposals.scores.numpy(),
    )
    durable.put(durable.write(path, lambda file: file.write(content.getvalue()), read), path)


def read(path: Path) -> Proposals:
    """Reads a file of proposals; Python objects in it are refused, not unpickled.

    Raises:
        InputError: There is no such file, or it does not hold what the module describes; names what is wrong.
    """
    try:
        _refuse_bomb(path)
        with np.load(path, allow_pickle=False) as content:
            columns = {name: content[name] for name in _COLUMNS if name in content.files}
    except InputError:
        raise
    except FileNotFoundError:
        raise InputError(f"data.proposals: there is no file {path}") from None
    except Exception as error:  # NumPy meets damage, foreign formats and pickles with errors of many kinds
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise InputError(f"data.proposals: {path} is no readable .npz of plain arrays ({reason[:100]})") from None
    _check_columns(columns, path)
    starts = torch.from_numpy(columns["starts"].astype(np.int64))  # whatever width and byte order the file has
    boxes, scores = (torch.from_numpy(columns[name].astype(np.float32)) for name in ("boxes", "scores"))
    return Proposals(columns["names"].tolist(), starts, boxes, scores, str(path))


def _refuse_bomb(path: Path) -> None:
    """Checks what an archive would unfold to, as it says itself, before anything is unfolded."""
    files.refuse_other(path)
    with zipfile.ZipFile(path) as archive:
        unfolded = sum(entry.file_size for entry in archive.infolist())
    size = path.stat().st_size
    if unfolded > MOST_UNFOLDED * size + (1 << 20):
        raise InputError(
            f"data.proposals: {path} has {size:,} bytes and would unfold to {unfolded:,}, more than {MOST_UNFOLDED} "
            "times as many;\nno boxes do: write it anew with numpy.savez"
        )


def _check_columns(columns: dict[str, np.ndarray[Any, Any]], path: Path) -> None:
    for name, (kind, dimensions) in _COLUMNS.items():
        found = columns.get(name)
        if found is None or found.dtype.kind != kind or found.ndim != dimensions:
            got = "nothing" if found is None else f"{found.dtype} {list(found.shape)}"
            raise InputError(
                f"data.proposals: {path} needs {name!r} ({dimensions}-dimensional, kind {kind!r}), got {got}"
            )
    starts, count = columns["starts"], len(columns["boxes"])
    ordered = len(starts) == len(columns["names"]) + 1 and starts[0] == 0 and starts[-1] == count
    if not (ordered and (np.diff(starts) >= 0).all() and columns["boxes"].shape[1] == 4):
        raise InputError(f"data.proposals: {path}: starts, names and boxes do not belong together")
    if len(columns["scores"]) != count or len(set(columns["names"].tolist())) != len(columns["names"]):
        raise InputError(f"data.proposals: {path}: each box has one score, and each image stands there once")
