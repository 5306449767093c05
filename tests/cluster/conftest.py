"""The command in a folder of its own, as the tests of the command line have it."""

from tests.cli.conftest import command

__all__ = ["command"]
