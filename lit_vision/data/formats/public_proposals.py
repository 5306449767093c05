"""Files of proposals in any layout that is read: ours, MATLAB's of Fast R-CNN's release, and Detectron's pickle.

    .npz  ours, see `proposals.py`
    .mat  `images`, a cell of names, and `boxes`, a cell of [P, 4] each: `y1 x1 y2 x2`, pixels counted from 1, the last
          inclusive (selective search and edge boxes as Fast R-CNN's code reads them); `scores` where there are such
    .pkl  a dictionary of `ids` (or `indexes`), `boxes` and `scores`: `x1 y1 x2 y2` from 0, the last inclusive
          (Detectron); with `objectness_logits` in place of scores, the lower right is exclusive (Detectron2)

Without scores, the order of the file is that of preference. Pickles are read by `plain_pickle`, which runs nothing.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lit_vision.data.formats import plain_pickle, proposals
from lit_vision.data.formats.proposals import Proposals
from lit_vision.errors import InputError

Floats = np.ndarray[Any, Any]

WHAT = "data.proposals"


def read(path: Path) -> Proposals:
    """Reads a file by its suffix: `.npz`, `.mat` or `.pkl`.

    Raises:
        InputError: Another suffix, no such file, or a file that does not hold what its layout asks for.
    """
    readers: dict[str, Callable[[Path], Proposals]] = {
        **{".npz": proposals.read, ".mat": read_mat},
        **{".pkl": read_pickle, ".pickle": read_pickle},
    }
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise InputError(f"{WHAT}: {path} is of no known kind; give a file that ends in {', '.join(readers)}")
    return reader(path)


def read_mat(path: Path) -> Proposals:
    """Reads MATLAB's format up to version 7.

    Raises:
        InputError: See `read`; version 7.3 is refused with what to do.
    """
    content = _loaded(path)
    names = [str(name) for name in _cells(content, "images", path)]
    boxes = [_corners(each, path, name) for each, name in zip(_cells(content, "boxes", path), names, strict=False)]
    edges = [each[:, [1, 0, 3, 2]] - np.array([1, 1, 0, 0]) for each in boxes]
    given = _cells(content, "scores", path) if "scores" in content else None
    return _joined(path, names, edges, given)


def read_pickle(path: Path) -> Proposals:
    """Reads Detectron's and Detectron2's pickles.

    Raises:
        InputError: See `read`; also where the file names a class, or corners are not absolute (`bbox_mode` 0).
    """
    content = plain_pickle.read(path, WHAT)
    if not isinstance(content, dict):
        raise InputError(f"{WHAT}: {path} holds a {type(content).__name__}, not a dictionary of ids, boxes and scores")
    if content.get("bbox_mode", 0) != 0:
        raise InputError(f"{WHAT}: {path} has bbox_mode {content['bbox_mode']}; only 0, absolute x1 y1 x2 y2, is read")
    second = "objectness_logits" in content
    ids = _column(content, "indexes" if "indexes" in content else "ids", path)
    names = [str(number) for number in ids]
    given = _column(content, "boxes", path)
    boxes = [_corners(each, path, name) for each, name in zip(given, names, strict=False)]
    edges = boxes if second else [each + np.array([0, 0, 1, 1]) for each in boxes]
    scores = _column(content, "objectness_logits" if second else "scores", path)
    return _joined(path, names, edges, scores, by_id=all(map(str.isdecimal, names)))


def _loaded(path: Path) -> dict[str, Any]:
    from scipy import io

    if not path.is_file():
        raise InputError(f"{WHAT}: there is no file {path}")
    try:
        found: dict[str, Any] = io.loadmat(path, variable_names=["images", "boxes", "scores"], appendmat=False)
    except NotImplementedError:  # what SciPy says of HDF5
        raise InputError(
            f"{WHAT}: {path} is of MATLAB's version 7.3, which is HDF5 and not read;\n"
            "in MATLAB: load the file, then save('file.mat', 'images', 'boxes', '-v7')"
        ) from None
    except Exception as error:  # SciPy meets damage with errors of many kinds
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise InputError(f"{WHAT}: {path} is no readable MATLAB file ({reason[:100]})") from None
    return found


def _cells(content: dict[str, Any], key: str, path: Path) -> list[Any]:
    """The cells of a cell array of any shape, with the text of those that hold text."""
    found = content.get(key)
    if not isinstance(found, np.ndarray) or found.dtype != object:
        held = ", ".join(sorted(name for name in content if not name.startswith("__")))
        raise InputError(
            f"{WHAT}: {path} needs a cell array {key!r}, got {'nothing' if found is None else found.dtype}; "
            f"it holds {held or 'none of images, boxes, scores'}"
        )
    return [_text(cell) for cell in found.ravel()]


def _text(cell: Any) -> Any:
    return str(cell.item()) if isinstance(cell, np.ndarray) and cell.dtype.kind == "U" and cell.size == 1 else cell


def _column(content: dict[str, Any], key: str, path: Path) -> list[Any]:
    found = content.get(key)
    if not isinstance(found, (list, np.ndarray)):
        held = ", ".join(map(str, list(content)[:6]))
        raise InputError(f"{WHAT}: {path} needs a list {key!r}; it holds {held}")
    return list(found)


def _corners(value: Any, path: Path, name: str) -> Floats:
    """Boxes of an image, float64 [P, 4]; MATLAB's empty matrix is no box."""
    found = np.asarray(value)
    if found.size == 0:
        return np.zeros((0, 4))
    if found.dtype.kind not in "iuf" or found.ndim != 2 or found.shape[1] != 4:
        raise InputError(f"{WHAT}: {path}: boxes of image {name!r} are {found.dtype} {list(found.shape)}, not [P, 4]")
    return found.astype(np.float64)


def _joined(
    path: Path, names: Sequence[str], boxes: Sequence[Floats], scores: Sequence[Any] | None, by_id: bool = False
) -> Proposals:
    """The columns, with the best of each image first."""
    if len(boxes) != len(names) or (scores is not None and len(scores) != len(names)):
        raise InputError(f"{WHAT}: {path} names {len(names)} images, but has boxes or scores of another number")
    if twice := [name for name, times in Counter(names).items() if times > 1]:
        raise InputError(f"{WHAT}: {path}: each image stands there once, but {twice[0]!r} does not")
    sorted_boxes, sorted_scores = [], []
    for index, each in enumerate(boxes):
        given = -np.arange(len(each), dtype=np.float64) if scores is None else _numbers(scores[index], each, path)
        order = np.argsort(-given, kind="stable")
        sorted_boxes.append(_tensor(each[order]))
        sorted_scores.append(_tensor(given[order]))
    found = proposals.join(names, sorted_boxes, sorted_scores)
    return Proposals(found.names, found.starts, found.boxes, found.scores, str(path), by_id)


def _numbers(scores: Any, boxes: Floats, path: Path) -> Floats:
    found = np.asarray(scores, dtype=np.float64).ravel()
    if len(found) != len(boxes) or not np.isfinite(found).all():
        raise InputError(f"{WHAT}: {path}: each box has one finite score; an image has {len(boxes)} boxes")
    return found


def _tensor(values: Floats) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))
