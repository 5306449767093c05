"""The rate falls when the error stops falling: by hand, reloaded, and through the real command."""

from pathlib import Path

import pytest
import torch
from torch import nn

from lit_vision.errors import InputError
from lit_vision.runs import folder as runs
from lit_vision.tasks.plateau import Plateau
from tests.cli.conftest import TINY, Command


def plateau(**options):
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.1)
    return Plateau(optimizer, **{"patience": 2, "interval": 10} | options)


def walk(schedule, figures, start=0, name="val/error"):
    """Ten optimiser steps, then a validation, for each figure; the rate at each of these steps once."""
    rates = []
    for number, figure in enumerate(figures, start + 1):
        rates.append(schedule.optimizer.param_groups[0]["lr"])
        for _ in range(10):
            schedule.optimizer.step()
            schedule.step()
        schedule.observe(number * 10, {name: figure})
    return rates


def test_by_hand():
    """50 is the best; 51 and 50 are two without progress, so the rate falls after step 30, and again after step 60."""
    schedule = plateau()
    assert walk(schedule, [50, 51, 50, 49, 49, 49, 48]) == pytest.approx([0.1] * 3 + [0.01] * 3 + [0.001])
    assert schedule.dropped_at == [30, 60]
    assert (schedule.best, schedule.waited) == (48, 0)


def test_progress_must_exceed_the_threshold():
    """Gains of 0.4, 0.5 and, against 50, 0.6: the third is more than 0.5."""
    schedule = plateau(threshold=0.5, patience=3)
    walk(schedule, [50, 49.6, 49.5, 49.4, 49])
    assert schedule.dropped_at == []
    assert (schedule.best, schedule.waited) == (49.4, 1)


def test_a_figure_that_is_better_high():
    schedule = plateau(monitor="val/ap", patience=1)
    walk(schedule, [30, 31, 31, 32], name="val/ap")
    assert schedule.dropped_at == [30]


def test_validations_in_between_do_not_count():
    schedule = plateau(patience=1)
    for step, error in ((10, 50), (15, 60), (17, 60), (20, 49)):
        schedule.observe(step, {"val/error": error})
    assert (schedule.best, schedule.dropped_at) == (49, [])


def test_every_group_keeps_its_ratio():
    groups = [{"params": [nn.Parameter(torch.zeros(1))], "lr": lr} for lr in (0.1, 0.2)]
    schedule = Plateau(torch.optim.SGD(groups, lr=1.0), patience=1, interval=10)
    walk(schedule, [50, 50])
    assert [group["lr"] for group in schedule.optimizer.param_groups] == pytest.approx([0.01, 0.02])


ERRORS = [50, 51, 50, 49, 49, 49, 48, 48, 48]


@pytest.mark.parametrize("cut", range(1, len(ERRORS)))
def test_a_reloaded_schedule_continues_identically(cut, tmp_path):
    whole = walk(plateau(), ERRORS)
    first = plateau()
    start = walk(first, ERRORS[:cut])
    torch.save({"schedule": first.state_dict(), "optimizer": first.optimizer.state_dict()}, tmp_path / "state.pt")
    state = torch.load(tmp_path / "state.pt", weights_only=True)
    second = plateau()
    second.optimizer.load_state_dict(state["optimizer"])
    second.load_state_dict(state["schedule"])
    assert start + walk(second, ERRORS[cut:], start=cut) == whole


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"patience": 0}, "model.schedule.patience is 0; it must be at least 1"),
        ({"interval": 0}, "model.schedule.interval is 0; it must be at least 1"),
        ({"gamma": 1.0}, "model.schedule.threshold is 0 and gamma is 1;"),
        ({"monitor": "val/eror"}, "model.schedule.monitor: nothing logs 'val/eror'; did you mean 'val/error'?"),
        ({"monitor": "test/error"}, "model.schedule.monitor is test/error; name a figure of validation"),
    ],
)
def test_numbers_that_mean_nothing_are_refused(options, message):
    with pytest.raises(InputError) as caught:
        plateau(**options)
    assert str(caught.value).startswith(message)


@pytest.fixture
def command(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    return Command(capsys)


# No validation makes a progress of 100 points: the rate falls after the second one and each one after it.
STUCK = (
    "{class_path: lit_vision.tasks.plateau.Plateau, init_args: {patience: 1, interval: 2, threshold: 100, monitor: %s}}"
)


def rates(folder="run"):
    lines = runs.read_metrics(Path(folder) / "metrics.jsonl")
    return {line["step"]: line["lr"] for line in lines if "lr" in line}


def short(*options, monitor="val/error"):
    return (*TINY, "--model.schedule", STUCK % monitor, "--trainer.val_check_interval", "2", *options)


def test_a_run_and_its_continuation(command):
    command("fit", *short("--trainer.log_every_n_steps", "1", "--checkpoint.milestones", "[5]", "--run", "run"))
    expected = [0.1] * 4 + [0.01] * 2 + [0.001] * 2
    assert rates() == pytest.approx(dict(enumerate(expected, 1)))
    step_5 = "run/checkpoints/step-5.ckpt"
    command("fit", *short("--trainer.log_every_n_steps", "1", "--ckpt_path", step_5, "--run", "again"))
    assert rates("again") == {step: rate for step, rate in rates().items() if step > 5}
    one, other = (torch.load(f"{run}/checkpoints/last.ckpt", weights_only=True) for run in ("run", "again"))
    assert all(torch.equal(value, other["state_dict"][name]) for name, value in one["state_dict"].items())
    assert one["lr_schedulers"] == other["lr_schedulers"]
    assert one["lr_schedulers"][0]["dropped_at"] == [4, 6, 8]


def test_what_never_validates_is_refused_before_the_first_step(command):
    assert command.error("fit", *short("--trainer.limit_val_batches", "0")) == (
        "error: model.schedule: Plateau waits for a validation figure, but nothing is validated "
        "(trainer.limit_val_batches is 0);\nlet it validate, or take another schedule"
    )
    assert command.error("fit", *short("--trainer.val_check_interval", "3")) == (
        "error: model.schedule.interval is 2 optimiser steps, but trainer.val_check_interval is 3;\n"
        "set it to 2 or a divisor of it, with trainer.check_val_every_n_epoch: null"
    )
    assert not list(Path().glob("runs/*/*/*"))


def test_a_figure_that_validation_does_not_log_is_told(command):
    assert command.error("fit", *short(monitor="val/ap")).startswith(
        "error: model.schedule.monitor: validation logs no val/ap; "
    )
