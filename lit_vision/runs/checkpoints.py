"""Checkpoints on disk: written so that no kill tears them, read safely, and with the configuration they carry.

    checkpoints/
        last.ckpt          the newest state, which a run continues from
        previous.ckpt      the one before; what it continues from if `last.ckpt` is damaged or gone
        last.safetensors   weights alone, once training is done
        best-STEP.ckpt, step-STEP.ckpt   the best and the milestones, if asked for; each with its .safetensors

A run's files are named by nothing but their place in this folder, so it can be moved or copied as a whole.
"""

import copy
import difflib
import errno
import hashlib
import re
import zipfile
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import safetensors.torch
import torch

from lit_vision import console, files, launch
from lit_vision.errors import InputError
from lit_vision.experiment import trust
from lit_vision.experiment.compose import Config
from lit_vision.runs import contents, durable

LAST, PREVIOUS, DAMAGED = "last.ckpt", "previous.ckpt", "damaged.ckpt"
# In torch's reports on a file that it does not load.
_GLOBAL = re.compile(r"GLOBAL ([\w.]+)|[Uu]nsupported (?:class|global) ([\w.]+)")
_ADVICE = re.compile(r"This file can still be loaded|Please file an issue|weights_only")

MARK = b"sha256 of all before:"

_NO_DOWNLOADS = {"weights": None, "download": False}


def read(path: str) -> dict[str, Any]:
    """A checkpoint's content; only tensors and plain types are ever unpickled.

    Raises:
        InputError: If there is no such file, it is no readable checkpoint, or holds more than tensors and plain types;
            if its configuration holds what no text file could.
    """
    try:
        files.refuse_other(path)
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except FileNotFoundError:
        raise InputError(f"--ckpt_path {path}: there is no such file{_nearby(Path(path))}") from None
    except IsADirectoryError:
        raise InputError(f"--ckpt_path {path}: a folder; name a checkpoint's file{_nearby(Path(path))}") from None
    except OSError as error:
        raise InputError(f"--ckpt_path {path}: {error.strerror or error}") from None
    except Exception as error:
        raise InputError(f"--ckpt_path {path}: {_unreadable(error)}") from None
    if not isinstance(content, dict):
        raise InputError(f"--ckpt_path {path}: no checkpoint, it holds a {type(content).__name__}")
    contents.refuse_unlike_text(content, path)
    return content


def _nearby(path: Path) -> str:
    """The end of a message that a path is no checkpoint: the nearest that lies beside it or below it."""
    folder = path if path.is_dir() else path.parent
    there = [*folder.glob("*.ckpt"), *folder.glob(f"checkpoints/{LAST}")]
    by_name = {file.name: file for file in sorted(there)}
    close = difflib.get_close_matches(path.name, by_name, n=1, cutoff=0.5) or [name for name in by_name if name == LAST]
    return f"; did you mean {by_name[close[0]]}?" if close else ""


def _unreadable(error: Exception) -> str:
    """Why a file was not loaded; torch's own report goes on with how to load it in spite of that."""
    text = str(error)
    if found := _GLOBAL.search(text):
        return f"it is not opened, because it names {found[1]}, and what is no tensor and no plain value can run code"
    first = (_ADVICE.split(text)[0].strip().splitlines() or [""])[0] or type(error).__name__
    return f"not a readable checkpoint ({first[:200]})"


def verify(path: Path) -> None:
    """Reads a checkpoint back whole: every byte against the digest at its end, and that torch can load it.

    A file without a digest is held to the checksums of its records, which torch writes but does not look at.

    Raises:
        OSError: If it cannot be opened, or is torn or altered.
    """
    try:
        intact = _matches_digest(path)
        if intact is None:
            with zipfile.ZipFile(path) as archive:
                intact = archive.testzip() is None
        torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except OSError:
        raise
    except Exception as error:
        raise durable.TornError(errno.EIO, f"does not read back: {console.first_line(error)}") from None
    if not intact:
        raise durable.TornError(errno.EIO, "does not read back: its content was altered")


def _write(content: dict[str, Any], file: BinaryIO) -> None:
    """A checkpoint as torch writes it, and behind it a digest, over which readers of zip files pass."""
    digest = _Digest(file)
    torch.save(content, digest)  # type: ignore[arg-type]  # it asks for no more than `write` and `flush`
    file.write(MARK + digest.hash.digest())


