"""One process at a time works in a run's folder: its claim, and what becomes of the claim of one that is gone.

The claim is a locked file, `.owner`, that says who holds it. The kernel gives the lock back however its holder ends, so
after `kill -9` the next one can begin at once. Locks may not reach from host to host; there the claim's text counts
while its holder renews it. The other ranks of a launch share the claim of rank zero. No torch here.
"""

import contextlib
import fcntl
import json
import os
import socket
import threading
import time
from pathlib import Path
from typing import Any

from lit_vision import console, launch
from lit_vision.errors import InputError
from lit_vision.runs import durable, plain_json, process

FILE = ".owner"
BEAT = 30.0  # seconds between two signs of life
STALE = 300.0  # seconds of silence after which the claim of another host counts no more


class Claim:
    """This process's claim on a folder that exists, held until `release` or the process's end.

    Args:
        folder: The run's folder.

    Raises:
        InputError: If another process works there; names it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._handle: int | None = None
        self._done = threading.Event()
        if launch.rank() == 0:
            self._take()

    def release(self) -> None:
        """Gives the folder back; does nothing where it is not held."""
        self._done.set()
        if self._handle is not None:
            with contextlib.suppress(OSError):
                os.truncate(self._handle, 0)
            os.close(self._handle)
            self._handle = None

    def _take(self) -> None:
        try:
            handle = os.open(self.folder / FILE, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
        except OSError as error:
            raise durable.told(error, self.folder / FILE) from error
        locked, before = _lock(handle), _read(handle)
        if not locked or _is_alive(before, time.time() - os.fstat(handle).st_mtime):
            os.close(handle)
            raise InputError(
                f"{self.folder} is in use by {_name(before)};\n"
                "wait until it is done, or name another folder with --run DIR"
            )
        if before:
            console.say(f"{_name(before)} worked in {self.folder} and is gone; taking over")
        self._handle = handle
        _write(handle)
        # Readers of the data are forked: they must not hold the lock when this process has been killed.
        os.register_at_fork(after_in_child=self._forget)
        threading.Thread(target=self._beat, args=(handle,), daemon=True).start()

    def _forget(self) -> None:
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def _beat(self, handle: int) -> None:
        while not self._done.wait(BEAT):
            with contextlib.suppress(OSError):
                os.utime(handle)


def _lock(handle: int) -> bool:
    """Locks an open file; False if another process holds it. A file system without locks is taken as unlocked."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def _is_alive(claim: dict[str, Any], silence: float) -> bool:
    """Whether a claim that is not locked still counts: where locks do not reach.

    Args:
        claim: Empty where there is none, or it was given back.
        silence: Seconds since its holder gave a sign of life.
    """
    if not claim:
        return False
    if claim.get("machine") == process.machine() and claim.get("born") is not None:
        return claim.get("pid") != os.getpid() and process.born(claim.get("pid", 0)) == claim["born"]
    return claim.get("host") != socket.gethostname() and silence < STALE


def _read(handle: int) -> dict[str, Any]:
    """What a claim says; empty for one that was given back, or that a kill cut short."""
    try:
        content = plain_json.parse(os.pread(handle, 4096, 0))
    except (ValueError, OSError):  # the latter of a pipe in its place
        return {}
    return content if isinstance(content, dict) else {}


def _write(handle: int) -> None:
    pid = os.getpid()
    claim = {"host": socket.gethostname(), "machine": process.machine(), "pid": pid, "born": process.born(pid)}
    with contextlib.suppress(OSError):  # on a full disk the lock alone must do
        os.truncate(handle, 0)
        os.pwrite(handle, json.dumps(claim).encode(), 0)


def _name(claim: dict[str, Any]) -> str:
    return f"process {claim['pid']} on {claim['host']}" if {"pid", "host"} <= claim.keys() else "another process"
