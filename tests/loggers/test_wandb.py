"""W&B is on by default, offline without a key; it never prompts, never blocks for long, never ends a run."""

import builtins
import json
import os
import socket
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path

import pytest
import wandb
from lightning.pytorch.utilities.rank_zero import rank_zero_only

from lit_vision.loggers import wandb_files
from lit_vision.loggers.wandb import Wandb
from lit_vision.loggers.wandb_identity import Identity
from lit_vision.runs import folder as runs
from tests.cli.conftest import Command
from tests.wandb_frames import history, identity, pieces, records, updates

KEY = "a" * 40
DIGITS = (
    *("--config", "quickstart/digits", "--trainer.max_steps", "4", "--trainer.val_check_interval", "4"),
    *("--trainer.log_every_n_steps", "2"),
)


@pytest.fixture
def asked(monkeypatch):
    """Fails a test at any prompt; gives the connections that a stand-in for W&B's server has seen."""

    def refuse(*_, **__):
        raise AssertionError("W&B asked the user")

    monkeypatch.setattr(builtins, "input", refuse)
    monkeypatch.setattr("getpass.getpass", refuse)
    seen: list[object] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def listen():
            while True:
                try:
                    connection, address = server.accept()
                except OSError:
                    return
                connection.close()
                seen.append(address)

        threading.Thread(target=listen, daemon=True).start()
        monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{server.getsockname()[1]}")
        yield seen


def described(folder=Path("run"), **options):
    logger = Wandb(**options)
    logger.describe(folder, "ab12cd34", Identity("resnet-20, seed 1", "resnet/cifar10", ["1512.03385"], {"lr": 0.1}))
    return logger


def warned_of(caught):
    return [str(entry.message) for entry in caught if "W&B" in str(entry.message)]


def test_without_a_key_a_run_is_written_offline_and_nobody_is_asked(asked, monkeypatch):
    monkeypatch.delenv("WANDB_MODE")
    logger = described()
    assert logger.mode == "offline"
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        logger.log_metrics({"train/loss": 2.5}, step=20)
        logger.summarise({"paper/value": 8.75, "paper/verdict": "missed, worse"})
        logger.finalize("success")
        logger.finish()
    assert warned_of(caught) == []
    assert asked == []
    (file,) = pieces(Path("run"))
    run = identity(file)
    assert (run.run_id, run.display_name, run.run_group) == ("ab12cd34", "resnet-20, seed 1", "resnet/cifar10")
    assert (run.project, list(run.tags)) == ("lit-vision", ["1512.03385"])
    assert {item.key: json.loads(item.value_json) for item in run.config.update}["lr"] == 0.1
    assert [(line["train/loss"], line["trainer/global_step"]) for line in history(file)] == [(2.5, 20)]
    summary = updates(file, "summary")
    assert (summary["paper/value"], summary["paper/verdict"]) == (8.75, "missed, worse")


@pytest.mark.parametrize(
    ("environment", "netrc", "asked_for", "expected"),
    [
        ({}, "", "auto", "offline"),
        ({"WANDB_API_KEY": KEY}, "", "auto", "online"),
        ({"WANDB_API_KEY": KEY}, "", "offline", "offline"),
        ({}, f"machine api.wandb.ai login user password {KEY}\n", "auto", "online"),
        ({}, f"machine github.com login user password {KEY}\n", "auto", "offline"),
        ({}, f"default login user password {KEY}\n", "auto", "offline"),  # of no host in particular
        ({}, "machine\n", "auto", "offline"),  # damaged
        ({"WANDB_BASE_URL": "http://w:8080"}, f"machine w:8080 login user password {KEY}\n", "auto", "online"),
        ({"WANDB_MODE": "offline", "WANDB_API_KEY": KEY}, "", "online", "offline"),
        ({"WANDB_MODE": "disabled"}, "", "auto", "disabled"),
        ({"WANDB_MODE": "", "WANDB_API_KEY": KEY}, "", "auto", "online"),  # empty is as good as unset
    ],
)
def test_online_only_with_a_key_and_never_against_the_environment(
    monkeypatch, tmp_path, environment, netrc, asked_for, expected
):
    monkeypatch.delenv("WANDB_MODE")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "netrc").write_text(netrc)
    (tmp_path / "netrc").chmod(0o600)
    assert Wandb(mode=asked_for).mode == expected
    assert os.environ.get("WANDB_MODE") == (environment.get("WANDB_MODE") or None)


