"""Images that are both trained on and evaluated: the same file, or another with the same content.

Contents are compared only where sizes agree, and what was found is kept for the next start.
"""

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal, NamedTuple

from lightning.pytorch.utilities.rank_zero import rank_zero_warn
from torch import Tensor

from lit_vision.data.fetch import cache
from lit_vision.errors import InputError

Policy = Literal["warn", "refuse", "ignore"]
Sources = Sequence[str] | Tensor
"""Where the images of a split are: files, or uint8 [N, 3, H, W] in memory."""

_MOST = 2000  # evaluated files whose contents are compared: of ImageNet's, all would mean to read 144 GB
_THREADS = 16  # network disks answer many at once
_CHUNK = 256  # files a thread looks at before it comes back
_EXAMPLES = 3
_MISSING = -1  # size of a file that is not there


class Shared(NamedTuple):
    """What a split shares with the training images.

    Attributes:
        indices: Its images that are trained on, ascending.
        images: Number of its images.
        compared: How many of them were compared by content, the others by their file alone.
    """

    indices: list[int]
    images: int
    compared: int


def watch(
    sources: Mapping[str, Sources], name_of: Callable[[str, int], str], policy: Policy
) -> dict[str, dict[str, Any]]:
    """Tells which evaluated images are also trained on, before a figure of them is believed.

    Args:
        sources: Images by split, `train` among them; splits without any such place are left out.
        name_of: Names an image by its split and index.
        policy: `warn` tells, `refuse` stops, `ignore` does not look.

    Returns:
        For each split that shares some: `shared` and `images` (counts), `compared`, and `examples` (names).

    Raises:
        InputError: If some are shared and the policy is `refuse`.
    """
    if policy == "ignore" or "train" not in sources:
        return {}
    facts: dict[str, dict[str, Any]] = {}
    for split in [name for name in sources if name != "train"]:
        found = find(sources["train"], sources[split])
        if found.indices:
            names = [name_of(split, index) for index in found.indices[:_EXAMPLES]]
            counts = {"shared": len(found.indices), "images": found.images, "compared": found.compared}
            facts[split] = counts | {"examples": names}
    if facts:
        told = "\n".join(_told(split, **fact) for split, fact in facts.items())
        if policy == "refuse":
            raise InputError(f"{told}\nkeep them in one of the two, or accept it by data.overlap: warn")
        rank_zero_warn(f"{told}\ntheir figures say nothing about new images; data.overlap: refuse stops here")
    return facts


def _told(split: str, shared: int, images: int, compared: int, examples: Sequence[str]) -> str:
    least = "" if compared == images else "at least "
    return f"{least}{shared} of {images} {split} images are also trained on, as {', '.join(examples)}"


def find(train: Sources, evaluated: Sources) -> Shared:
    """The images of a split that are among the training images.

    Args:
        train: The training images.
        evaluated: The split's.
    """
    if isinstance(train, Tensor) and isinstance(evaluated, Tensor):
        known = set(_digests(train))
        found = [index for index, digest in enumerate(_digests(evaluated)) if digest in known]
        return Shared(found, len(evaluated), len(evaluated))
    assert not isinstance(train, Tensor)
    assert not isinstance(evaluated, Tensor)
    return _of_files(*([os.path.abspath(path) for path in paths] for paths in (train, evaluated)))


def _digests(images: Tensor) -> list[bytes]:
    shape = repr(images.shape[1:]).encode()
    return [hashlib.blake2b(shape + image.tobytes(), digest_size=16).digest() for image in images.numpy()]


def _of_files(train: Sequence[str], evaluated: Sequence[str]) -> Shared:
    ours, theirs = _in_threads(_state, train), _in_threads(_state, evaluated)
    step = -(-len(evaluated) // _MOST) or 1
    chosen = range(0, len(evaluated), step)
    file = cache.folder() / "shared_images" / f"{_key([*train, '', *evaluated], [*ours, (), *theirs])}.json"
    found = _load(file)
    if found is None:
        known = set(train)
        same = {index for index, path in enumerate(evaluated) if path in known}
        others = {index: theirs[index][0] for index in chosen if index not in same}
        alike = _by_content(dict(zip(train, (size for size, _ in ours), strict=True)), evaluated, others)
        found = sorted(same | alike)
        cache.write(file, json.dumps(found).encode())
    return Shared(found, len(evaluated), len(chosen))


def _by_content(train: Mapping[str, int], evaluated: Sequence[str], chosen: Mapping[int, int]) -> set[int]:
    """Those of some evaluated files that have the bytes of a training file.

    Args:
        train: Size of each training file.
        evaluated: The evaluated files.
        chosen: Size of those to look at, by index.
    """
    common = (set(train.values()) & set(chosen.values())) - {_MISSING}
    known = set(_in_threads(_digest, [path for path, size in train.items() if size in common])) - {b""}
    asked = [index for index, size in chosen.items() if size in common]
    digests = _in_threads(_digest, [evaluated[index] for index in asked])
    return {index for index, digest in zip(asked, digests, strict=True) if digest in known}


def _key(paths: Sequence[str], states: Sequence[Any]) -> str:
    lines = "\n".join(f"{path} {state}" for path, state in zip(paths, states, strict=True))
    return hashlib.sha256(lines.encode("utf-8", "surrogateescape")).hexdigest()[:32]


def _state(path: str) -> tuple[int, int]:
    """Bytes and time of change."""
    try:
        state = os.stat(path)
    except OSError:
        return _MISSING, 0
    return state.st_size, state.st_mtime_ns


def _digest(path: str) -> bytes:
    """Of the content; empty where it cannot be read, which is reported where the image is decoded."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).digest()
    except OSError:
        return b""


def _in_threads(look: Any, paths: Sequence[str]) -> list[Any]:
    """What `look` finds at each path, in order."""
    chunks = [paths[start : start + _CHUNK] for start in range(0, len(paths), _CHUNK)]
    with ThreadPoolExecutor(_THREADS) as pool:
        return [found for part in pool.map(lambda chunk: [look(path) for path in chunk], chunks) for found in part]


def _load(file: Path) -> list[int] | None:
    try:
        found = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, list) and all(isinstance(index, int) for index in found) else None
