"""Whose a run's folder is: its `config.yaml` is executed, so it must be this user's own. No torch here.

Files that were unpacked or copied belong to the person who did that, and a digest beside a file is as easily written
as the file. A run's `run.json` therefore holds a seal: a digest of `config.yaml`, byte by byte, with a key that never
leaves the user's own files. A folder can be moved and copied, but not made by anybody else, nor changed.
"""

import hmac
import os
import secrets
from pathlib import Path

from lit_vision.errors import InputError
from lit_vision.runs.folder import RunFolder

KEY_BYTES = 32


def folder() -> Path:
    """`$LIT_VISION_STATE`, else `$XDG_STATE_HOME/lit_vision`, else `~/.local/state/lit_vision`; it need not exist."""
    named = os.environ.get("LIT_VISION_STATE")
    if named:
        return Path(named)
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "lit_vision"


def seal(run: RunFolder) -> str | None:
    """The seal of a run's configuration as it is on disk; None where the user has no place for a key."""
    key = _key()
    return hmac.new(key, run.config.read_bytes(), "sha256").hexdigest() if key else None


def refuse_foreign(run: RunFolder) -> None:
    """Checks that this user's `fit` or `test` wrote the folder's configuration, and that it was not changed since.

    Raises:
        InputError: Names what would be executed, and the option that vouches for it.
    """
    expected, found = seal(run), run.state.get("seal")
    owned = run.config.stat().st_uid == os.getuid()
    if not owned or expected is None or not isinstance(found, str) or not hmac.compare_digest(expected, found):
        raise InputError(
            f"{run.config} was changed, or is not from you on this machine, and whatever classes it names would run;\n"
            f"read it, then give it by --config {run.config}, or give --trust-code if you trust the person who wrote it"
        )


def _key() -> bytes | None:
    """The user's key, drawn at the first use; None where it cannot be kept."""
    file = folder() / "seal.key"
    try:
        return _read(file) or _draw(file)
    except OSError:
        return None


def _read(file: Path) -> bytes | None:
    """The key, if there is a whole one that nobody else could have put there."""
    try:
        handle = os.open(file, os.O_RDONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    with open(handle, "rb") as opened:
        key = opened.read(KEY_BYTES)
        owned = os.fstat(handle).st_uid == os.getuid()
    return key if owned and len(key) == KEY_BYTES else None


def _draw(file: Path) -> bytes | None:
    """Writes a new key beside its place and links it there: of two processes that do so at once, one wins."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    beside = file.with_name(f".{file.name}.{os.getpid()}.{secrets.token_hex(4)}")
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(handle, "wb") as opened:
        opened.write(secrets.token_bytes(KEY_BYTES))
    try:
        os.link(beside, file)
    except FileExistsError:
        pass  # another process was first, and its key counts
    finally:
        os.unlink(beside)
    return _read(file)
