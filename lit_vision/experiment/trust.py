"""What a file from others may name: a closed list by role, and each argument held to its parameter's annotation.

A checkpoint is data. Of the classes and builders that it names, those in `trusted` are built without further consent;
all else needs `--trust-code`. A value is judged by its parameter alone: where a class is asked for, a name on the list
that makes such an object; where a number is asked for, a number. Text is never parsed, and nothing is imported that is
not on the list. What has passed is spelled out as `{class_path, init_args}`, so that no later reader takes a name for a
file or a text for a mapping. No torch here until something is judged.
"""

import collections.abc
import enum
import importlib
import inspect
import numbers
import re
import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from lit_vision.errors import InputError
from lit_vision.experiment import compose, trusted
from lit_vision.experiment import names as check
from lit_vision.experiment.compose import Config

_WORD = re.compile(r"[\w+-]*")  # text that no reader takes for a path, a name to import, or YAML
_TEXTS = ("card", "origin")  # read as text and numbers, by `card` and `recipes`
_PRECISION = re.compile(r"[a-z0-9-]{1,30}")
_PLAIN = (bool, int, float, str)
_SEQUENCES = (list, tuple, set, frozenset, collections.abc.Sequence, collections.abc.Iterable)


class Refused(Exception):  # noqa: N818  # a verdict, which `InputError` tells
    """A value that is not on the list.

    Args:
        key: Where it stands.
        what: What it is.
    """

    def __init__(self, key: str, what: str) -> None:
        super().__init__(f"{key}: {what}")
        self.key = key


def configuration(config: Any, file: str) -> Config:
    """The configuration of a checkpoint, held to the list: task, data, seed, card, origin and the precision alone.

    Args:
        config: As the file has it.
        file: Its name, for the message.

    Raises:
        InputError: Names what would run, and the option that vouches for it.
    """
    kinds = {section: check.load(path) for section, path in trusted.KINDS.items()}
    try:
        return {key: _section(key, value, kinds) for key, value in _mapping(config, "the configuration").items()}
    except Refused as refused:
        raise _told(refused, config, file) from None


def pipeline(config: Any, file: str) -> Any:
    """The pipeline of a checkpoint, held to the list; see `configuration`."""
    try:
        return held(config, check.load(trusted.PIPELINE), "pipeline")
    except Refused as refused:
        raise _told(refused, config, file) from None


def held(value: Any, wanted: Any, key: str) -> Any:
    """A value held to an annotation, every part in it spelled out.

    Args:
        value: As YAML or a checkpoint has it.
        wanted: The annotation.
        key: Where the value stands.

    Raises:
        Refused: If it is not what the annotation asks for, or names what is not on the list.
    """
    origin, kinds = typing.get_origin(wanted), typing.get_args(wanted)
    if value is None:
        return None
    if origin in (typing.Union, types.UnionType):
        return _of_union(value, kinds, key)
    if origin is collections.abc.Callable or wanted in (typing.Callable, collections.abc.Callable):
        return _part(value, _product(kinds), key)
    if (origin or wanted) in _SEQUENCES:
        return _sequence(value, origin or wanted, kinds, key)
    if origin in (dict, collections.abc.Mapping) and kinds[0] is str:
        return {name: held(entry, kinds[1], f"{key}.{name}") for name, entry in _mapping(value, key).items()}
    kind = origin if isinstance(origin, type) else wanted
    if origin is not typing.Literal and _asks_for_class(kind):
        return _part(value, kind, key)
    if not _is_scalar(value, wanted):
        raise Refused(key, _shown(value))
    return value


def _section(key: str, value: Any, kinds: Mapping[str, type]) -> Any:
    """A top-level entry of a checkpoint's configuration."""
    if key in kinds:
        return held(value, kinds[key], key)
    if key == "trainer":
        return _trainer(value)
    if key == "seed_everything" and isinstance(value, bool | int | None):
        return value
    if key in _TEXTS:
        return value
    raise Refused(key, _shown(value))


def _trainer(value: Any) -> Any:
    """Of the trainer, a checkpoint may set the precision."""
    for name, entry in _mapping(value or {}, "trainer").items():
        plain = entry is None or (isinstance(entry, str | int) and _PRECISION.fullmatch(str(entry)))
        if name != "precision" or not plain:
            raise Refused(f"trainer.{name}", _shown(entry))
    return value


def _of_union(value: Any, kinds: tuple[Any, ...], key: str) -> Any:
    """The first kind that takes the value. Text with signs in it is text only where nothing else could read it."""
    if isinstance(value, str) and not _WORD.fullmatch(value) and not all(map(_reads_no_names, kinds)):
        kinds = tuple(kind for kind in kinds if kind is not str)
    refused = [Refused(key, _shown(value))]
    for kind in kinds:
        try:
            return held(value, kind, key)
        except Refused as error:
            refused.append(error)
    raise max(refused, key=lambda error: len(error.key))


def _sequence(value: Any, kind: Any, kinds: tuple[Any, ...], key: str) -> list[Any]:
    if not isinstance(value, list | tuple):
        raise Refused(key, _shown(value))
    fixed = kind is tuple and kinds and kinds[-1] is not ...
    if fixed and len(value) != len(kinds):
        raise Refused(key, _shown(value))
    each: Iterable[Any] = kinds if fixed else [kinds[0] if kinds else Any] * len(value)
    return [held(entry, one, f"{key}.{place}") for place, (entry, one) in enumerate(zip(value, each, strict=True))]


