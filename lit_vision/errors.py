"""The one exception for whatever a user, a recipe or a data set can cause."""

import contextlib
from collections.abc import Iterator


class InputError(ValueError):
    """Bad input, reported in at most three lines: what was asked, what was found, where, and what to do.

    The command line prints the message alone and exits with 2; in Python it is an ordinary `ValueError`.

    Attributes:
        alike: Whether every process of the command on this machine meets it, so that one of them tells it.
    """

    alike = False


@contextlib.contextmanager
def alike() -> Iterator[None]:
    """Around what every process of a command does in the same way: resolving, building, reading annotations."""
    try:
        yield
    except InputError as error:
        error.alike = True
        raise
