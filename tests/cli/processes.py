"""`lit-vision` in processes of their own that can be killed, forked from a server that has imported everything."""

import multiprocessing
import os
import signal
import sys
import time
from pathlib import Path

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(
    [
        *("lit_vision.trainer_cli", "lit_vision.tasks.classification", "lit_vision.tasks.detection"),
        *("lit_vision.data.digits", "lit_vision.data.digit_scenes", "lit_vision.models.retinanet", "tests.faults"),
    ]
)


def start(arguments, folder, log, crash=None):
    """The command, started in `folder`; its output goes to the file `log`."""
    process = CONTEXT.Process(target=_command, args=([str(a) for a in arguments], str(folder), str(log), crash))
    process.start()
    return process


def run(arguments, folder, log, crash=None, limit=300):
    """Runs the command to its end; returns its exit code, negative for the signal that killed it."""
    process = start(arguments, folder, log, crash)
    process.join(limit)
    return process.exitcode


def kill_after(process, seconds):
    """SIGKILL after so many seconds; whether it was still running."""
    process.join(seconds)
    alive = process.exitcode is None
    if alive:
        process.kill()
    process.join()
    return alive


def signal_when(process, path, signum, limit=120):
    """Sends a signal once a file is there; returns the exit code."""
    ends = time.monotonic() + limit
    while not Path(path).exists() and process.exitcode is None and time.monotonic() < ends:
        time.sleep(0.01)
    os.kill(process.pid, signum)
    process.join(limit)
    return process.exitcode


def _command(arguments, folder, log, crash):
    import torch

    from lit_vision import cli, durable

    torch.set_num_threads(1)
    os.environ |= {"WANDB_MODE": "offline", "OMP_NUM_THREADS": "1"}
    os.chdir(folder)
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(file, 1)
    os.dup2(file, 2)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if crash is not None:
        durable.os = _KillAt(crash)
    sys.exit(cli.main(arguments))


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