def _part(value: Any, wanted: Any, key: str) -> Any:
    """A class or builder with its arguments."""
    if wanted is None:
        raise Refused(key, _shown(value))
    path = compose.class_path(value)
    if path is None and _is_ours(f"{wanted.__module__}.{wanted.__qualname__}"):
        return _arguments(wanted, value, key)  # a class of our own that the parameter names needs no path
    if path is None or (compose.is_part(value) and value.keys() - {"class_path", "init_args"}):
        raise Refused(key, _shown(value))
    target = _target(path, wanted, key)
    given = value.get("init_args") or {} if compose.is_part(value) else {}
    return {"class_path": path, "init_args": _arguments(target, given, key)}


def _arguments(target: Any, given: Any, key: str) -> Config:
    accepted = check.parameters(target)
    entries = _mapping(given, key).items()
    return {name: held(entry, accepted.get(name, Any), f"{key}.{name}") for name, entry in entries}


def _target(path: str, wanted: type, key: str) -> Any:
    """The class or builder of a path, proven to be on the list, defined there, and to make what is wanted."""
    module, _, name = path.rpartition(".")
    if name not in trusted.LISTED.get(module, ()) and not _is_ours(path):
        raise Refused(key, path)
    target = check.load(path, key)
    home = getattr(target, "__module__", "")
    at_home = f"{home}.".startswith(f"{module}.") if module in trusted.LISTED else home == module
    if not at_home or getattr(target, "__qualname__", "") != name:
        raise Refused(key, f"{path}, which is {home}.{getattr(target, '__qualname__', '?')}")
    made = target if isinstance(target, type) else _returned(target)
    if not isinstance(made, type) or not issubclass(made, wanted):
        raise Refused(key, f"{path}, which is no {wanted.__name__}")
    return target


def _is_ours(path: str) -> bool:
    """Whether a path leads into one of our rooms, to a public name."""
    package, *rest = path.split(".")
    return (
        package == "lit_vision"
        and len(rest) > 2
        and rest[0] in trusted.ROOMS
        and not any(n.startswith("_") for n in rest)
    )


def _returned(target: Any) -> Any:
    """The class that a builder returns, by its annotation."""
    if not inspect.isfunction(target):
        return None
    found = typing.get_type_hints(target).get("return")
    return typing.get_origin(found) or found


def _product(kinds: tuple[Any, ...]) -> type | None:
    """What a callable that is asked for makes; a transform where the annotation does not tell."""
    made = kinds[1] if len(kinds) == 2 else Any
    if made is Any or isinstance(made, typing.TypeVar):
        return typing.cast(type, importlib.import_module("torch.nn").Module)
    return made if isinstance(made, type) else None


def _asks_for_class(wanted: Any) -> bool:
    """Whether only an object of a class will do; enumerations are named by text, and `type` would import."""
    plain = (*_PLAIN, object, inspect.Parameter.empty, type(None), types.ModuleType, type, dict, numbers.Number)
    return isinstance(wanted, type) and wanted not in plain and not issubclass(wanted, enum.Enum)


def _is_scalar(value: Any, wanted: Any) -> bool:
    """Whether a number, a truth value or text is what is asked for; without an annotation, plain values only."""
    if typing.get_origin(wanted) is typing.Literal:
        return any(value == choice and type(value) is type(choice) for choice in typing.get_args(wanted))
    if isinstance(wanted, type) and issubclass(wanted, enum.Enum):
        return isinstance(value, str) and value in wanted.__members__
    if wanted in (float, numbers.Number):
        return isinstance(value, int | float) and not isinstance(value, bool)
    if wanted in _PLAIN:
        return type(value) is wanted
    if wanted in (Any, object, inspect.Parameter.empty) or isinstance(wanted, typing.TypeVar):
        return _is_plain(value)
    return False


def _is_plain(value: Any) -> bool:
    """Numbers, truth values and words, and lists of them: what no parser makes anything else of."""
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    return (
        value is None
        or isinstance(value, bool | int | float)
        or (isinstance(value, str) and _WORD.fullmatch(value) is not None)
    )


def _reads_no_names(kind: Any) -> bool:
    """Whether a kind takes text as text, so that none of it is imported, opened or parsed into parts."""
    if typing.get_origin(kind) in (typing.Literal, *_SEQUENCES):
        return typing.get_origin(kind) is typing.Literal or all(map(_reads_no_names, typing.get_args(kind)))
    return kind in (*_PLAIN, type(None), ...) or (isinstance(kind, type) and issubclass(kind, enum.Enum))


def _mapping(value: Any, key: str) -> Config:
    if not isinstance(value, dict) or "class_path" in value or not all(isinstance(name, str) for name in value):
        raise Refused(key, _shown(value))
    return value


def _shown(value: Any) -> str:
    """A value in a few words; the class that it names, if it names one."""
    return compose.class_path(value) or repr(value)[:80]


def _told(refused: Refused, config: Any, file: str) -> InputError:
    """What would run, as an input error."""
    built = {key: value for key, value in config.items() if key not in _TEXTS} if isinstance(config, dict) else config
    named = dict.fromkeys(path for path in _class_paths(built) if not _is_known(path))
    would = f"it would run {', '.join(list(named)[:5])}{', …' if len(named) > 5 else ''}; " if named else ""
    return InputError(
        f"{file} is not only data: {str(refused)[:200]} is nothing that a checkpoint may name\n"
        f"{would}give --trust-code if you trust the person who made the file"
    )


def _is_known(path: str) -> bool:
    module, _, name = path.rpartition(".")
    return name in trusted.LISTED.get(module, ()) or _is_ours(path)


def _class_paths(config: Any) -> Iterator[str]:
    """All that a configuration names by a dotted path."""
    path = compose.class_path(config)
    if path:
        yield path
    if isinstance(config, dict):
        for value in config.values():
            yield from _class_paths(value)
    elif isinstance(config, list | tuple):
        for value in config:
            yield from _class_paths(value)
