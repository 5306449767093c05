"""A trial's command: W&B's macros filled in as its agent does it. No torch here."""

import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lit_vision.errors import InputError
from lit_vision.experiment import recipes, yamlio
from lit_vision.sweeps.definition import COMMAND, Sweep

VERBS = ("fit", "test")

_VARIABLE = re.compile(r"\$\{envvar:([A-Z0-9_]*)\}")
_ENVIRONMENTS = ("env", "/usr/bin/env")
_INTERPRETERS = ("python", "python3", sys.executable)
_SCRIPTS = ("lit-vision", str(Path(sys.executable).with_name("lit-vision")))
_MACROS = ("env", "interpreter", "program", "args", "args_no_equals")


def expand(sweep: Sweep, values: dict[str, Any]) -> list[str]:
    """The arguments of one trial, without its run folder.

    Raises:
        InputError: If the command holds an unknown macro or does not call this command line.
    """
    filled = {
        "env": ["/usr/bin/env"],
        "interpreter": [sys.executable],
        "program": [sweep.program],
        "args": [f"--{key}={value}" for key, value in values.items()],
        "args_no_equals": [word for key, value in values.items() for word in (f"--{key}", str(value))],
    }
    words: list[str] = []
    for word in sweep.command:
        whole = re.fullmatch(r"\$\{(\w+)\}", word)
        if whole and whole[1] not in filled:
            raise InputError(
                f"{sweep.source}: command: ${{{whole[1]}}} is not taken here, because this command line reads "
                f"--key=value;\nuse ${{args}}; known are {', '.join(_MACROS)} and envvar:NAME"
            )
        words += filled[whole[1]] if whole else [_VARIABLE.sub(lambda m: os.environ.get(m[1], m[1]), word)]
    _after_program(sweep, words)
    return words


def check(sweep: Sweep, words: Sequence[str]) -> None:
    """Resolves recipe, row and keys of a trial as the trial will, where that needs no torch.

    Raises:
        InputError: What the trial would say.
    """
    verb, *rest = _after_program(sweep, words)
    configs, row, options = [], None, []
    pending = iter(rest)
    for word in pending:
        name, equals, text = word.partition("=")
        text = text if equals else next(pending, "")
        if name == "--config":
            configs.append(text)
        elif name == "--row":
            row = text
        elif name == "--run":
            raise InputError(f"{sweep.source}: command: leave --run out; the sweep names each trial's folder")
        else:
            options.append((name.removeprefix("--"), yamlio.value(text)))
    if not configs:
        raise InputError(f"{sweep.source}: command: {verb} needs --config RECIPE")
    recipes.resolve(configs, row, options)


def readable(words: Sequence[str]) -> list[str]:
    """The command as a person types it."""
    return ["lit-vision", *words[_head(words) :]]


def _after_program(sweep: Sweep, words: Sequence[str]) -> Sequence[str]:
    """The verb and all that follows."""
    rest = words[_head(words) :]
    if len(rest) < len(words) and rest and rest[0] in VERBS:
        return rest
    raise InputError(
        f"{sweep.source}: command: a trial is `lit_vision fit` or `lit_vision test`, got {' '.join(words[:6])} …;\n"
        f"write program: lit_vision and {COMMAND}"
    )


def _head(words: Sequence[str]) -> int:
    """How many words call this program: `[env] lit-vision` or `[env] python -m lit_vision`; 0 where they call another.

    Nothing else may stand before or between them: a sweep file that names a shell would run whatever it likes.
    """
    start = int(bool(words) and words[0] in _ENVIRONMENTS)
    first, *rest = words[start : start + 3] or [""]
    if first in _SCRIPTS:
        return start + 1
    return start + 3 if first in _INTERPRETERS and rest == ["-m", "lit_vision"] else 0
