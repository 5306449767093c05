"""What stays when the command line names another data class of the same kind. No torch here."""

import difflib
import re
from pathlib import Path
from typing import Any

from lit_vision.errors import InputError
from lit_vision.experiment import compose, signatures

_ANY_KIND = "lit_vision.data.module.DataModule"

_ROOMS = {"data": ("data",), "model": ("tasks",)}

# How images become batches. What belongs to one data set stays with it: where it is, which of its files are bad, which
# split is watched, whose proposals it has.
_OF_BATCHES = ("pipeline", "batch_size", "eval_batch_size", "max_per_device", "num_workers", "seed")


def carried(before: Any, value: Any) -> Any:
    """A data class named in the place of another, with the settings that say how images become batches.

    Boxes are one kind and images with one class each another. A row or a file that names another class says all of its
    settings itself.

    Args:
        before: The data that the configuration names.
        value: What is put in its place.

    Returns:
        `value` itself where it names no other class of the same kind.
    """
    old, new = compose.class_path(before), compose.class_path(value)
    if not old or not new or old == new or not compose.is_part(before):
        return value
    known = signatures.ancestry(new)
    shared = [path for path in signatures.ancestry(old) if path in known and signatures.is_abstract(path)]
    if not shared or shared[0] == _ANY_KIND:
        return value
    taken = signatures.parameters(new) or {}
    kept = {name: given for name, given in _given(before).items() if name in _OF_BATCHES and name in taken}
    return {"class_path": new, "init_args": kept | _given(value)}


def refuse_no_class(section: str, value: Any) -> None:
    """Checks that an option that names a section's class gives a class path.

    Raises:
        InputError: It is another word; names the class of this package that is called so.
    """
    if not isinstance(value, str) or compose.class_path(value):
        return
    package = Path(__file__).parents[1]
    found = (file for room in _ROOMS[section] for file in sorted((package / room).glob("*.py")))
    paths = {name: f"lit_vision.{file.parent.name}.{file.stem}.{name}" for file in found for name in _classes(file)}
    close = difflib.get_close_matches(value, paths, n=1)
    told = f"write {paths[close[0]]}" if close else f"write module and class, such as {next(iter(paths.values()))}"
    raise InputError(f"--{section} is {value!r}, which is no class path; {told}")


def _classes(file: Path) -> list[str]:
    return re.findall(r"^class (\w+)", file.read_text(encoding="utf-8"), re.M)


def _given(value: Any) -> compose.Config:
    return (value.get("init_args") or {}) if compose.is_part(value) else {}
