"""Who may work in a run's folder: one process, and after its death the next one at once."""

import contextlib
import json
import os
import signal
import subprocess
import sys

import pytest

from lit_vision.errors import InputError
from lit_vision.runs import lock, process

HOLD = """
import os, sys, time
from pathlib import Path
from lit_vision.runs import lock
held = lock.Claim(Path(sys.argv[1]))
if os.fork() == 0:  # a reader of the data, which outlives a killed parent for a while
    print("ready", flush=True)
    time.sleep(60)
time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the claim on the folder, with a child of its own."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True, process_group=0
    )
    assert process.stdout.readline() == "ready\n"
    yield process
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def test_a_second_process_is_refused(holder, tmp_path):
    with pytest.raises(InputError, match=f"is in use by process {holder.pid} on .*;\nwait until it is done, or name"):
        lock.Claim(tmp_path)


def test_a_killed_owner_s_claim_is_taken_over_at_once_and_told(holder, tmp_path, capsys):
    holder.kill()  # its child lives on
    holder.wait()
    lock.Claim(tmp_path).release()
    told = capsys.readouterr().err
    assert f"process {holder.pid} on " in told
    assert "is gone; taking over" in told


def test_what_was_given_back_is_taken_without_a_word(tmp_path, capsys):
    for _ in range(2):
        lock.Claim(tmp_path).release()
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("silence", [0, 2 * lock.STALE])
def test_another_host_s_claim_counts_while_it_is_renewed(tmp_path, capsys, silence):
    file = tmp_path / lock.FILE
    file.write_text(json.dumps({"host": "other", "machine": "other/boot", "pid": 7, "born": "1"}))
    stat = file.stat()
    os.utime(file, (stat.st_atime, stat.st_mtime - silence))
    if silence:
        lock.Claim(tmp_path).release()
        assert "process 7 on other worked in" in capsys.readouterr().err
    else:
        with pytest.raises(InputError, match="is in use by process 7 on other"):
            lock.Claim(tmp_path)


def test_a_live_owner_counts_where_files_cannot_be_locked(tmp_path, monkeypatch):
    def unsupported(*_):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(lock.fcntl, "flock", unsupported)
    parent = os.getppid()
    alive = {"host": "h", "machine": process.machine(), "pid": parent, "born": process.born(parent)}
    (tmp_path / lock.FILE).write_text(json.dumps(alive))
    with pytest.raises(InputError, match=f"is in use by process {parent} on h"):
        lock.Claim(tmp_path)
    (tmp_path / lock.FILE).write_text(json.dumps(alive | {"born": "1"}))
    lock.Claim(tmp_path).release()


def test_a_torn_claim_stands_in_nobody_s_way(tmp_path):
    (tmp_path / lock.FILE).write_text('{"host": "h", "pi')
    lock.Claim(tmp_path).release()


def test_other_ranks_share_the_claim_of_rank_zero(holder, tmp_path, monkeypatch):
    monkeypatch.setenv("LOCAL_RANK", "1")
    lock.Claim(tmp_path).release()
