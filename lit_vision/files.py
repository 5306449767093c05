"""Files by names that anybody may have written: whether one is there, and what it holds. No torch here.

A pipe or a device in a file's place could be waited for without end, a name may be longer than any file's, and a file
may be larger than what it is taken for ever is.
"""

import errno
import os
import stat
from pathlib import Path

MOST_BYTES = 8 << 30  # of a file that is read whole: COCO's largest has 0.5 GB


def is_there(path: str | Path) -> bool:
    """Whether a file is there; a name that no file can have names none."""
    try:
        return stat.S_ISREG(os.stat(path).st_mode)
    except (OSError, ValueError):
        return False


def is_folder(path: str | Path) -> bool:
    """Whether a folder is there; a name that no folder can have names none."""
    try:
        return stat.S_ISDIR(os.stat(path).st_mode)
    except (OSError, ValueError):
        return False


def refuse_other(path: str | Path) -> None:
    """Checks, before somebody else's reader opens a path, that a file is there.

    Raises:
        OSError: There is nothing, or no file; its `strerror` says what.
    """
    _refuse_mode(os.stat(_named(path)).st_mode, path)


def content(path: str | Path, most: int = MOST_BYTES) -> bytes:
    """What a file holds.

    Args:
        path: The file.
        most: Bytes that it may have.

    Raises:
        OSError: It cannot be read, is no file, or has more bytes; its `strerror` says what.
    """
    # A pipe without a writer would be waited for when it is opened.
    handle = os.open(_named(path), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(handle, "rb") as file:
        state = os.fstat(handle)
        _refuse_mode(state.st_mode, path)
        if state.st_size > most:
            raise OSError(errno.EFBIG, f"it has {state.st_size:,} bytes, more than {most:,}", str(path))
        return file.read(most)


def _named(path: str | Path) -> str:
    """A path that the system takes: a NUL would be another kind of error than all other bad names."""
    if "\0" in str(path):
        raise OSError(errno.EINVAL, "its name holds a NUL", str(path))
    return str(path)


def _refuse_mode(mode: int, path: str | Path) -> None:
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, "it is a folder", str(path))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "it is a pipe or a device, and no file", str(path))