def test_what_would_block_or_prompt_is_bounded():
    arguments = described()._wandb_init
    assert arguments["settings"].init_timeout == 30
    assert getattr(arguments["settings"], "finish_timeout", 60) == 60  # older releases wait for the upload
    assert "anonymous" not in arguments  # W&B warns of the mere key


class Run:
    """A W&B run whose methods can be told to fail."""

    def __init__(self, *failing):
        self.failing = failing
        self.summary = self.config = self
        self.calls = []

    def call(self, name):
        self.calls.append(name)
        if name in self.failing:
            raise RuntimeError(f"{name} broke\nin two lines")

    def log(self, *_):
        self.call("log")

    def update(self, *_, **__):
        self.call("update")

    def finish(self, **_):
        self.call("finish")


def use(logger):
    """Everything that a run does with its logger."""
    for step in range(3):
        logger.log_metrics({"train/loss": 2.5}, step)
        logger.log_hyperparams({"lr": 0.1})
        logger.summarise({"paper/value": 1.0})
    logger.finalize("success")
    logger.finish()


def broken_init(**_):
    raise OSError("disk full")


@pytest.mark.parametrize(
    ("init", "told"),
    [
        (broken_init, "disk full"),
        (lambda **_: Run("log"), "log broke in two lines"),
        (lambda **_: Run("update"), "update broke in two lines"),
        (lambda **_: Run("finish"), "finish broke in two lines"),
    ],
)
def test_what_fails_in_wandb_is_told_once_and_ends_nothing(monkeypatch, init, told):
    monkeypatch.setattr(wandb, "init", init)
    logger = described()
    with pytest.warns(UserWarning, match="W&B") as caught:
        use(logger)
    logger.finish()
    logger.experiment.log({"own": 1})
    assert warned_of(caught) == [
        f"W&B failed and is left out from here on ({told}); metrics.jsonl stays complete",
    ]


def test_once_it_failed_wandb_is_left_alone(monkeypatch):
    run = Run("log")
    monkeypatch.setattr(wandb, "init", lambda **_: run)
    logger = described()
    with pytest.warns(UserWarning, match="log broke"):
        logger.log_metrics({"a": 1.0}, 1)
    logger.log_metrics({"a": 1.0}, 2)
    logger.finish()
    assert run.calls == ["log"]


def test_a_service_that_does_not_answer_gives_an_offline_run_in_bounded_time(monkeypatch):
    """Nothing listens at the address: W&B would try again and again for a minute and a half."""
    monkeypatch.setattr(wandb_files, "INIT_SECONDS", 1)
    monkeypatch.delenv("WANDB_MODE")
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    with socket.create_server(("127.0.0.1", 0)) as unused:
        monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{unused.getsockname()[1]}")
    logger = described()
    assert logger.mode == "online"
    started = time.monotonic()
    with pytest.warns(UserWarning, match="W&B could not start a run online") as caught:
        use(logger)
    assert time.monotonic() - started < 15
    assert len(warned_of(caught)) == 1
    assert logger.mode == "offline"
    (file,) = pieces(Path("run"))
    assert [line["train/loss"] for line in history(file)] == [2.5] * 3


def test_other_ranks_start_no_run(monkeypatch):
    monkeypatch.setattr(wandb, "init", lambda **_: pytest.fail("a second run"))
    monkeypatch.setattr(rank_zero_only, "rank", 1)
    logger = described()
    logger.experiment.log({"own": 1})
    use(logger)
    assert not Path("run").exists()


@pytest.fixture
def command(capsys):
    return Command(capsys)


def test_a_run_survives_a_wandb_that_breaks(command, monkeypatch):
    monkeypatch.setattr(wandb, "init", broken_init)
    with pytest.warns(UserWarning, match="W&B") as caught:
        command("fit", *DIGITS, "--run", "whole")
    assert len(warned_of(caught)) == 1
    assert json.loads(Path("whole/result.json").read_text())["steps"] == 4
    steps = [line["step"] for line in runs.read_metrics(Path("whole/metrics.jsonl"))]
    assert steps == [2, 4, 4, 4]  # training twice, validation, test


@pytest.mark.slow
def test_several_ranks_are_one_run(tmp_path):
    arguments = ["--trainer.accelerator", "cpu", "--trainer.devices", "2", "--trainer.strategy", "ddp"]
    subprocess.run(
        [sys.executable, "-m", "lit_vision", "fit", *DIGITS, *arguments, "--run", "ranks"],
        check=True,
        capture_output=True,
        timeout=300,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    )
    (file,) = Path("ranks").rglob("*.wandb")
    assert file.parent.parent == Path("ranks/wandb")
    assert [len(list(records(file))) > 5] == [True]