class _Digest:
    """Passes bytes on to a file and sums them up."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.hash = hashlib.sha256()

    def write(self, data: bytes) -> int:
        self.hash.update(data)
        return self.file.write(data)

    def flush(self) -> None:
        """The digest is yet to come; the file's owner flushes all of it."""


def _matches_digest(path: Path) -> bool | None:
    """Whether the content is what the digest says; None if there is none."""
    content = max(0, path.stat().st_size - len(MARK) - hashlib.sha256().digest_size)
    total = hashlib.sha256()
    with path.open("rb") as file:
        for start in range(0, content, durable.BUFFER):
            total.update(file.read(min(durable.BUFFER, content - start)))
        end = file.read()
    return end[len(MARK) :] == total.digest() if end.startswith(MARK) else None


def write(path: Path, content: dict[str, Any]) -> None:
    """Writes a checkpoint; a `last.ckpt` that it replaces becomes `previous.ckpt`.

    At every instant one of the two is whole.

    Raises:
        InputError: If the disk is full, or the folder cannot be written to or is gone.
    """
    beside = durable.write(path, partial(_write, content), verify)
    if path.name == LAST and path.is_file():
        durable.put(path, path.with_name(PREVIOUS))
    durable.put(beside, path)


def export_weights(path: Path) -> None:
    """Writes a checkpoint's weights beside it as safetensors, which anything can read.

    Raises:
        InputError: See `write`.
    """
    state = read(str(path))["state_dict"]
    data = safetensors.torch.save({name: value.contiguous().clone() for name, value in state.items()})
    weights = path.with_suffix(".safetensors")
    durable.put(durable.write(weights, lambda file: file.write(data), safetensors.torch.load_file), weights)


def recover(folder: Path) -> Path | None:
    """The checkpoint to continue from, proven readable; None if none was ever written.

    Where `last.ckpt` is damaged or gone, `previous.ckpt` takes its place, with a message.

    Raises:
        InputError: If there are checkpoints, but none can be read.
    """
    last, previous = folder / LAST, folder / PREVIOUS
    if launch.rank() > 0:
        # Rank zero may be renaming at this moment: first one name, then the other.
        return last if previous.exists() or last.exists() else None
    fault = _fault(last)
    if fault is None:
        return last
    if not last.exists() and not previous.exists():
        return None
    if (other := _fault(previous)) is not None:
        raise InputError(
            f"no checkpoint of {folder} can be read: {LAST} {fault}; {PREVIOUS} {other};\n"
            f"restore one of them, or start another run"
        )
    console.say(f"warning: {last} {fault}; going on from the checkpoint before it, {previous.name}")
    if last.exists():
        durable.put(last, folder / DAMAGED)
    durable.put(previous, last)
    return last


def _fault(path: Path) -> str | None:
    """What is wrong with a checkpoint, None if nothing is."""
    try:
        verify(path)
    except FileNotFoundError:
        return "is missing"
    except OSError as error:
        return error.strerror or str(error)
    return None


def configuration(content: dict[str, Any], path: str, trust_code: bool) -> Config:
    """The resolved configuration that `lit-vision fit` put into a checkpoint.

    It must not ask for downloads: its `weights:` are null, because the checkpoint brings its own, and its data are
    those that are there already.

    Raises:
        InputError: If it carries none, or one that is incomplete, or names what is not on the list of `trust`.
    """
    config = contents.configuration(content, path)
    cleaned: Config = without_downloads(copy.deepcopy(config) if trust_code else trust.configuration(config, path))
    return cleaned


def pipeline(content: dict[str, Any], path: str, trust_code: bool) -> Any:
    """The configuration of the pipeline that prepares an image for the network of a checkpoint.

    Raises:
        InputError: See `configuration`.
    """
    config = contents.carried(content).get("pipeline")
    return config if trust_code else trust.pipeline(config, path)


def without_downloads(config: Any) -> Any:
    """A configuration whose `weights:` are null and whose `download:` are false, at every depth."""
    if isinstance(config, dict):
        return {key: _NO_DOWNLOADS.get(key, without_downloads(value)) for key, value in config.items()}
    return [without_downloads(value) for value in config] if isinstance(config, list) else config
