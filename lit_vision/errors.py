"""The one exception for whatever a user, a recipe or a data set can cause."""

import contextlib
import re
from collections.abc import Iterator

MOST_LINES = 3
LONGEST = 1_000  # characters of a line

_UNPRINTABLE = re.compile(r"[^\n\t -~\xa0-\U0010ffff]|[\u2028-\u202e\u2066-\u2069]")


class InputError(ValueError):
    """Bad input, reported in at most three lines: what was asked, what was found, where, and what to do.

    The command line prints the message alone and exits with 2; in Python it is an ordinary `ValueError`. A message
    quotes what files and names hold, so it is bounded here: what is too long loses its middle, and characters that
    steer a terminal are written as their codes.

    Attributes:
        alike: Whether every process of the command on this machine meets it, so that one of them tells it.
    """

    alike = False

    def __init__(self, message: str) -> None:
        lines = [_shortened(_UNPRINTABLE.sub(_code, line)) for line in str(message).strip("\n").split("\n")]
        kept = lines if len(lines) <= MOST_LINES else [*lines[: MOST_LINES - 1], lines[-1]]
        super().__init__("\n".join(kept))


@contextlib.contextmanager
def alike() -> Iterator[None]:
    """Around what every process of a command does in the same way: resolving, building, reading annotations."""
    try:
        yield
    except InputError as error:
        error.alike = True
        raise


def _shortened(line: str) -> str:
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 201]}…{line[-200:]}"


def _code(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()
