"""Who works on a trial, and how others notice that nobody does any more. No torch here.

The owner beats: it counts a number up. Another agent that sees no change for the length of a lease, by its own clock,
takes the trial over, so clocks of different machines need not agree. On the owner's machine a dead process is noticed
at once.
"""

import fcntl
import os
import socket
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lit_vision.runs import process

SECONDS = 120.0

Lease = dict[str, Any]


def sign(beat: int) -> Lease:
    """This process's lease at its n-th beat."""
    pid = os.getpid()
    return {
        "owner": f"{socket.gethostname()}:{pid}",
        "machine": process.machine(),
        "pid": pid,
        "born": process.born(pid),
        "beat": beat,
        "time": round(time.time(), 1),
    }


@dataclass
class Watch:
    """What one agent has seen of the others' leases.

    Attributes:
        seconds: Length of a lease.
    """

    seconds: float = SECONDS
    _seen: dict[int, tuple[Any, float]] = field(default_factory=dict)

    def lapsed(self, trial: int, lease: Lease) -> bool:
        """Whether the owner of a running trial is gone; `lease` is empty if it died before it signed."""
        if is_dead(lease):
            return True
        signature, now = (lease.get("owner"), lease.get("beat")), time.monotonic()
        before, since = self._seen.setdefault(trial, (signature, now))
        if before != signature:
            self._seen[trial] = (signature, now)
            return False
        return now - since > self.seconds


def is_dead(lease: Lease) -> bool:
    """Whether the owner ran on this very machine and is gone; a process number that was given again is not it."""
    if lease.get("machine") != process.machine() or lease.get("born") is None:
        return False
    return bool(process.born(lease["pid"]) != lease["born"])


def lock(folder: Path) -> int | None:
    """Locks a run's folder for a child that inherits the file; None while another process holds it.

    The kernel keeps the lock until the last process that has the file open is gone, however it ends: an orphan of a
    killed agent keeps its folder. A file system without locks is taken as unlocked.
    """
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    except OSError:
        return handle
    return handle
