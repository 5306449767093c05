"""A folder for what can always be made again: nothing breaks where it is missing, damaged or cannot be written."""

import os
from pathlib import Path


def folder() -> Path:
    """`$LIT_VISION_CACHE`, else `$XDG_CACHE_HOME/lit_vision`, else `~/.cache/lit_vision`; it need not exist."""
    named = os.environ.get("LIT_VISION_CACHE")
    if named:
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lit_vision"


def write(path: Path, content: bytes) -> bool:
    """Writes a file whole or not at all, with its folders; whether that succeeded."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")  # ranks and runs may write at once
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(content)
        part.replace(path)
    except OSError:
        return False
    return True
