"""Which code ran: package version and, in a checkout, the commit. No torch here."""

import subprocess
from importlib import metadata
from pathlib import Path


def package() -> str:
    """Version of lit_vision."""
    return metadata.version("lit-vision")


def code() -> str:
    """Package version, with commit and a mark for uncommitted changes where this is a checkout."""
    root = Path(__file__).parents[2]
    commit = _git(root, "rev-parse", "--short=12", "HEAD") if (root / "pyproject.toml").is_file() else ""
    if not commit:
        return package()
    return f"{package()}+{commit}{'.dirty' if _git(root, 'status', '--porcelain', '-uno') else ''}"


def _git(root: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(["git", "-C", root, *arguments], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
