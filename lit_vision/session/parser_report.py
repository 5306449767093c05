"""Jsonargparse's long reports, cut down to one line: the key, what was expected, what was given. No torch here."""

import importlib
import re

from lit_vision import nearest
from lit_vision.experiment.recipes import Experiment

_KEY = re.compile(r'Parser key "([^"]+)":')
_CHOICES = re.compile(r"Literal\[(.*)\]")
_TYPE = re.compile(r"Expected a <class '(?:[\w.]+\.)?(\w+)'>")
_GOT = re.compile(r"(?:Got value|Given value): (.*?)(?:\. Got value: .*)?$")
_NO_NAME = re.compile(r"module '([\w.]+)' has no attribute '(\w+)'")
_WORDS = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "str": "text",
    "list": "a list",
    "Sequence": "a list",
}
_WIDTH = 300


def of_parser(text: str, experiment: Experiment) -> str:
    """Jsonargparse's long report as one line: where, what was expected, what was given.

    Its report is a tree, one level per nested part: the keys along the deepest branch make the full key, and below the
    last of them stands what is wrong.
    """
    key = ".".join(_KEY.findall(text))
    source = experiment.source_of(key)
    where = f"{source}: {key}" if key and source != f"--{key}" else source
    below = [line.strip().removeprefix("- ") for line in _KEY.split(text)[-1].splitlines() if line.strip()]
    return f"{where}{_expectation(below)}"[:_WIDTH]


def _expectation(lines: list[str]) -> str:
    """What was expected and what was given, as the end of a sentence that begins with the key."""
    got = next((found[1] for line in lines if (found := _GOT.search(line))), "")
    told = f", got {got!r}" if got and len(got) < 80 else ""
    expected = [line for line in lines if line.startswith("Expected a ")]
    if missing := _NO_NAME.search(" ".join(lines)):
        return f": {_unknown_name(*missing.groups())}"
    choices = [choice for line in expected if (found := _CHOICES.search(line)) for choice in _names(found[1])]
    kinds = dict.fromkeys(found[1] for line in expected if (found := _TYPE.search(line)) and found[1] != "NoneType")
    wanted = list(dict.fromkeys(_WORDS.get(kind, kind) for kind in kinds))
    if choices:
        wanted.append("one of " + ", ".join(choices[:8]) + (", …" if len(choices) > 8 else ""))
    if wanted:
        hint = nearest.hint(got, choices)
        return f" should be {' or '.join(wanted)}{told}" + (f"; {hint}" if hint.startswith("did you mean") else "")
    if any(line.endswith("is abstract") for line in lines):
        return " has no class of its own to take this option; name one first, by its class path"
    return f": {re.split(r'[.,] Got value', _telling(lines))[0]}{told}"


def _telling(lines: list[str]) -> str:
    """The first line that says what is wrong, for reports that name no type."""
    skipped = ("Problem with", "Does not validate", "Subtypes", "Errors:", "Given value", "Expected a ")
    return next((line for line in lines if not line.startswith(skipped)), lines[0] if lines else "not accepted")


def _names(listed: str) -> list[str]:
    """The choices of a `Literal` as it is printed: `'bn', 'gn'` or `64, 32`."""
    return [choice.strip().strip("'") for choice in listed.split(",")]


def _unknown_name(module: str, name: str) -> str:
    choices = [key for key, value in vars(importlib.import_module(module)).items() if isinstance(value, type)]
    return f"{module} has no {name!r}; {nearest.hint(name, choices)}"
