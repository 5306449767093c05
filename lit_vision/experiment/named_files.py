"""Files of weights whose names tell their content, as `resnet20-12fca82f.th` its SHA-256 digits. No torch here."""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_DIGITS = re.compile(r"-([0-9a-f]{8,64})\.\w+$")
_KEY = "weights"


def places(named: Mapping[str, Any], given: Mapping[str, Any]) -> set[str]:
    """Dotted keys at which a path leads to the very file that a recipe names: it says where, and changes nothing.

    Args:
        named: Leaves of the recipe.
        given: Leaves of what was asked for; a name without a folder, such as `net.th`, looks like a class path.
    """
    found = set()
    for key, name in named.items():
        for spelled in (key, f"{key}.class_path"):
            if key.rpartition(".")[2] == _KEY and spelled in given and _is_there(name, given[spelled]):
                found |= {key, spelled}
    return found


def _is_there(name: Any, path: Any) -> bool:
    digits = _DIGITS.search(name) if isinstance(name, str) else None
    if digits is None or not isinstance(path, str) or not Path(path).expanduser().is_file():
        return False
    with Path(path).expanduser().open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest().startswith(digits[1])
