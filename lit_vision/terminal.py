"""What becomes of output that cannot be written: a closed pipe, a full disk, characters that are missing. No torch."""

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from typing import Any, TextIO

from lit_vision.errors import InputError

STREAMS = ("stdout", "stderr")


def settle() -> None:
    """Gives a command streams that it can always write to.

    A stream that is closed takes everything and keeps nothing. A character that the terminal does not have, and the
    bytes of a file name that is not UTF-8, are written as their code.
    """
    for name in STREAMS:
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115  # for the process's whole life
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def takes_unicode() -> bool:
    """Whether standard output has every character."""
    return (sys.stdout.encoding or "").lower().replace("-", "").startswith("utf")


def flush() -> None:
    """Writes out what a command has printed.

    Raises:
        BrokenPipeError: If whoever read it has gone.
        InputError: If it cannot be written for another reason, such as a full disk.
    """
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise refused(error) from error


def refused(error: OSError) -> InputError:
    """That standard output cannot be written to, as an input error."""
    silence(sys.stdout)
    return InputError(f"cannot write the output ({error.strerror or error}); make room, or send it elsewhere")


def silence(stream: TextIO) -> None:
    """Sends all that a stream and its file still get into nothing, what waits in its buffer included."""
    with contextlib.suppress(OSError, ValueError):
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, stream.fileno())
        os.close(nothing)


@contextlib.contextmanager
def outliving() -> Iterator[None]:
    """Within it, output that cannot be written is dropped: the work of a command outlives its readers."""
    before = {name: getattr(sys, name) for name in STREAMS}
    for name, stream in before.items():
        setattr(sys, name, _Outliving(stream))
    try:
        yield
    finally:
        for name, stream in before.items():
            getattr(sys, name).flush()
            setattr(sys, name, stream)


class _Outliving:
    """A stream whose writes never fail; after the first that would, nothing is written any more."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Writes, or drops what cannot be written."""
        try:
            return self._stream.write(text)
        except UnicodeError:
            raise
        except (OSError, ValueError):  # the latter of a stream that was closed
            silence(self._stream)
            return len(text)

    def flush(self) -> None:
        """Flushes, or drops what cannot be written."""
        try:
            self._stream.flush()
        except (OSError, ValueError):
            silence(self._stream)
