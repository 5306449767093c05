"""Misspelt keys, found by parsing files, before the seconds that importing torch takes. No torch here.

What the files do not tell is left to `names`, which imports the classes and checks everything.
"""

from collections.abc import Iterable
from typing import Any

from lit_vision import nearest
from lit_vision.errors import InputError
from lit_vision.experiment import compose, signatures
from lit_vision.experiment.recipes import Experiment

OPTIONS_OF = {
    "trainer": "lightning.Trainer",
    "checkpoint": "lit_vision.callbacks.kept.Keep",
    "nonfinite": "lit_vision.callbacks.finite.NonFinite",
}
"""Sections whose class is always the same, by its path: this room imports none of them."""


def refuse_unknown(experiment: Experiment) -> None:
    """Checks the keys of every section.

    Raises:
        InputError: Names file or option, key, and the nearest valid choice.
    """
    for section, path in OPTIONS_OF.items():
        given = experiment.config.get(section)
        _arguments(path, given if isinstance(given, dict) else {}, section, experiment)
    for section in ("data", "model", "protocol"):
        _value(experiment.config.get(section), section, experiment)


def unknown(experiment: Experiment, key: str, owner: str, accepted: Iterable[str]) -> InputError:
    """What is said of a key that its class does not take."""
    name = key.rpartition(".")[2]
    told = f"{experiment.source_of(key)}: unknown key {key}; {owner} takes no {name!r}"
    return InputError(f"{told}; {nearest.hint(name, accepted)}")


def _value(value: Any, key: str, experiment: Experiment) -> None:
    path = compose.class_path(value)
    if path and compose.is_part(value):
        _arguments(path, value.get("init_args") or {}, key, experiment)
    elif isinstance(value, list):
        for index, entry in enumerate(value):
            _value(entry, f"{key}[{index}]", experiment)
    elif isinstance(value, dict):
        for name, entry in value.items():
            _value(entry, f"{key}.{name}", experiment)


def _arguments(path: str, arguments: Any, key: str, experiment: Experiment) -> None:
    accepted = signatures.parameters(path)
    for name, value in arguments.items() if isinstance(arguments, dict) else ():
        full = f"{key}.{name}"
        if accepted is not None and name not in accepted:
            raise unknown(experiment, full, path.rpartition(".")[2], accepted)
        inner = signatures.mapping_of(path, name)
        if inner and isinstance(value, dict) and not compose.is_part(value):
            _arguments(inner, value, full, experiment)
        else:
            _value(value, full, experiment)
