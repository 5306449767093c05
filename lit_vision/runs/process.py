"""Which process on which machine: tells the owner of a file from a later process of the same number. No torch."""

import contextlib
import os
import socket
from pathlib import Path


def machine() -> str:
    """This boot of this machine, and this container on it; the host's name alone where Linux does not say."""
    parts = [socket.gethostname()]
    with contextlib.suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
        parts.append(os.readlink("/proc/self/ns/pid"))
    return "/".join(parts)


def born(pid: int) -> str | None:
    """When a process began, in clock ticks since boot; None for none, for a zombie, and where Linux does not say."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields[19]
