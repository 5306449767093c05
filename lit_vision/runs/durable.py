"""Files that survive a kill or a power cut at any instant: whole and verified, or not there. No torch here.

A file is created beside its destination, written, flushed to the disk, read back and only then renamed; the folder is
flushed last, because a rename is an entry in the folder. What stood at the destination stays until the rename.
"""

import contextlib
import errno
import io
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from lit_vision.errors import InputError

BUFFER = 1 << 20  # bytes per write call

_REMEDIES = {
    errno.ENOSPC: "the disk is full; make room",
    errno.EDQUOT: "the disk quota is used up; make room",
    errno.EROFS: "the file system is read-only; name another folder with --run DIR, or make it writable",
    errno.EACCES: "the folder may not be written to; name another folder with --run DIR, or make it writable",
    errno.EPERM: "the folder may not be written to; name another folder with --run DIR, or make it writable",
    errno.EEXIST: "a file stands where a folder should be; name another folder with --run DIR",
    errno.ELOOP: "a link stands there, and links are not followed when something is written; remove it",
    errno.ENOTDIR: "a file stands where a folder should be; name another folder with --run DIR",
}
_ONLY_WRITING = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)  # what no reader ever meets


class TornError(OSError):
    """A file that does not read back as it was written."""


def write(path: Path, content: Callable[[BinaryIO], Any], verify: Callable[[Path], Any]) -> Path:
    """Writes a file beside its destination and proves that it can be read; `put` moves it there.

    Args:
        path: The destination; its folder is made if missing, but not the folder around that.
        content: Writes the content into an open file.
        verify: Reads the file back and raises an exception if it is not good.

    Returns:
        The file beside the destination.

    Raises:
        InputError: If the disk is full, the folder cannot be written to, or has been deleted.
    """
    beside = path.with_name(f".{path.name}.part")
    try:
        _make_folder(path.parent)
        _write(beside, content)
        verify(beside)
    except OSError as error:
        _discard(beside)
        raise told(error, path) from error
    return beside


def put(source: Path, path: Path) -> None:
    """Renames a file to its destination within one folder, and flushes the folder.

    Raises:
        InputError: If the folder cannot be written to, or one of the files is gone.
    """
    try:
        os.replace(source, path)
        flush_folder(path.parent)
    except OSError as error:
        raise told(error, path) from error


def write_text(path: Path, text: str) -> None:
    """Writes a small file whole, or not at all.

    Raises:
        InputError: See `write`.
    """
    data = text.encode()

    def verify(beside: Path) -> None:
        if beside.read_bytes() != data:
            raise TornError(errno.EIO, "does not read back as it was written")

    put(write(path, lambda file: file.write(data), verify), path)


def same_content(source: Path, path: Path) -> None:
    """Gives a file a second name that later renames of the first do not touch; a copy where links are impossible.

    Raises:
        InputError: See `write`.
    """
    beside = path.with_name(f".{path.name}.part")
    try:
        _discard(beside)
        os.link(source, beside)
    except OSError:
        with source.open("rb") as original:
            write(path, lambda file: shutil.copyfileobj(original, file), lambda _: None)
    put(beside, path)


def fresh(path: str | Path, flags: int) -> int:
    """An opener for `open(…, "w")`: always a new file, never written through a link that stands in its place."""
    _discard(Path(path))
    return os.open(path, (flags & ~os.O_TRUNC) | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666)


def unlinked(path: str | Path, flags: int) -> int:
    """An opener for `open(…, "a")`: the file itself, and an error where a link stands in its place."""
    # A pipe in its place is an error, too, and not waited for.
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)


def make_folder(folder: Path) -> None:
    """Makes a folder within a run's, if it is missing.

    Raises:
        InputError: If it cannot be made, or a link stands in its place.
    """
    try:
        _make_folder(folder)
        if folder.is_symlink():
            raise OSError(errno.ELOOP, "it is a link")
    except OSError as error:
        raise told(error, folder) from error


def refuse_links(folder: Path) -> None:
    """Checks, before anything is written into a folder, that no link below it leads out of it.

    Below `wandb/`, links to files are W&B's own, to the logs of its service; it makes them anew and we write none.

    Raises:
        InputError: Names the first that does.
    """
    home = folder.resolve()
    for parent, folders, files in os.walk(home):
        for name in (*folders, *files):
            path = Path(parent, name)
            ours = path.is_dir() or path.relative_to(home).parts[0] != "wandb" or path.parent == home
            if path.is_symlink() and ours and not path.resolve().is_relative_to(home):
                raise InputError(
                    f"{folder / path.relative_to(home)} is a link that leads out of the run's folder;\n"
                    "what a run writes stays in its folder: put the file itself there, or remove the link"
                )


def flush_folder(folder: Path) -> None:
    """Flushes a folder's entries to the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def is_of_writing(error: OSError, folder: Path) -> bool:
    """Whether an error is one of writing below a folder that `told` can explain, by whatever code it was met."""
    if error.errno in _ONLY_WRITING:
        return True
    below = error.filename is not None and Path(error.filename).resolve().is_relative_to(folder.resolve())
    return below and error.errno in _REMEDIES


def told(error: OSError, path: Path) -> InputError:
    """What went wrong with a file, as an input error that says what to do."""
    remedy = _REMEDIES.get(error.errno or 0, "check the disk and the folder")
    if error.errno == errno.ENOENT:
        remedy = "something deletes this run's files while it runs; find it, or name another folder with --run DIR"
    return InputError(f"cannot write {path} ({error.strerror or error}): {remedy}")


def _make_folder(folder: Path) -> None:
    # Not all its parents too: that would bring back, empty, a run's folder that was deleted.
    with contextlib.suppress(FileExistsError):
        os.mkdir(folder)


def _write(path: Path, content: Callable[[BinaryIO], Any]) -> None:
    handle = fresh(path, os.O_WRONLY)
    try:
        with io.BufferedWriter(_Raw(handle), BUFFER) as file:
            content(file)
        os.fsync(handle)
    finally:
        os.close(handle)


class _Raw(io.RawIOBase):
    """An open file by its number, written through `os.write`, so that a test can let any single write fail."""

    def __init__(self, handle: int) -> None:
        self.handle = handle

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        return os.write(self.handle, data)


def _discard(path: Path) -> None:
    """Removes a file that is no longer needed; a disk that refuses even that has been reported already."""
    try:
        os.unlink(path)
    except OSError:
        return
