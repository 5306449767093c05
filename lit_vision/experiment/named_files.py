"""Paths that say where something is, and change nothing of an experiment. No torch here.

They are files of weights whose names tell their content, as `resnet20-12fca82f.th` its SHA-256 digits, and the files of
a user's own data.
"""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lit_vision import files

_DIGITS = re.compile(r"-([0-9a-f]{8,64})\.\w+$")
_KEY = "weights"

_SPLITS = ("train", "val", "test")
_OF_OWN_DATA = {
    "lit_vision.data.coco.CocoFormat": tuple(f"data.{split}{kind}" for kind in ("", "_images") for split in _SPLITS)
}  # what `data.root` is for data in one folder


def places(named: Mapping[str, Any], given: Mapping[str, Any]) -> set[str]:
    """Dotted keys at which a path leads to the very file that a recipe names, or to own data as `data.root` does.

    Args:
        named: Leaves of the recipe.
        given: Leaves of what was asked for; a name without a folder, such as `net.th`, looks like a class path.
    """
    found = {spelled for key in _own_files(named, given) for spelled in (key, f"{key}.class_path")}
    for key, name in named.items():
        for spelled in (key, f"{key}.class_path"):
            if key.rpartition(".")[2] == _KEY and spelled in given and _is_there(name, given[spelled]):
                found |= {key, spelled}
    return found


def _own_files(named: Mapping[str, Any], given: Mapping[str, Any]) -> list[str]:
    """The keys of the files of own data; a split that is left out, or taken in, is another experiment."""
    kind = given.get("data.class_path")
    keys = _OF_OWN_DATA.get(str(kind), ()) if named.get("data.class_path") == kind else ()
    return [key for key in keys if given.get(key, given.get(f"{key}.class_path", "")) is not None]


def _is_there(name: Any, path: Any) -> bool:
    digits = _DIGITS.search(name) if isinstance(name, str) else None
    if digits is None or not isinstance(path, str) or not files.is_there(Path(path).expanduser()):
        return False
    with Path(path).expanduser().open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest().startswith(digits[1])
