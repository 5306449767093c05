"""Text files with one entry a line: image ids, names of images, ground truth. No torch here."""

from pathlib import Path

from lit_vision import files
from lit_vision.errors import InputError


def lines(path: Path) -> list[str]:
    """The lines that hold something, without the spaces around them; a byte order mark is no part of the first.

    Raises:
        InputError: If the file cannot be read or is not UTF-8; names the line.
    """
    try:
        content = files.content(path)
    except OSError as error:
        raise InputError(f"{path}: the list cannot be read: {error.strerror}") from None
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"{path}, line {line}: byte 0x{content[error.start]:02x} is no UTF-8; save the list as UTF-8"
        ) from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise InputError(f"{path}, line {line}: it holds a NUL, which no name does; save the list as UTF-8 text")
    return [line.strip() for line in text.splitlines() if line.strip()]


def writable(name: str) -> bool:
    """Whether a name from the disk or from a file can stand in our own files: it is UTF-8 and holds no NUL."""
    try:
        return b"\0" not in name.encode()
    except UnicodeEncodeError:
        return False


def shown(name: object) -> str:
    """A name as a message can print it, whatever bytes it holds."""
    return str(name).encode("utf-8", "backslashreplace").decode()
