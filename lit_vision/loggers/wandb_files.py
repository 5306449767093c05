"""Where W&B keeps its files, whether it goes online, and how long it may take. No torch here.

Everything that W&B writes for a run lies below the run's `wandb/`, nothing in the user's home:

    offline-run-*, run-*   what one process logged, as W&B lays it out
    staging/               files of tables and artifacts until they are sent; an offline piece refers to them
    cache/                 copies of what was sent, and the logs of W&B's service; at most `CACHE_BYTES`
    artifacts/             where W&B puts what is downloaded
"""

import netrc
import os
from pathlib import Path
from typing import Literal
from urllib.parse import urlparse

import wandb

Mode = Literal["auto", "online", "offline", "disabled"]

INIT_SECONDS = 30
FINISH_SECONDS = 60
ARTIFACT_SECONDS = 600  # checkpoints are large, and were asked for
CACHE_BYTES = 256 * 2**20

_FOLDERS = {"WANDB_CACHE_DIR": "cache", "WANDB_DATA_DIR": "staging", "WANDB_ARTIFACT_DIR": "artifacts"}
_ours: dict[str, str] = {}  # what this process has set, to tell it from what the user has


def chosen_mode(mode: Mode) -> str:
    """`auto` is online with a key and offline without; the environment's `WANDB_MODE` takes precedence."""
    if not os.environ.get("WANDB_MODE"):
        os.environ.pop("WANDB_MODE", None)  # W&B refuses to start when it is there but empty
    return os.environ.get("WANDB_MODE") or (_mode_by_key() if mode == "auto" else mode)


def settings(finish_seconds: float = FINISH_SECONDS) -> wandb.Settings:
    """Settings of every run: W&B may neither capture the terminal nor wait without a bound."""
    # `console` would capture the terminal, which the progress bar needs; `silent` keeps W&B's banner out of ours.
    chosen = wandb.Settings(console="off", silent=True, init_timeout=INIT_SECONDS)
    if hasattr(chosen, "finish_timeout"):  # older releases lack it, and wait for the upload
        chosen.finish_timeout = finish_seconds
    return chosen


def keep_local(folder: Path) -> None:
    """Points W&B's caches below a run's folder, before its service starts; where the user has named others, they stay.

    Args:
        folder: The run's folder.
    """
    for name, below in _FOLDERS.items():
        if os.environ.get(name) in (None, "", _ours.get(name)):
            # Absolute: an offline piece names staged files by their path, and the service has its own directory.
            _ours[name] = os.environ[name] = str((folder / "wandb" / below).resolve())


def cap(folder: Path, limit: int = CACHE_BYTES) -> int:
    """Trims a run's cache, what was used longest ago first; a cache that the user has placed is not ours to trim.

    Staged files are left alone: an offline piece that was not sent yet refers to them.

    Args:
        folder: The run's folder.
        limit: Bytes that may stay.

    Returns:
        Bytes removed.
    """
    files = [(path, path.stat()) for path in (folder / "wandb" / "cache").rglob("*") if path.is_file()]
    excess = sum(stat.st_size for _, stat in files) - limit
    removed = 0
    for path, stat in sorted(files, key=lambda entry: (entry[1].st_atime, str(entry[0]))):
        if removed >= excess:
            break
        path.unlink(missing_ok=True)
        removed += stat.st_size
    return removed


def _mode_by_key() -> Mode:
    """Online with an API key in the environment or in netrc, where `wandb login` puts it; else offline.

    W&B's own look-up may prompt or ask the network, depending on its release.
    """
    host = urlparse(os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai")).netloc
    try:
        stored = netrc.netrc(os.environ.get("NETRC")).hosts.get(host)  # not its `default`, which is for no host
    except (OSError, netrc.NetrcParseError):
        stored = None
    return "online" if os.environ.get("WANDB_API_KEY") or stored else "offline"
