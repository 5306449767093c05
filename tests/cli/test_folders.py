"""What a command may do to a run's folder: nothing while another works there, nothing where it is refused."""

import json
import os
from pathlib import Path

import pytest

from lit_vision.data.digits import Digits
from lit_vision.runs import durable, lock
from tests.cli.conftest import TINY

SHORT = (*TINY, "--trainer.max_steps", "2", "--trainer.val_check_interval", "2")


@pytest.fixture
def other_data(monkeypatch):
    """The same data set with a third of its test images: another fingerprint."""
    read = Digits.read

    def fewer(self):
        splits = read(self)
        test = splits["test"]
        return splits | {"test": type(test)(test.images[::3], test.labels[::3], [])}

    return lambda: monkeypatch.setattr(Digits, "read", fewer)


@pytest.mark.parametrize("verb", ["fit", "test"])
def test_a_folder_in_use_is_refused(command, monkeypatch, verb):
    command("fit", *SHORT, "--run", "run")
    if verb == "fit":
        Path("run/result.json").unlink()
    before = {path: path.read_bytes() for path in Path("run").rglob("*") if path.is_file()}
    monkeypatch.setattr(lock, "_lock", lambda handle: False)
    assert "run is in use by another process" in command.error(verb, "--run", "run")
    assert {path: path.read_bytes() for path in Path("run").rglob("*") if path.is_file()} == before


def test_a_run_gives_its_folder_back(command):
    command("fit", *SHORT, "--run", "run")
    assert Path("run", lock.FILE).read_text() == ""


def test_a_later_test_leaves_the_training_s_own_result(command, other_data):
    command("fit", *SHORT, "--run", "run")
    before = Path("run/result.json").read_bytes()
    command("test", "--run", "run")
    same = json.loads(Path("run/tests/digits/result.json").read_text())
    assert same["value"] == json.loads(before)["value"]
    assert "other data" not in command.err
    other_data()
    command("test", "--run", "run")
    assert "warning: run was trained on other data: Digits " in command.err
    assert "this result is not comparable with the run's own" in command.err
    other = json.loads(Path("run/tests/digits/result.json").read_text())
    assert other["data"]["fingerprint"] != same["data"]["fingerprint"]
    assert Path("run/result.json").read_bytes() == before


def test_a_run_goes_on_with_its_own_data_only(command, other_data):
    command("fit", *SHORT, "--run", "run")
    Path("run/result.json").unlink()
    other_data()
    message = command.error("fit", "--run", "run")
    assert "run was trained on other data: Digits " in message
    assert "bring the data back as they were, or start another run with --run DIR" in message
    assert Path("run/checkpoints/last.ckpt").is_file()


@pytest.mark.parametrize("place", [(), ("--run", "mine")])
@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--data.batch_size", "5000"), "data.batch_size is 5000, but there are only"),  # met when the data are read
        (("--data.monitor", "tset"), "did you mean 'test'"),  # met when the parts are built
        (("--model.network.num_classes", "7"), "num_classes is 7"),  # met between the two
    ],
)
def test_a_refused_start_leaves_no_folder(command, place, options, told):
    assert told in command.error("fit", *SHORT, *options, *place)
    assert list(Path().iterdir()) == []


def test_a_refused_start_leaves_a_folder_of_the_user_s_as_it_was(command):
    Path("mine").mkdir()
    Path("mine/notes.txt").write_text("mine")
    command.error("fit", *SHORT, "--data.batch_size", "5000", "--run", "mine")
    assert [path.name for path in Path("mine").iterdir()] == ["notes.txt"]


def test_a_refused_continuation_leaves_the_run(command):
    command("fit", *SHORT, "--run", "run")
    Path("run/result.json").unlink()
    command.error("fit", *SHORT, "--run", "run", "--data.batch_size", "32")
    assert Path("run/run.json").is_file()
    assert Path("run/checkpoints/last.ckpt").is_file()


def test_a_step_that_is_refused_leaves_what_it_wrote(command):
    message = command.error("fit", *SHORT, "--model.optimizer.lr", "1e30", "--run", "run", "--trainer.max_steps", "8")
    assert "run/nonfinite.jsonl" in message
    assert Path("run/nonfinite.jsonl").is_file()


def test_a_rehearsal_leaves_nothing(command):
    out = command("fit", *SHORT, "--trainer.fast_dev_run", "true")
    assert "trainer.fast_dev_run: it runs, and nothing is kept" in out
    command("fit", *SHORT, "--trainer.fast_dev_run", "2", "--run", "run")
    assert list(Path().iterdir()) == []


def test_a_figure_that_is_not_finite_is_null(tmp_path):
    from lit_vision.loggers.metrics_file import MetricsFile

    log = MetricsFile(tmp_path / "metrics.jsonl")
    log.log_metrics({"train/loss": float("nan"), "lr": float("inf"), "val/error": 3.0}, step=1)
    (line,) = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert "NaN" not in line
    assert {key: value for key, value in json.loads(line).items() if key != "time"} == {
        "step": 1,
        "train/loss": None,
        "lr": None,
        "val/error": 3.0,
    }


def test_a_full_disk_at_the_claim_is_named(command, monkeypatch):
    really = os.open

    def full(path, flags, *rest):
        if flags & os.O_CREAT:
            raise OSError(28, "No space left on device")
        return really(path, flags, *rest)

    monkeypatch.setattr(durable.os, "open", full)
    assert "the disk is full" in command.error("fit", *SHORT, "--run", "run")
