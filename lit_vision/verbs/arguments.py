"""The arguments of the light verbs: argparse whose complaints are ours. No torch here."""

import argparse
from collections.abc import Sequence
from typing import Any, NoReturn

from lit_vision import nearest
from lit_vision.errors import InputError


class Parser(argparse.ArgumentParser):
    """Reports typos as every other command does: one line with the nearest right name, without the usage.

    Call `read`, not `parse_args`; parsers of verbs below (`add_subparsers`) are of this class too.
    """

    def __init__(self, prog: str | None = None, **options: Any) -> None:
        super().__init__(prog, allow_abbrev=False, **options)

    def read(self, argv: Sequence[str]) -> argparse.Namespace:
        """The parsed arguments.

        Raises:
            InputError: An unknown verb or option, a missing argument, a value of the wrong kind.
        """
        self._refuse_unknown(argv)
        return self.parse_args(argv)

    def error(self, message: str) -> NoReturn:
        """What argparse has to say, as an input error, and how the command is written."""
        usage = " ".join(self.format_usage().split()).removeprefix("usage: ")
        raise InputError(f"{self.prog}: {message};\nwrite {usage}")

    def _refuse_unknown(self, argv: Sequence[str]) -> None:
        # Before argparse: it would first miss what the misspelt option was to give, and it names no nearest choice.
        verbs = self._verbs()
        if verbs and not argv:
            raise InputError(f"{self.prog} needs one of: {', '.join(verbs)}")
        if verbs and not argv[0].startswith("-"):
            if argv[0] not in verbs:
                raise InputError(f"{self.prog} {argv[0]}: unknown; {nearest.hint(argv[0], verbs)}")
            return verbs[argv[0]]._refuse_unknown(argv[1:])
        options = [name for name in self._option_string_actions if name.startswith("--")]
        for argument in argv[: argv.index("--") if "--" in argv else None]:
            name = argument.partition("=")[0]
            if name.startswith("-") and name not in self._option_string_actions and not _is_number(name):
                raise InputError(f"{self.prog}: unknown option {name}; {nearest.hint(name, options)}")
        return None

    def _verbs(self) -> dict[str, "Parser"]:
        """Parsers of the verbs below this one, by name."""
        below = [action for action in self._actions if isinstance(action, argparse._SubParsersAction)]
        return dict(below[0].choices) if below else {}


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def count(text: str) -> int:
    """A whole number of at least one, as the `type` of an argument."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, got {text!r}")
    return number
