"""The fork server of a test process: what it has imported, the processes that it forks need not import again.

Python has one such server in each process, and whoever names its modules last names them for all. So they are named
here alone, and every test that needs processes of its own takes them from `CONTEXT`.
"""

import contextlib
import multiprocessing
from multiprocessing import forkserver
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["tests.preloaded"])


# How W&B tells child processes of the service of their parent, which they would use instead of one of their own.
SERVICE = "WANDB_SERVICE"


def process(target, *arguments):
    """A process, not yet started; the first one starts the server, in the folder from which it can import `tests`.

    The server keeps the environment that it starts with, for all processes that it forks.
    """
    with contextlib.chdir(ROOT), pytest.MonkeyPatch.context() as patch:
        patch.delenv(SERVICE, raising=False)
        forkserver.ensure_running()
    return CONTEXT.Process(target=target, args=arguments)


def warm():
    """Waits until the server has imported everything: what is timed afterwards are the commands alone."""
    first = process(int)
    first.start()
    first.join()
