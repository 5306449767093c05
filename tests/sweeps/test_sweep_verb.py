"""`lit-vision sweep` in this process, with trials that are not really run."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from lit_vision.sweeps import agent, child
from tests.cli.conftest import Command
from tests.sweeps.test_definition import GOOD


@pytest.fixture
def command(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    return Command(capsys)


@pytest.fixture
def begun(monkeypatch):
    """Trials log their number as the error; the list holds their command lines."""
    lines, real = [], child.start

    def start(words, place, environment):
        lines.append(words)
        text = json.dumps({"step": 1, "time": 0, "val/error": 10 - int(place.name)})
        return real(["sh", "-c", f"echo '{text}' >> {place}/metrics.jsonl"], place, environment)

    monkeypatch.setattr(agent, "TICK", 0.02)
    monkeypatch.setattr(agent.Settings.__init__, "__defaults__", (1, None, 120.0, start))
    return lines


@pytest.fixture
def file(tmp_path):
    def write(**change):
        (tmp_path / "mine.yaml").write_text(yaml.safe_dump(GOOD | change))
        return "mine.yaml"

    return write


def test_run_status_best_and_resume(command, begun, file):
    out = command("sweep", "run", file(), "--count", "1", "--storage", "study.journal")
    assert "mine: 2 trials in runs/sweeps/mine, study in study.journal" in out.replace(str(Path.cwd()) + "/", "")
    assert "1 of 2 done: 1 waiting, 1 finished" in out
    assert begun[0][-3:] == ["--model.optimizer.lr=0.1", "--run", str(Path("runs/sweeps/mine/000").resolve())]
    assert "2 of 2 done: 2 finished" in command("sweep", "resume", "mine", "--storage", "study.journal")
    assert len(begun) == 2
    shown = json.loads(command("sweep", "status", "mine.yaml", "--storage", "study.journal", "--json"))
    assert [(trial["trial"], trial["state"], trial["value"]) for trial in shown] == [
        (0, "finished", 10.0),
        (1, "finished", 9.0),
    ]
    lines = command("sweep", "best", "mine", "--storage", "study.journal").splitlines()
    assert lines[0] == "1. val/error 9: model.optimizer.lr=0.2"
    assert lines[2].endswith("runs/sweeps/mine/001")
    assert lines[3] == "again: lit-vision fit --config quickstart/digits --model.optimizer.lr=0.2"


def test_a_sweep_of_one_s_own_lies_in_its_folder(command, begun, file):
    command("sweep", "run", file(), "--seeds", "2", "--trainer.max_steps", "3", "--dir", "elsewhere")
    assert Path("elsewhere/mine/study.db").is_file()
    assert [words[-5:-2] for words in begun[:2]] == [
        ["--model.optimizer.lr=0.1", f"--seed_everything={seed}", "--trainer.max_steps=3"] for seed in (1, 2)
    ]
    Path("elsewhere").rename("moved")
    assert "run: moved/mine/002" in command("sweep", "best", "mine", "--dir", "moved")
    assert "elsewhere holds no sweep" in command.error("sweep", "status", "mine", "--dir", "elsewhere")


def test_a_longer_plan_goes_on_and_another_plan_is_refused(command, begun, file):
    drawn = {"method": "random", "run_cap": 1, "parameters": {"model.optimizer.lr": {"min": 0.1, "max": 0.2}}}
    shared = ("--storage", "study.journal")
    command("sweep", "run", file(**drawn), *shared)
    assert "3 of 3 done" in command("sweep", "run", file(**drawn | {"run_cap": 3}), *shared)
    assert len(begun) == 3
    told = command.error("sweep", "run", file(**drawn), "--trainer.max_steps", "3", *shared)
    assert "a sweep 'mine' was started with another file or other options: options differ" in told
    other = drawn | {"parameters": {"model.optimizer.lr": {"min": 0.1, "max": 0.3}}}
    assert "parameters.model.optimizer.lr.max differ" in command.error("sweep", "run", file(**other), *shared)


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        ({"method": "gird"}, (), "mine.yaml: method is 'gird'"),
        ({}, ("--model.optimizer.lr", "1"), "--model.optimizer.lr is a parameter of mine.yaml"),
        ({"parameters": {"row": {"values": ["digitz"]}}}, (), "digitz"),
        ({}, ("--lease", "x"), "argument --lease: invalid float value: 'x'"),
        ({}, ("--trainer.max_steps",), "--trainer.max_steps needs a value"),
    ],
)
def test_slips_are_told_before_the_first_trial(command, begun, file, change, options, message):
    assert message in command.error("sweep", "run", file(**change), *options)
    assert begun == []
    assert not Path("runs").exists()


def test_slips_of_the_other_verbs(command):
    assert "runs/sweeps holds no sweep; start one with lit-vision sweep run" in command.error(
        "sweep", "status", "digits"
    )
    assert "takes no options of trials" in command.error("sweep", "best", "digits", "--data.root", "x")
    assert "needs one of: run, resume, status, best" in command.error("sweep")
    assert "no sweep 'digitz'; did you mean 'digits'?" in command.error("sweep", "run", "digitz")


def test_a_sweep_whose_trials_all_fail_says_so_in_its_exit_code(command, begun, file, monkeypatch):
    def start(words, place, environment):
        return child.start(["sh", "-c", "echo no such data; exit 2"], place, environment)

    monkeypatch.setattr(agent.Settings.__init__, "__defaults__", (1, None, 120.0, start))
    assert "2 of 2 done: 2 failed" in command("sweep", "run", file(), code=1)


def test_no_torch(tmp_path):
    code = "import sys; from lit_vision import cli; cli.main(sys.argv[1:]); print('torch' in sys.modules)"
    line = [sys.executable, "-c", code, "sweep", "status", "digits"]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
    assert "holds no sweep" in done.stderr
