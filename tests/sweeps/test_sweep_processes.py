"""A sweep of the quickstart by two agents, real processes, one of them killed: every point is done, and done once."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from optuna.trial import TrialState

from lit_vision.runs import folder as runs
from lit_vision.sweeps import definition, points, storage
from lit_vision.sweeps.board import Board

STEPS = 20
SHORT = (
    *("--trainer.max_steps", str(STEPS), "--trainer.val_check_interval", "10", "--trainer.log_every_n_steps", "2"),
    *(
        "--trainer.logger",
        "false",
        "--trainer.accelerator",
        "cpu",
        "--checkpoint.every",
        "5",
        "--data.batch_size",
        "16",
    ),
)
LIMIT = 600  # seconds


@pytest.fixture
def agents(tmp_path):
    """Starts agents; whatever is left of them goes with the test."""
    started = []

    def start(verb, *arguments):
        line = [sys.executable, "-m", "lit_vision", "sweep", verb, "digits", "--storage", "study.db", *arguments]
        environment = os.environ | {"OMP_NUM_THREADS": "1", "WANDB_MODE": "offline"}
        log = (tmp_path / f"agent{len(started)}.log").open("w")
        started.append(subprocess.Popen(line, cwd=tmp_path, env=environment, stdout=log, stderr=log))
        return started[-1]

    yield start
    for process in started:
        for child in children(process):
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        process.kill()
        process.wait()


def children(process):
    """Process numbers of an agent's trials."""
    try:
        return [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]
    except OSError:
        return []


def trial_in_hand(process, folder, besides=()):
    """The run folder that an agent's trial works in, once it has a checkpoint to continue from."""
    deadline = time.monotonic() + LIMIT
    while time.monotonic() < deadline:
        for child in children(process):
            with contextlib.suppress(OSError):
                words = Path(f"/proc/{child}/cmdline").read_text().split("\0")
                run = runs.RunFolder(Path(words[words.index("--run") + 1])) if "--run" in words else None
                if run and run.last.is_file() and not run.finished and run.path not in besides:
                    return run.path
        time.sleep(0.02)
    pytest.fail(f"no trial began: {[file.read_text() for file in folder.glob('agent*.log')]}")


def kill(process, with_trial):
    """SIGKILL to an agent, and to its trial before it can save anything more."""
    for child in children(process) if with_trial else ():
        os.kill(child, signal.SIGKILL)
    process.kill()
    process.wait()


def plan(folder, **change):
    """The board of the sweep, as the study in the folder tells it."""
    sweep = definition.parse(definition.load(definition.find("digits")).content | change, "digits.yaml")
    return Board(storage.open_storage(str(folder / "study.db")), "digits", sweep, points.enumerate_all(sweep))


def check(board, folder, killed):
    """Every planned point is finished once, and the killed ones went on from where they had saved."""
    trials = board.trials()
    assert [(trial.point, str(trial.state)) for trial in trials] == [(n, "finished") for n in range(len(board.plan))]
    assert [trial.values for trial in trials] == [point.values for point in board.plan]
    finished = [trial for trial in board.study.trials if trial.state is TrialState.COMPLETE]
    assert len(finished) == len(board.plan)
    assert len(list(folder.glob("runs/sweeps/digits/*/result.json"))) == len(board.plan)
    for trial in trials:
        path = folder / "runs" / "sweeps" / "digits" / f"{trial.point:03}"
        state, result = (json.loads((path / name).read_text()) for name in ("run.json", "result.json"))
        ranked = {"metric": board.sweep.metric, "goal": board.sweep.goal}
        assert state["sweep"] == {"name": "digits", "trial": trial.point, "parameters": trial.values} | ranked
        assert result["sweep"] == state["sweep"]
        assert result["steps"] == STEPS
        check_figures(path, path in killed)
        assert trial.attempts == (path in killed)


def check_figures(path, killed):
    """Training was logged once for every step, by one writer at a time."""
    steps = [line["step"] for line in runs.read_metrics(path / "metrics.jsonl") if "train/loss" in line]
    assert steps == list(range(1, STEPS, 2)) or steps == list(range(2, STEPS + 1, 2)), steps
    raw = [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]
    resumed = [index for index, line in enumerate(raw) if runs.RESUMED in line]
    assert len(resumed) == killed
    if killed:
        assert raw[resumed[0]][runs.RESUMED] > 0
        assert "continuing" in (path / "trial.log").read_text()
        after = [line["step"] for line in raw[resumed[0] + 1 :]]
        assert after == sorted(after)


def finish(process):
    assert process.wait(LIMIT) == 0


def test_the_other_agent_continues_what_a_killed_one_had_in_hand(agents, tmp_path):
    """Four points; agent and trial are killed together, and the trial goes on from its last checkpoint."""
    content = definition.load(definition.find("digits")).content | {"run_cap": 4}
    (tmp_path / "digits.yaml").write_text(yaml.safe_dump(content))
    doomed, steady = agents("run", *SHORT), agents("run", "--jobs", "2", *SHORT)
    killed = trial_in_hand(doomed, tmp_path)
    kill(doomed, with_trial=True)
    finish(steady)
    check(plan(tmp_path, run_cap=4), tmp_path, [killed])


@pytest.mark.slow
def test_twelve_trials_two_agents_one_killed_and_resumed(agents, tmp_path):
    """The first agent is killed alone: its orphan saves and leaves. A resumed one is killed with its trial."""
    doomed, steady = agents("run", *SHORT), agents("run", *SHORT)
    killed = [trial_in_hand(doomed, tmp_path)]
    kill(doomed, with_trial=False)
    resumed = agents("resume")
    killed.append(trial_in_hand(resumed, tmp_path, besides=killed))
    kill(resumed, with_trial=True)
    again = agents("resume")
    finish(steady)
    finish(again)
    board = plan(tmp_path)
    assert len(board.plan) == 12
    check(board, tmp_path, killed)
