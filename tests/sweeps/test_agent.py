"""The agent with children that are small shell scripts: what each way of ending is recorded as."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from lit_vision.runs import process
from lit_vision.sweeps import agent, child, lease
from lit_vision.sweeps.agent import Agent, Settings
from lit_vision.sweeps.board import State
from tests.sweeps.boards import grid, opened

LOG = """echo '{"step": %s, "time": 0, "val/error": %s}' >> metrics.jsonl"""
GOOD = LOG % (1, 5.5)
STEADY = "trap 'exit 75' TERM; touch steady; for i in $(seq 1500); do sleep 0.02; done"


@pytest.fixture(autouse=True)
def _fast(monkeypatch):
    monkeypatch.setattr(agent, "TICK", 0.02)


@pytest.fixture
def work(tmp_path):
    """Runs an agent whose trials are these scripts, one a point; a list of scripts is for one attempt after another."""

    def run(*scripts, board=None, **settings):
        board = board or opened(tmp_path / "study.journal", **grid(len(scripts)))
        begun = []

        def start(words, place, environment):
            point = int(place.name)
            script = scripts[point]
            if not isinstance(script, str):
                script = script[sum(number == point for number in begun)]
            got = child.start(["sh", "-c", f"cd {place}; {script}"], place, environment)
            if got:
                begun.append(point)
            return got

        one = Agent("s", board, tmp_path / "runs", Settings(start=start, **settings))
        return one.run(), board, begun

    return run


def when(there, action, after=0.0):
    """Does something, in a thread, once a file is there."""

    def wait():
        while not there.exists():
            time.sleep(0.01)
        time.sleep(after)
        action()

    threading.Thread(target=wait, daemon=True).start()


def states(board):
    return [str(trial.state) for trial in board.trials()]


def test_values_failures_and_signals(work, capsys):
    code, board, begun = work(
        f"{LOG % (1, 9)}; {GOOD}",
        "echo one; echo 'ValueError: two' >&2; exit 1",
        ("exit 75", GOOD),
        (GOOD.replace("5.5", "7") + "; kill -9 $$", ":"),
        "exit 0",
        LOG % (1, "NaN"),
        "kill -9 $$",
    )
    trials = board.trials()
    assert code == 0
    assert states(board) == ["finished", "failed", "finished", "finished", "failed", "failed", "failed"]
    assert [trials[point].value for point in (0, 2, 3)] == [5.5, 5.5, 7]
    assert trials[1].failure == "one\nValueError: two"
    assert "ended without a finite val/error" in trials[4].failure
    assert "ended without a finite val/error" in trials[5].failure
    assert trials[6].failure.startswith("killed by SIGKILL")
    assert [begun.count(point) for point in range(7)] == [1, 1, 2, 2, 1, 1, agent.CRASHES]
    assert "s 001 [x=1] failed: ValueError: two" in capsys.readouterr().out


def test_a_misspelt_metric_names_the_one_that_may_have_been_meant(work):
    _, board, _ = work(GOOD.replace("val/error", "val/errors"))
    assert board.trials()[0].failure == "it ended without a finite val/error; did you mean 'val/errors'?"


def test_a_command_that_does_not_start_fails_its_trial_alone(tmp_path):
    board = opened(tmp_path / "study.journal", **grid(2))

    def start(words, place, environment):
        if place.name == "000":
            raise OSError("no such program")
        return child.start(["sh", "-c", f"cd {place}; {GOOD}"], place, environment)

    assert Agent("s", board, tmp_path / "runs", Settings(start=start)).run() == 0
    assert states(board) == ["failed", "finished"]


def test_what_a_trial_is_told(work, tmp_path):
    work("env > environment; " + GOOD)
    told = (tmp_path / "runs" / "000" / "environment").read_text()
    assert 'LIT_VISION_SWEEP={"name": "s", "trial": 0, "parameters": {"x": 0}, "metric": ' in told
    assert "LIT_VISION_RUN=" not in told


def test_jobs_run_at_the_same_time(work):
    meet = "touch here; until [ -e ../%s/here ]; do sleep 0.02; done; "
    _, board, _ = work(meet % "001" + GOOD, meet % "000" + GOOD, jobs=2)
    assert states(board) == ["finished", "finished"]


def test_count_ends_an_agent_early(work):
    _, board, begun = work(GOOD, GOOD, GOOD, count=2)
    assert begun == [0, 1]
    assert states(board) == ["finished", "finished", "waiting"]


def test_a_bad_trial_is_pruned_by_sigterm(work, tmp_path):
    early = {"type": "hyperband", "min_iter": 1, "eta": 2}
    board = opened(tmp_path / "study.journal", **grid(2), early_terminate=early)
    _, board, _ = work(GOOD, f"{GOOD.replace('5.5', '8')}; {STEADY}", board=board)
    assert [(trial.state, trial.value) for trial in board.trials()] == [(State.FINISHED, 5.5), (State.PRUNED, 8.0)]


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 75)])
def test_an_agent_that_is_stopped_stops_its_trials_and_queues_them_again(work, tmp_path, signum, code):
    when(tmp_path / "runs" / "000" / "steady", lambda: os.kill(os.getpid(), signum))
    got, board, _ = work(STEADY, GOOD)
    assert got == code
    assert states(board) == ["waiting", "waiting"]
    _, board, begun = work(GOOD, GOOD, board=board)
    assert begun == [0, 1]
    assert [trial.attempts for trial in board.trials()] == [1, 0]


def test_a_second_signal_kills(work, tmp_path):
    for seconds in (0, 0.4):
        when(tmp_path / "runs" / "000" / "steady", lambda: os.kill(os.getpid(), signal.SIGINT), seconds)
    began = time.monotonic()
    got, board, _ = work(STEADY.replace("exit 75", ""))
    assert (got, states(board)) == (130, ["waiting"])
    assert time.monotonic() - began < 25


def test_a_silent_owner_s_trial_is_taken_over_and_the_owner_lets_go(work, tmp_path, monkeypatch, capsys):
    """The first agent hangs for longer than a lease; its child lives on and keeps the folder until it is gone."""
    place = tmp_path / "study.journal"
    silent = opened(place, **grid(1))
    silent.fill()
    trial = silent.claim()
    silent.storage.set_trial_user_attr(trial.id, "lease", lease.sign(0) | {"machine": "elsewhere"})
    orphan = child.start(["sleep", "2"], tmp_path / "runs" / "000", dict(os.environ))
    began = time.monotonic()
    _, board, begun = work(GOOD, board=opened(place, **grid(1)), lease=0.3)
    assert time.monotonic() - began > 1
    assert orphan.code() == 0
    assert (begun, states(board), board.trials()[0].attempts) == ([0], ["finished"], 1)
    told = capsys.readouterr().out
    assert "queued again" in told
    assert "still works in its folder" in told


def test_a_taken_over_trial_s_child_is_killed(work, tmp_path, capsys):
    other = opened(tmp_path / "study.journal", **grid(1))

    def steal():
        other.fail(other.trials()[0], "taken")

    when(tmp_path / "runs" / "000" / "steady", steal)
    _, board, _ = work(STEADY, lease=0.3)
    assert [trial.failure for trial in board.trials()] == ["taken"]
    assert "was taken over by another agent" in capsys.readouterr().out


def test_a_child_is_asked_to_leave_when_its_agent_is_killed(tmp_path):
    script, place = f"cd {tmp_path}; {STEADY}", str(tmp_path)
    code = (
        "import os, sys, time; from pathlib import Path; from lit_vision.sweeps import child\n"
        f"got = child.start(['sh', '-c', {script!r}], Path({place!r}), dict(os.environ))\n"
        "print(got.process.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        pid = int(parent.stdout.readline())
        while not (tmp_path / "steady").exists():
            time.sleep(0.01)
        parent.kill()
    deadline = time.monotonic() + 10
    while (handle := lease.lock(tmp_path)) is None and time.monotonic() < deadline:
        time.sleep(0.02)
    assert handle is not None
    os.close(handle)
    assert not process.born(pid)


@pytest.mark.parametrize(
    ("jobs", "own", "expected"), [(1, None, "unset"), (2, None, "3"), (4, None, "1"), (9, None, "1"), (2, "5", "5")]
)
def test_trials_share_the_cores_unless_the_user_says_how(work, tmp_path, monkeypatch, jobs, own, expected):
    monkeypatch.setattr(agent.os, "sched_getaffinity", lambda _: set(range(6)), raising=False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if own:
        monkeypatch.setenv("OMP_NUM_THREADS", own)
    code, _, _ = work(f"echo ${{OMP_NUM_THREADS:-unset}} > threads; {GOOD}", jobs=jobs)
    assert code == 0
    assert (tmp_path / "runs" / "000" / "threads").read_text().strip() == expected
