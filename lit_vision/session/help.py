"""Every key that a recipe or an option may set: name, type, default, what it means."""

import inspect
import re
from collections.abc import Iterator
from typing import Any

from jsonargparse._parameter_resolvers import get_signature_parameters
from lightning import Trainer

from lit_vision.callbacks.finite import NonFinite
from lit_vision.callbacks.kept import Keep
from lit_vision.experiment import compose
from lit_vision.experiment import names as check
from lit_vision.experiment.recipes import Experiment

SECTIONS = ("model", "data", "trainer", "checkpoint", "nonfinite")

_FIXED = {"trainer": Trainer, "checkpoint": Keep, "nonfinite": NonFinite}
_LATER = ("params", "optimizer")  # what the task hands to an optimiser and to a schedule
_MODULES = re.compile(r"\b(?:[A-Za-z_]\w*\.)+(?=[A-Za-z_])")


def text(verb: str, experiment: Experiment | None, sections: tuple[str, ...] = SECTIONS) -> str:
    """The keys of some sections, one per line.

    Args:
        verb: Of the command.
        experiment: Whose classes are shown for `model` and `data`; without one, these need a recipe.
        sections: Which sections.
    """
    lines = []
    for section in sections:
        lines += ["", f"{section}:", *_section(section, verb, experiment)]
    return "\n".join(lines[1:])


def _section(section: str, verb: str, experiment: Experiment | None) -> Iterator[str]:
    if section in _FIXED:
        yield from _lines(_FIXED[section], section, (experiment.config if experiment else {}).get(section) or {})
    elif experiment is None:
        yield f"  depends on the recipe: lit-vision {verb} --config RECIPE --{section}.help"
    else:
        yield from _of_part(experiment.config[section], section)


def _of_part(value: Any, key: str) -> Iterator[str]:
    """The keys of a part and of every part below it."""
    path = compose.class_path(value)
    assert path is not None
    yield f"  --{key} {path}"
    given = (value.get("init_args") or {}) if compose.is_part(value) else {}
    yield from _lines(check.load(path, key), key, given)


def _lines(target: Any, key: str, given: dict[str, Any]) -> Iterator[str]:
    method = "__init__" if isinstance(target, type) else None
    for parameter in get_signature_parameters(target, method):
        full, value = f"{key}.{parameter.name}", given.get(parameter.name, parameter.default)
        if compose.class_path(value) and (compose.is_part(value) or str(value).startswith("lit_vision.")):
            yield from _of_part(value, full)
            continue
        if parameter.name in _LATER:
            continue
        shown = "" if value is inspect.Parameter.empty else f" = {value!r}"
        meaning = " ".join((getattr(parameter, "doc", None) or "").split())
        yield f"  --{full}: {_type(parameter.annotation)}{shown[:60]}" + (f"  {meaning[:100]}" if meaning else "")


def _type(annotation: Any) -> str:
    if annotation is inspect.Parameter.empty:
        return "any"
    told = annotation.__name__ if isinstance(annotation, type) else str(annotation)
    return _MODULES.sub("", told)[:60]
