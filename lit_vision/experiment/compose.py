"""Plain-dictionary configurations: dotted keys, merging, and the rule that a changed class takes its arguments along.

A part is `{class_path, init_args}` or, without arguments, the class path alone; dotted keys leave `init_args` out.
A value set at a key replaces what stands there whole. No torch here.
"""

import copy
import re
from collections.abc import Iterator
from typing import Any, TypeGuard

from lit_vision.errors import InputError

Config = dict[str, Any]

_CLASS_PATH = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")


def is_part(value: Any) -> TypeGuard[Config]:
    """Whether a value names a class with arguments."""
    return isinstance(value, dict) and "class_path" in value


def class_path(value: Any) -> str | None:
    """The class that a value names, if it names one."""
    if is_part(value):
        return str(value["class_path"])
    return value if isinstance(value, str) and _CLASS_PATH.fullmatch(value) else None


def set_key(config: Config, key: str, value: Any, source: str = "") -> list[str]:
    """Puts `value` at a dotted key, in place.

    Args:
        config: The configuration to change.
        key: Dotted path without `init_args`; a trailing `+` appends to a list instead of replacing it.
        value: Any plain value.
        source: Who asks, for messages.

    Returns:
        What a change of class dropped, as `key: value` lines.

    Raises:
        InputError: If the path leads through a value that has no keys.
    """
    *path, last = [name for name in key.split(".") if name != "init_args"]
    node = config
    for depth, name in enumerate(path):
        node = _enter(node, name, ".".join(path[: depth + 1]), key, source)
    target = _arguments(node, last)
    if last.endswith("+"):
        _append(target, last[:-1], value, key, source)
        return []
    if last == "class_path":
        before, after = node.get("class_path"), value
        dropped = _lines(node.get("init_args", {}), ".".join(path)) if before != after else []
        if dropped:
            node["init_args"] = {}
        node["class_path"] = value
        return dropped
    before = target.get(last)
    target[last] = copy.deepcopy(value)
    if class_path(value) in (None, class_path(before)) or not is_part(before):
        return []
    given = _lines(value.get("init_args"), key) if is_part(value) else []
    return [line for line in _lines(before.get("init_args"), key) if line not in given]


def merge(base: Config, over: Config, source: str = "", prefix: str = "") -> list[str]:
    """Merges a later file into `base`, in place: mappings deeply, all else replaced, a changed class whole.

    Returns:
        What changes of class dropped, as `key: value` lines.
    """
    dropped: list[str] = []
    for name, value in over.items():
        key = f"{prefix}{name}"
        target = _arguments(base, name)
        current = target.get(name)
        same_class = class_path(value) in (None, class_path(current))
        if isinstance(value, dict) and class_path(current) and same_class:
            target[name] = current = _as_part(current)
            inner = value.get("init_args") or {} if {"class_path", "init_args"} & value.keys() else value
            dropped += merge(current.setdefault("init_args", {}), inner, source, f"{key}.")
        elif isinstance(value, dict) and isinstance(current, dict) and not is_part(value):
            dropped += merge(current, value, source, f"{key}.")
        elif isinstance(value, str) and same_class and is_part(current) and class_path(value):
            continue  # the class that already stands there, named again without arguments
        else:
            dropped += [f"{prefix}{line}" for line in set_key(base, name, value, source)]
    return dropped


def flatten(config: Config, prefix: str = "") -> dict[str, Any]:
    """Dotted leaves without `init_args`; a part's class stands under `key.class_path`; lists are leaves."""
    leaves: dict[str, Any] = {}
    for key, value in _leaves(config, prefix):
        leaves[key] = value
    return leaves


def _leaves(config: Config, prefix: str) -> Iterator[tuple[str, Any]]:
    for name, value in config.items():
        key = prefix.rstrip(".") if name == "init_args" else f"{prefix}{name}"
        if isinstance(value, dict) and value:
            yield from _leaves(value, f"{key}.")
        elif isinstance(value, dict) and name == "init_args":
            continue
        elif (path := class_path(value)) and key.rpartition(".")[2] != "class_path":
            yield f"{key}.class_path", path
        else:
            yield key, value


def differing(one: Config, other: Config) -> list[str]:
    """Dotted keys at which two configurations differ, in order."""
    left, right = flatten(one), flatten(other)
    missing = object()
    return [key for key in dict.fromkeys([*left, *right]) if left.get(key, missing) != right.get(key, missing)]


def _as_part(value: Any) -> Config:
    return value if is_part(value) else {"class_path": value, "init_args": {}}


def _arguments(node: Config, name: str) -> Config:
    """Where the key `name` of a node lives: among a part's arguments, or in the node itself."""
    if is_part(node) and name != "class_path":
        arguments: Config | None = node.get("init_args")
        if arguments is None:
            arguments = node["init_args"] = {}
        return arguments
    return node


def _enter(node: Config, name: str, so_far: str, key: str, source: str) -> Config:
    """Steps into the sub-node `name`, making it when missing and turning a bare class path into a part."""
    target = _arguments(node, name)
    child = target.get(name)
    if child is None:
        child = target[name] = {}
    elif class_path(child):
        child = target[name] = _as_part(child)
    elif not isinstance(child, dict):
        asked = f"{source}: " if source else ""
        raise InputError(f"{asked}{key} cannot be set: {so_far} is {_shown(child)}, which has no keys")
    return child


def _shown(value: Any) -> str:
    """A value that stands where keys were expected; a list may be long, so it is only named."""
    return f"a list of {len(value)}" if isinstance(value, list) else repr(value)


def _append(target: Config, name: str, value: Any, key: str, source: str) -> None:
    current = target.get(name) or []
    if not isinstance(current, list):
        raise InputError(f"{source}: {key} appends to a list, but {name} is {current!r}")
    target[name] = current + (value if isinstance(value, list) else [value])


def _lines(arguments: Config | None, key: str) -> list[str]:
    return [f"{name}: {value}" for name, value in flatten(arguments or {}, f"{key}.").items()]
