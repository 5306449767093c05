"""The sizes of all images of a data set, by their headers: read side by side, once, and kept for the next start."""

import hashlib
import io
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from lightning.pytorch.utilities.rank_zero import rank_zero_info

from lit_vision.data.fetch import cache
from lit_vision.data.pipelines import decode
from lit_vision.errors import InputError

Sizes = npt.NDArray[np.int64]
Listing = dict[str, tuple[int, int]]

MISSING = "there is no such file"

_THREADS = 16  # network disks answer many at once
_CHUNK = 256  # headers a thread reads before it comes back
_SLOW = 5000  # images from which on the waiting is explained


def sizes(folder: Path, files: Sequence[str]) -> tuple[Sizes, dict[int, str]]:
    """Height and width of each image as `decode.read` would return it, and what is wrong with those that have none.

    What was read is kept in the cache folder and holds as long as names, bytes and times of change of the files do.

    Args:
        folder: Folder of the images.
        files: File of each image, relative to `folder`.

    Returns:
        int64 [N, 2], zero where there is no readable image; and the reasons by index, which begin with `MISSING` for a
        missing file.
    """
    listing = list_files(folder, files)
    path = cache.folder() / "image_headers" / f"{_key(folder, files, listing)}.npy"
    found = _load(path, len(files))
    if found is None:
        found = np.zeros((len(files), 2), dtype=np.int64)
    present = [index for index, file in enumerate(files) if file in listing]
    unknown = [index for index in present if not found[index, 0]]
    faults = {index: _missing(file, listing) for index, file in enumerate(files) if file not in listing}
    if unknown:
        # Unreadable files are read again at every start: they are few, and the reason is wanted.
        unreadable = _read(folder, files, unknown, found)
        faults |= unreadable
        if len(unreadable) < len(unknown):
            _save(path, found)
    return found, faults


def faults(
    found: Sizes, reasons: Mapping[int, str], stated: Sequence[tuple[Any, Any]]
) -> Iterator[tuple[str, str] | None]:
    """Kind and text of what is wrong with each image, None where nothing is.

    Args:
        found: int64 [N, 2], by the headers.
        reasons: Why there is none, by index.
        stated: Height and width by the annotation file; nothing, or zero, where it does not tell.
    """
    for index, (size, (height, width)) in enumerate(zip(found.tolist(), stated, strict=True)):
        if index in reasons:
            yield ("missing image" if reasons[index].startswith(MISSING) else "unreadable image"), reasons[index]
        elif height and width and [height, width] != size:
            text = f"annotated as {width} x {height} pixels, but the file has {size[1]} x {size[0]}"
            turned = [width, height] == size
            yield "other size", f"{text}, perhaps after its EXIF rotation" if turned else text
        else:
            yield None


def _missing(file: str, listing: Listing) -> str:
    """Tells of a file that has the name but for case or suffix."""
    stem = os.path.splitext(file)[0].lower()
    near = next((other for other in listing if os.path.splitext(other)[0].lower() == stem), None)
    return f"{MISSING}; there is {near}" if near else MISSING


def list_files(folder: Path, files: Iterable[str]) -> Listing:
    """Bytes and time of change, in nanoseconds, of those files that exist; names are case-sensitive everywhere."""
    wanted = {os.path.dirname(file) for file in files}
    listing: Listing = {}
    for parent in wanted:
        try:
            with os.scandir(folder / parent) as entries:
                for entry in entries:
                    if _is_file(entry):
                        state = entry.stat()
                        listing[os.path.join(parent, entry.name)] = state.st_size, state.st_mtime_ns
        except OSError:
            continue  # each of its images is reported as missing
    return listing


def _is_file(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a file, or a link to one; a link that ends nowhere spoils no more than itself."""
    try:
        return entry.is_file()
    except OSError:
        return False


def _read(folder: Path, files: Sequence[str], indices: Sequence[int], found: Sizes) -> dict[int, str]:
    """Fills in the sizes at some indices; returns the reasons where that fails."""
    if len(indices) >= _SLOW:
        rank_zero_info(f"reading the headers of {len(indices)} images in {folder}, once")
    chunks = [indices[start : start + _CHUNK] for start in range(0, len(indices), _CHUNK)]

    def read(chunk: Sequence[int]) -> dict[int, str]:
        faults = {}
        for index in chunk:
            try:
                found[index] = decode.size(folder / files[index])
            except InputError as error:
                faults[index] = str(error)
        return faults

    faults: dict[int, str] = {}
    with ThreadPoolExecutor(_THREADS) as pool:
        for part in pool.map(read, chunks):
            faults |= part
    return faults


def _key(folder: Path, files: Sequence[str], listing: Listing) -> str:
    lines = [f"{file} {listing.get(file)}" for file in files]
    return hashlib.sha256("\n".join([str(folder.resolve()), *lines]).encode()).hexdigest()[:32]


def _load(path: Path, count: int) -> Sizes | None:
    try:
        found: Any = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return found if found.shape == (count, 2) and found.dtype == np.int64 else None


def _save(path: Path, found: Sizes) -> None:
    buffer = io.BytesIO()
    np.save(buffer, found, allow_pickle=False)
    cache.write(path, buffer.getvalue())
