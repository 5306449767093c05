"""What happens to a run's files underneath it: a named error, or the checkpoint before with a message."""

import json
from pathlib import Path

import pytest

from lit_vision.runs import checkpoints
from tests.cli import disks, processes
from tests.cli.conftest import TINY
from tests.cli.test_kills import RUNS, figures

disk = pytest.fixture(disks.fixture)

FIT = ("fit", *TINY, "--checkpoint.every", "2", "--run")
SHORT = (*FIT[:-1], "--trainer.max_steps", "3", "--trainer.val_check_interval", "3", "--run")


def test_a_full_disk_is_named_and_with_more_room_the_run_goes_on(command, disk, tmp_path):
    command(*FIT, "whole")
    small = disk(tmp_path / "disk", "3m")  # room for one checkpoint, not for two
    message = command.error(*FIT, "disk/run")
    assert message.startswith("error: cannot write disk/run/checkpoints/")
    assert "(No space left on device): the disk is full; make room" in message
    step = checkpoints.read(str(checkpoints.recover(tmp_path / "disk/run/checkpoints")))["global_step"]
    assert step == 2
    small.grow("64m")
    command(*FIT, "disk/run")
    assert "continuing disk/run" in command.err
    assert figures(Path("disk/run")) == figures(Path("whole"))
    assert json.loads(Path("disk/run/result.json").read_text())["steps"] == 8


def test_w_b_s_full_folder_costs_nothing_of_the_run(disk, tmp_path):
    """In a process of its own, because W&B is of no use any more in one where that happened."""
    kind = "classifier with W&B"
    disk(tmp_path / "run" / "wandb", "4k")
    code = processes.run(("fit", *RUNS[kind], "--run", "run"), tmp_path, tmp_path / "log", limit=60)
    told = (tmp_path / "log").read_text()
    assert code == 0, told
    assert told.count("W&B failed and is left out from here on") == 1
    assert json.loads((tmp_path / "run" / "result.json").read_text())["steps"] == 8
    assert [line["step"] for line in figures(tmp_path / "run")] == [2, 4, 4, 6, 8, 8, 8]


def test_a_read_only_folder_is_named(command, disk, tmp_path):
    disk(tmp_path / "disk", "1m", writable=False)
    message = command.error(*FIT, "disk/run")
    assert message == (
        "error: cannot write disk/run (Read-only file system): the file system is read-only; "
        "name another folder with --run DIR, or make it writable"
    )


def test_a_file_in_the_folder_s_place_is_named(command):
    Path("run").write_text("a note")
    assert "cannot write run (File exists): a file stands where a folder should be" in command.error(*FIT, "run")
    Path("run").unlink()
    Path("run").mkdir()
    Path("run/checkpoints").write_text("a note")
    assert "a file stands where a folder should be" in command.error(*FIT, "run")


def test_a_full_disk_at_the_pictures_is_named(command, monkeypatch):
    """Not everything is written through `durable`: pictures and reports meet the disk by themselves."""

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("lit_vision.callbacks.verdict.Verdict.on_test_end", full)
    assert "cannot write run (No space left on device): the disk is full" in command.error(*FIT, "run")


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (lambda run: (run / "run.json").unlink(), "run holds checkpoints, but its run.json is gone; restore it"),
        (lambda run: (run / "run.json").write_text('{"rec'), "run/run.json is damaged; restore it"),
        (lambda run: (run / "config.yaml").unlink(), "run/config.yaml is gone; restore it"),
    ],
    ids=["no run.json", "torn run.json", "no config.yaml"],
)
def test_a_folder_that_lost_its_head_is_refused(command, harm, told):
    command(*SHORT, "run")
    Path("run/result.json").unlink()
    harm(Path("run"))
    before = {path: path.read_bytes() for path in Path("run/checkpoints").iterdir()}
    assert told in command.error(*SHORT, "run")
    assert {path: path.read_bytes() for path in Path("run/checkpoints").iterdir()} == before


def test_lost_figures_are_told(command):
    command(*SHORT, "run")
    Path("run/result.json").unlink()
    Path("run/metrics.jsonl").unlink()
    command(*SHORT, "run")
    assert "warning: run/metrics.jsonl is gone: the figures up to step 3 are lost" in command.err


def test_both_checkpoints_damaged_is_an_error_that_names_both(command):
    command(*SHORT, "run")
    Path("run/result.json").unlink()
    for name in (checkpoints.LAST, checkpoints.PREVIOUS):
        Path("run/checkpoints", name).write_bytes(b"torn")
    message = command.error(*SHORT, "run")
    assert "no checkpoint of run/checkpoints can be read: last.ckpt does not read back" in message
    assert "restore one of them, or start another run" in message
