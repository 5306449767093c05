"""What a checkpoint must hold before it is loaded: its parts, and that they are of this network and these classes.

A foreign or incomplete file would otherwise end in a traceback wherever the missing part is met first or, worse, in
figures of the wrong classes.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from lit_vision.errors import InputError
from lit_vision.experiment import compose
from lit_vision.experiment.compose import Config
from lit_vision.runs import plain_json

Content = dict[str, Any]

DEEPEST = 50  # levels of a configuration; ours have about ten
MOST_PARTS = 100_000  # of its values, those that stand in several places counted each time

_OURS = "name a file that lit-vision fit wrote"

# Sections of the configuration that a checkpoint carries, and what they must be; the first two must be there.
_SECTIONS = {"model": dict, "data": dict, "card": dict, "origin": dict, "trainer": dict}
_VERSION = re.compile(r"\d+(\.\d+)*\S*")

# What Lightning needs to go on with a training, by key.
_STATE: dict[str, Callable[[Any], bool]] = {
    "pytorch-lightning_version": lambda value: isinstance(value, str) and bool(_VERSION.fullmatch(value)),
    "global_step": lambda value: _is_count(value),
    "epoch": lambda value: _is_count(value),
    "loops": lambda value: isinstance(value, Mapping),
    "callbacks": lambda value: isinstance(value, Mapping),
    "optimizer_states": lambda value: _are(value, lambda one: isinstance(one, Mapping) and "param_groups" in one),
    "lr_schedulers": lambda value: _are(value, lambda one: isinstance(one, Mapping)),
}


def state(content: Content, path: str) -> dict[str, Tensor]:
    """The model's parameters and buffers by name.

    Raises:
        InputError: If the file holds none.
    """
    found = content.get("state_dict")
    if not isinstance(found, Mapping) or not found:
        raise InputError(f"--ckpt_path {path}: it holds no weights (state_dict); {_OURS}")
    wrong = [name for name, value in found.items() if not (isinstance(name, str) and isinstance(value, Tensor))]
    if wrong:
        raise InputError(f"--ckpt_path {path}: state_dict[{wrong[0]!r}] is no tensor; {_OURS}")
    return dict(found)


def class_names(content: Content, path: str) -> list[str] | None:
    """Names of the classes that the network distinguishes, by index; None where the file does not say.

    Raises:
        InputError: If what the file says are no names.
    """
    found = carried(content).get("class_names")
    if found is not None and not _are(found, lambda name: isinstance(name, str)):
        raise InputError(f"--ckpt_path {path}: its class_names are no list of names; {_OURS}")
    return found


def carried(content: Content) -> dict[str, Any]:
    """What this package put into a checkpoint; nothing where another wrote it."""
    found = content.get("lit_vision")
    return found if isinstance(found, dict) else {}


def refuse_unlike_text(content: Content, path: str) -> None:
    """Checks that what this package put into a checkpoint is such as a text file could hold, before anyone looks at it.

    Raises:
        InputError: It holds tensors or other objects, numbers beyond 64 bits, text that is no Unicode, or too
            many parts.
    """
    try:
        fault = _fault(carried(content))
    except UnicodeEncodeError:
        fault = "text that is no Unicode"
    if fault:
        raise InputError(f"--ckpt_path {path}: its configuration holds {fault}; {_OURS}")


def configuration(content: Content, path: str) -> Config:
    """The resolved configuration that `lit-vision fit` put into a checkpoint, as it stands there.

    Raises:
        InputError: If there is none, or it is incomplete.
    """
    found = carried(content).get("config")
    if not isinstance(found, dict):
        raise InputError(
            f"{path} carries no configuration (it was not written by lit-vision fit); give its recipe by --config"
        )
    for name, kind in _SECTIONS.items():
        section = found.get(name)
        if not isinstance(section, kind) and (section is not None or name in ("model", "data")):
            raise InputError(f"{path}: {name} of its configuration is {_short(section)}; give its recipe by --config")
    if fault := _fault_of_origin(found.get("origin") or {}):
        raise InputError(f"{path}: origin.{fault} of its configuration is no text; give its recipe by --config")
    return found


def network(config: Config, path: str) -> Any:
    """The network's part of a checkpoint's configuration.

    Raises:
        InputError: If there is none.
    """
    found = (config["model"].get("init_args") or {}).get("network")
    if compose.class_path(found) is None:
        raise InputError(f"{path}: its configuration names no network (model.network); {_OURS}")
    return found


def refuse_unable_to_test(content: Content, path: str, model: nn.Module, names: Sequence[str]) -> None:
    """Checks what is needed to evaluate a checkpoint.

    Args:
        content: The checkpoint.
        path: Its file, for messages.
        model: What its weights go into.
        names: The data's classes by index.

    Raises:
        InputError: Names the first part that is missing or differs.
    """
    refuse_other_classes(class_names(content, path), names, path)
    refuse_other_network(state(content, path), model, path)
    _refuse_without(content, path, ("pytorch-lightning_version", "global_step"))


def refuse_unable_to_train(content: Content, path: str) -> None:
    """Checks what is needed beyond the weights to train on from a checkpoint.

    Raises:
        InputError: Names the first part that is missing.
    """
    _refuse_without(content, path, tuple(_STATE))


def refuse_other_classes(theirs: Sequence[str] | None, ours: Sequence[str], path: str) -> None:
    """Checks that an output means the same class to the checkpoint and to the data.

    Raises:
        InputError: Names the first class that differs.
    """
    if theirs is None or list(theirs) == list(ours):
        return
    place = next((at for at, (a, b) in enumerate(zip(theirs, ours, strict=False)) if a != b), None)
    if place is None:
        told = f"has {len(theirs)} classes, the data {len(ours)}"
    else:
        told = f"calls class {place} {theirs[place]!r}, the data {ours[place]!r}"
    if sorted(theirs) == sorted(ours):
        raise InputError(
            f"--ckpt_path {path} {told}: the same classes in another order;\n"
            f"every figure would be of the wrong class: list the data's classes in the checkpoint's order"
        )
    raise InputError(f"--ckpt_path {path} {told};\nname the data that the checkpoint was trained on")


def refuse_other_network(state: Mapping[str, Tensor], model: nn.Module, path: str) -> None:
    """Checks that weights belong to a network: every name, every shape.

    Height and width of what a module calls `of_any_size` are the file's to decide: it may hold a mean image.

    Raises:
        InputError: Names the first parameter that is missing, unknown or of another shape.
    """
    own, of_any_size = model.state_dict(), _of_any_size(model)
    told = next(
        (
            f"{name} is {list(state[name].shape)} there and {list(value.shape)} here"
            for name, value in own.items()
            if name in state and not _fits(state[name], value, name in of_any_size)
        ),
        None,
    )
    missing, unknown = [name for name in own if name not in state], [name for name in state if name not in own]
    if missing:
        told = f"it has no {missing[0]} ({len(missing)} of {len(own)} names are missing)"
    elif unknown and not told:
        told = f"the network has no {unknown[0]} ({len(unknown)} names are too many)"
    if told:
        raise InputError(
            f"--ckpt_path {path} is of another network: {told};\n"
            "leave --config and the options of model out, and the file's own network is built"
        )


def _of_any_size(model: nn.Module) -> set[str]:
    """Names of the values whose height and width a file decides."""
    parts = model.named_modules()
    return {f"{name}.{value}".lstrip(".") for name, part in parts for value in getattr(part, "of_any_size", ())}


def _fits(theirs: Tensor, ours: Tensor, any_size: bool) -> bool:
    if any_size:
        return theirs.ndim == ours.ndim and theirs.shape[:-2] == ours.shape[:-2]
    return theirs.shape == ours.shape


def _refuse_without(content: Content, path: str, keys: Sequence[str]) -> None:
    for key in keys:
        if key not in content or not _STATE[key](content[key]):
            what = "is damaged" if key in content else "is missing"
            raise InputError(f"--ckpt_path {path}: {key} {what}, so nothing can go on from it; {_OURS}")


def _short(value: Any) -> str:
    return "missing" if value is None else f"a {type(value).__name__}"


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _are(values: Any, kind: Callable[[Any], bool]) -> bool:
    return isinstance(values, list | tuple) and all(kind(value) for value in values)


def _fault(value: Any) -> str | None:
    """The first thing in a value that no text file could hold; None where there is none."""
    for count, (part, levels) in enumerate(_parts(value, DEEPEST)):
        if levels == 0 or count == MOST_PARTS:
            return f"more than {DEEPEST} levels" if levels == 0 else f"more than {MOST_PARTS} values"
        if isinstance(part, str):
            part.encode()
        elif isinstance(part, int) and abs(part) > plain_json.LARGEST:
            return "a number beyond 64 bits"
        elif part is not None and not isinstance(part, int | float):
            return f"a {type(part).__name__}"
    return None


def _parts(value: Any, levels: int) -> Iterator[tuple[Any, int]]:
    """The keys and values below a value that have no parts themselves, each with the levels that are left."""
    if levels == 0 or not isinstance(value, dict | list | tuple):
        yield value, levels
        return
    for part in [*value, *value.values()] if isinstance(value, dict) else value:
        yield from _parts(part, levels - 1)


def _fault_of_origin(origin: Mapping[str, Any]) -> str | None:
    """The first entry of `origin` that nobody could look up: recipe and row are names, what changed a list of keys."""
    for name in ("recipe", "row"):
        if not isinstance(origin.get(name), str | None):
            return name
    return None if _are(origin.get("changed") or [], lambda key: isinstance(key, str)) else "changed"
