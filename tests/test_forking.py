"""Processes of tests are forked with everything imported: else each of them would pay seconds for it."""

import json
import os
import sys
from pathlib import Path

from tests import forking

SETTING = "set_forkserver" + "_preload"


def test_the_modules_of_the_server_are_named_in_one_place():
    """Python has one server in a process, and the last module that names others would win."""
    files = (forking.ROOT / "tests").rglob("*.py")
    users = [str(file.relative_to(forking.ROOT)) for file in files if SETTING in file.read_text()]
    assert users == ["tests/forking.py"]


def tell(file):
    """Writes what a forked process has before it does anything, and the threads of the server it comes from."""
    threads = Path("/proc", str(os.getppid()), "task")
    number = len(list(threads.iterdir())) if threads.exists() else 1
    Path(file).write_text(json.dumps({"modules": sorted(sys.modules), "threads": number}))


def test_a_process_is_forked_with_all_that_commands_ranks_and_boards_import(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where the server could not import the tests
    monkeypatch.delenv("PYTHONPATH", raising=False)
    process = forking.process(tell, str(tmp_path / "found"))
    process.start()
    process.join()
    found = json.loads((tmp_path / "found").read_text())
    needed = {"lit_vision.session.session", "tests.distributed.commands", "tests.sweeps.boards", "wandb.apis.public"}
    assert needed - set(found["modules"]) == set()
    assert found["threads"] == 1  # others would leave their locks behind
