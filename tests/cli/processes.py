"""`lit-vision` in processes of their own that can be killed, forked from a server that has imported everything."""

import os
import signal
import sys
import time
from pathlib import Path

from tests import forking


def start(arguments, folder, log, crash=None, phases=None):
    """The command, started in `folder`; its output goes to the file `log`, and `phases` tells where it is."""
    process = forking.process(_command, [str(a) for a in arguments], str(folder), str(log), crash, phases)
    process.start()
    return process


def run(arguments, folder, log, crash=None, phases=None, limit=300):
    """Runs the command to its end; returns its exit code, negative for the signal that killed it."""
    process = start(arguments, folder, log, crash, phases)
    process.join(limit)
    return process.exitcode


def kill_in(process, phases, name, visit, seconds):
    """SIGKILL so many seconds after a phase was entered for that time; whether it was still running."""
    while process.exitcode is None and phases.entered(name) < visit:
        time.sleep(0.0005)
    process.join(seconds)
    process.kill()
    process.join()
    return process.exitcode == -signal.SIGKILL


def children(process, name):
    """Processes of that name that the command has started. Linux only."""
    found = []
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            fields = dict(line.split(":\t", 1) for line in status.read_text().splitlines() if ":\t" in line)
        except OSError:  # it ended in between
            continue
        if fields["PPid"].strip() == str(process.pid) and fields["Name"] == name:
            found.append(int(status.parent.name))
    return found


def signal_when(process, path, signum, limit=120):
    """Sends a signal once a file is there; returns the exit code."""
    ends = time.monotonic() + limit
    while not Path(path).exists() and process.exitcode is None and time.monotonic() < ends:
        time.sleep(0.01)
    os.kill(process.pid, signum)
    process.join(limit)
    return process.exitcode


def _command(arguments, folder, log, crash, phases):
    import torch

    from lit_vision import cli
    from lit_vision.runs import durable

    torch.set_num_threads(1)
    os.environ |= {"WANDB_MODE": "offline", "OMP_NUM_THREADS": "1"}
    os.chdir(folder)
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(file, 1)
    os.dup2(file, 2)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if crash is not None:
        durable.os = _KillAt(crash)
    if phases is None:
        sys.exit(cli.main(arguments))
    phases.watch()
    code = cli.main(arguments)
    phases.keep(f"{log}.phases")
    sys.exit(code)


class _KillAt:
    """`os`, with a SIGKILL right before the file operation of the given number."""

    OPERATIONS = ("mkdir", "open", "write", "fsync", "close", "replace", "unlink", "link")

    def __init__(self, number):
        self.left = number

    def __getattr__(self, name):
        if name in self.OPERATIONS:
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            self.left -= 1
        return getattr(os, name)
