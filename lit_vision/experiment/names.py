"""Checks classes and keys of a configuration before anything is built: typos are reported with the nearest right name.

jsonargparse would refuse the same typos, in some fifty lines.
"""

import functools
import importlib
import inspect
import types
import typing
from collections.abc import Callable
from typing import Any

from jsonargparse._parameter_resolvers import get_signature_parameters

from lit_vision import nearest
from lit_vision.errors import InputError
from lit_vision.experiment import compose, keys, sections
from lit_vision.experiment.recipes import Experiment

_EXAMPLES = {
    "data": "lit_vision.data.image_folder.ImageFolder",
    "model": "lit_vision.tasks.classification.Classification",
}


def names(experiment: Experiment) -> None:
    """Checks every section, class path and argument name.

    Raises:
        InputError: Names file or option, key, and the nearest valid choice.
    """
    sections.refuse_unknown(experiment)
    for section in ("data", "model"):
        _refuse_without_class(section, experiment)
    for section, path in keys.OPTIONS_OF.items():
        given = experiment.config.get(section)
        _arguments(load(path), given if isinstance(given, dict) else {}, section, experiment)
    row = experiment.expected()
    if row and row.analysis is not None:
        _value(row.analysis, f"card.rows.{experiment.row}.analysis", experiment)
    for section in ("data", "model", "protocol"):
        _value(experiment.config.get(section), section, experiment)


def _refuse_without_class(section: str, experiment: Experiment) -> None:
    value = experiment.config.get(section)
    if compose.class_path(value) is not None:
        return
    if isinstance(value, str):
        raise InputError(
            f"{_where(section, experiment)} is {value!r}, which is no class path; "
            f"write module and class, such as {_EXAMPLES[section]}"
        )
    raise InputError(f"{experiment.name}: {section} needs a class_path; see lit-vision recipes ls for examples")


def _where(key: str, experiment: Experiment) -> str:
    """The key and what set it: `--data` of the command line, `mine.yaml: data` of a file."""
    source = experiment.source_of(key)
    return source if source == f"--{key}" else f"{source}: {key}"


def load(path: str, where: str = "") -> Any:
    """The class or function that a class path names.

    Raises:
        InputError: If module or name do not exist; names the nearest.
    """
    module_name, _, name = path.rpartition(".")
    prefix = f"{where}: " if where else ""
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        missing = error.name or module_name
        parent = missing.rpartition(".")[0]
        raise InputError(f"{prefix}{path}: there is no module {missing!r}; {_modules_hint(missing, parent)}") from None
    if not hasattr(module, name):
        choices = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
        raise InputError(f"{prefix}{module_name} has no {name!r}; {nearest.hint(name, choices)}")
    return getattr(module, name)


def _value(value: Any, key: str, experiment: Experiment) -> None:
    """Checks a value and everything below it."""
    path = compose.class_path(value)
    if path and (compose.is_part(value) or path.startswith("lit_vision.")):
        target = load(path, _where(key, experiment))
        arguments = value.get("init_args") or {} if compose.is_part(value) else {}
        _arguments(target, arguments, key, experiment)
    elif isinstance(value, list):
        for index, entry in enumerate(value):
            _value(entry, f"{key}[{index}]", experiment)
    elif isinstance(value, dict):
        for name, entry in value.items():
            _value(entry, f"{key}.{name}", experiment)


def _arguments(target: Callable[..., Any], arguments: dict[str, Any], key: str, experiment: Experiment) -> None:
    accepted = parameters(target)
    for name, value in arguments.items():
        full = f"{key}.{name}"
        if name not in accepted:
            raise keys.unknown(experiment, full, getattr(target, "__name__", str(target)), accepted)
        _refuse_other_kind(accepted[name], value, full, experiment)
        concrete = concrete_class(accepted[name])
        if concrete and isinstance(value, dict) and not compose.is_part(value):
            _arguments(concrete, value, full, experiment)
        else:
            _value(value, full, experiment)


@functools.cache
def parameters(target: Callable[..., Any]) -> dict[str, Any]:
    """Argument names and annotations, those that `**kwargs` passes on included."""
    # jsonargparse follows `**kwargs` through calls and base classes; it has no public name for that.
    method = "__init__" if isinstance(target, type) else None
    return {parameter.name: parameter.annotation for parameter in get_signature_parameters(target, method)}


def _refuse_other_kind(annotation: Any, value: Any, key: str, experiment: Experiment) -> None:
    """Checks that a class is of the kind of ours that is asked for; what makes such an object may be any function.

    Raises:
        InputError: Names what the class lacks, and the class to derive it from.
    """
    kind, path = _our_class(annotation), compose.class_path(value)
    given = load(path, _where(key, experiment)) if kind and path else None
    if kind is None or not isinstance(given, type) or issubclass(given, kind):
        return
    promised = {*getattr(kind, "__abstractmethods__", ()), *(set(kind.__annotations__) - vars(kind).keys())}
    missing = [name for name in sorted(promised) if not hasattr(given, name)]
    lacks = f"; it lacks {', '.join(missing)}" if missing else ""
    raise InputError(
        f"{_where(key, experiment)}: {path} is no {kind.__name__}{lacks};\n"
        f"derive it from {kind.__module__}.{kind.__qualname__}, whose documentation says what each must be"
    )


def concrete_class(annotation: Any) -> type | None:
    """The class of our own that an annotation names, an optional one too; its mapping needs no class path."""
    kind = _our_class(annotation)
    return None if kind is None or inspect.isabstract(kind) else kind


def _our_class(annotation: Any) -> type | None:
    """The one class of our own that an annotation names, an optional or a generic one too."""
    kinds = typing.get_args(annotation) if isinstance(annotation, types.UnionType) else (annotation,)
    ours = [kind for kind in kinds if isinstance(kind, type) and kind.__module__.startswith("lit_vision.")]
    return ours[0] if len(ours) == 1 else None


def _modules_hint(missing: str, parent: str) -> str:
    import pkgutil

    if not parent:
        return "is its package installed?"
    package = importlib.import_module(parent)
    siblings = [f"{parent}.{entry.name}" for entry in pkgutil.iter_modules(getattr(package, "__path__", []))]
    return nearest.hint(missing, siblings)
