"""Plain values from YAML or JSON into dataclasses: wrong types are named with file and key. No torch here."""

import dataclasses
import types
import typing
from typing import Any

from lit_vision import nearest
from lit_vision.errors import InputError


def build(kind: Any, content: Any, key: str, source: str, strict: bool = True) -> Any:
    """One value of type `kind`: a dataclass, a container of such, or a scalar.

    Args:
        kind: An annotation.
        content: What the file holds.
        key: Where it stands in the file; empty for the whole of it.
        source: The file.
        strict: Whether a key that the dataclass does not have is an error; else it is passed over.

    Raises:
        InputError: Names file and key, and what was expected.
    """
    if dataclasses.is_dataclass(kind):
        return _dataclass(kind, content, key, source, strict)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is dict and isinstance(content, dict):
        return {
            str(name): build(arguments[1], value, _below(key, name), source, strict) for name, value in content.items()
        }
    if origin is list and isinstance(content, list):
        return [build(arguments[0], value, f"{key}[{index}]", source, strict) for index, value in enumerate(content)]
    if origin is types.UnionType:
        return _union(arguments, content, key, source, strict)
    if origin is typing.Literal and content in arguments:
        return content
    if kind is Any or (isinstance(kind, type) and isinstance(content, kind) and (kind is bool or content is not True)):
        return content
    if kind is float and isinstance(content, int) and not isinstance(content, bool):
        return float(content)
    raise InputError(f"{source}: {key} should be {_told(kind)}, got {content!r:.80}")


def _told(kind: Any) -> str:
    origin = typing.get_origin(kind)
    if origin is typing.Literal:
        return f"one of {', '.join(map(str, typing.get_args(kind)))}"
    return f"a {getattr(origin or kind, '__name__', str(kind))}"


def _below(key: str, name: Any) -> str:
    return f"{key}.{name}" if key else str(name)


def _union(kinds: tuple[Any, ...], content: Any, key: str, source: str, strict: bool) -> Any:
    """The first kind that fits: `X | None`, or a text that may be a list."""
    if content is None and type(None) in kinds:
        return None
    if isinstance(content, list):
        kinds = tuple(kind for kind in kinds if typing.get_origin(kind) is list) or kinds
    return build(kinds[0], content, key, source, strict)


def _dataclass(kind: Any, content: Any, key: str, source: str, strict: bool) -> Any:
    if not isinstance(content, dict):
        raise InputError(f"{source}: {key or 'the file'} should be a mapping, got {content!r:.80}")
    hints = typing.get_type_hints(kind)
    for name in content if strict else ():
        if name not in hints:
            raise InputError(f"{source}: {key} has no key {name!r}; {nearest.hint(str(name), hints)}")
    for entry in dataclasses.fields(kind):
        required = entry.default is dataclasses.MISSING and entry.default_factory is dataclasses.MISSING
        if required and entry.name not in content:
            raise InputError(f"{source}: {key or 'the file'} needs the key {entry.name!r}")
    given = {name: value for name, value in content.items() if name in hints}
    return kind(**{name: build(hints[name], value, _below(key, name), source, strict) for name, value in given.items()})
