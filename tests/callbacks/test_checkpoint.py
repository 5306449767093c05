"""Saving and going on, with a network so small that every instant of a save can be tried."""

import errno
import os
import signal
import warnings

import lightning as L
import pytest
import torch

from lit_vision.callbacks.checkpoint import LastCheckpoint
from lit_vision.callbacks.kept import Keep
from lit_vision.callbacks.random_state import RandomStates
from lit_vision.errors import InputError
from lit_vision.loggers.metrics_file import MetricsFile
from lit_vision.runs import checkpoints, durable
from lit_vision.runs.folder import read_metrics
from tests import record
from tests.faults import Crash, Faults, crash_points, operations

STEPS = 6


class Tiny(L.LightningModule):
    """Dropout draws from the global generator; the data are a function of the step, as ours are."""

    def __init__(self):
        super().__init__()
        self.net = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Dropout(0.5), torch.nn.Linear(4, 1))

    def training_step(self, batch, index):
        images = torch.randn(8, 4, generator=torch.Generator().manual_seed(self.trainer.global_step))
        loss = self.net(images).square().mean()
        self.log_dict({"train/loss": loss, "step": self.trainer.global_step + 1.0})
        return loss

    def validation_step(self, batch, index):
        # Worse and better by turns, as a function of the step.
        error = [5.0, 3.0, 4.0][self.trainer.global_step // 2 % 3]
        self.log_dict({"val/error": error, "step": float(self.trainer.global_step)}, batch_size=1)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=0.1)


def fit(folder, *, keep=None, resume=None, callbacks=(), steps=STEPS):
    L.seed_everything(3, verbose=False)
    folder.mkdir(exist_ok=True)
    last = LastCheckpoint(folder / "checkpoints", {"config": {"lr": 0.1}}, keep or Keep(every=2))
    trainer = L.Trainer(
        accelerator="cpu",
        max_steps=steps,
        max_epochs=-1,
        logger=MetricsFile(folder / "metrics.jsonl"),
        callbacks=[RandomStates(), last, *callbacks],
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        log_every_n_steps=1,
        val_check_interval=2,
        limit_val_batches=1 if keep and keep.best else 0,
        check_val_every_n_epoch=None,
        default_root_dir=folder,
    )
    if resume and (folder / "metrics.jsonl").is_file():
        MetricsFile(folder / "metrics.jsonl").resumed_at(checkpoints.read(str(resume))["global_step"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data = range(STEPS * 2)
        trainer.fit(Tiny(), data, range(1), ckpt_path=resume and str(resume), weights_only=True)


def state(folder):
    content = checkpoints.read(str(folder / "checkpoints" / "last.ckpt"))
    assert content["global_step"] == STEPS
    return content["state_dict"]


def figures(folder):
    return [{k: v for k, v in line.items() if k != "time"} for line in read_metrics(folder / "metrics.jsonl")]


def assert_equal(folder, whole):
    assert figures(folder) == figures(whole)
    got, wanted = state(folder), state(whole)
    assert all(torch.equal(got[name], wanted[name]) for name in wanted)


@pytest.fixture
def whole(tmp_path):
    fit(tmp_path / "whole")
    return tmp_path / "whole"


def test_what_a_checkpoint_holds(whole):
    content = checkpoints.read(str(whole / "checkpoints" / "last.ckpt"))
    assert {"state_dict", "optimizer_states", "lr_schedulers", "loops", "callbacks", "random_states"} <= content.keys()
    assert content["lit_vision"] == {"config": {"lr": 0.1}}
    assert [sorted(states) for states in content["random_states"]] == [["numpy", "python", "torch"]]
    assert sorted(path.name for path in (whole / "checkpoints").iterdir()) == [
        *("last.ckpt", "last.safetensors", "previous.ckpt")
    ]


@pytest.mark.parametrize("every", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["second save", "whole run"])
def test_a_crash_at_any_file_operation_of_a_run(whole, tmp_path, monkeypatch, every):
    names = operations(lambda: fit(tmp_path / "count"), durable, monkeypatch)
    assert names.count("replace") == 1 + 2 + 2 + 1  # saves at steps 2, 4 and 6, and the weights
    points = crash_points(names)
    second = [point for point in points if 9 <= point[0] < 9 + 13]
    for number, point in enumerate(points if every else second):
        folder = tmp_path / str(number)
        monkeypatch.setattr(durable, "os", Faults(crash=point))
        with pytest.raises(Crash):
            fit(folder)
        monkeypatch.setattr(durable, "os", os)
        last = checkpoints.recover(folder / "checkpoints")
        if last is None:  # nothing was saved: begun again
            (folder / "metrics.jsonl").unlink(missing_ok=True)
        fit(folder, resume=last)
        assert_equal(folder, whole)
    if every:
        record.append(what="crash points in one process", of="a run of six steps", number=len(points))


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGUSR1])
def test_a_signal_is_answered_at_the_end_of_the_step(whole, tmp_path, signum):
    class Ask(L.Callback):
        def on_train_batch_start(self, trainer, *_):
            if trainer.global_step == 2:
                os.kill(os.getpid(), signum)

    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)]
    with pytest.raises(SystemExit):
        fit(tmp_path / "asked", callbacks=[Ask()])
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)] == before
    last = checkpoints.recover(tmp_path / "asked" / "checkpoints")
    assert checkpoints.read(str(last))["global_step"] == 3
    fit(tmp_path / "asked", resume=last)
    assert_equal(tmp_path / "asked", whole)


def test_a_full_disk_ends_the_run_with_its_name_and_keeps_the_last_checkpoint(whole, tmp_path, monkeypatch):
    folder = tmp_path / "full"

    class Fill(L.Callback):
        def on_train_batch_start(self, trainer, *_):
            if trainer.global_step == 3:
                monkeypatch.setattr(durable, "os", Faults(error=("write", errno.ENOSPC)))

    with pytest.raises(InputError, match=r"cannot write .*last.ckpt \(No space left on device\): the disk is full"):
        fit(folder, callbacks=[Fill()])
    monkeypatch.setattr(durable, "os", os)
    last = checkpoints.recover(folder / "checkpoints")
    assert checkpoints.read(str(last))["global_step"] == 2
    fit(folder, resume=last)
    assert_equal(folder, whole)


@pytest.mark.parametrize("gone", ["metrics.jsonl", "."])
def test_files_deleted_underneath_are_named(tmp_path, gone):
    folder = tmp_path / "run"

    class Delete(L.Callback):
        def on_train_batch_start(self, trainer, *_):
            if trainer.global_step == 1:
                (folder / gone).unlink() if gone != "." else folder.rename(tmp_path / "away")

    with pytest.raises(InputError, match="something deletes this run's files while it runs"):
        fit(folder, callbacks=[Delete()])


def test_best_and_milestones(tmp_path):
    keep = Keep(best=2, monitor="val/error", milestones=[3])
    fit(tmp_path / "run", keep=keep)
    folder = tmp_path / "run" / "checkpoints"
    names = [f"{name}.{kind}" for name in ("best-2", "best-4", "last", "step-3") for kind in ("ckpt", "safetensors")]
    assert sorted(path.name for path in folder.iterdir()) == sorted([*names, "previous.ckpt"])
    assert [
        checkpoints.read(str(folder / f"{name}.ckpt"))["global_step"] for name in ("best-2", "best-4", "step-3")
    ] == [*(2, 4, 3)]
    with pytest.raises(InputError, match=r"validation logs no val/loss; did you mean 'val/error'\?"):
        fit(tmp_path / "other", keep=Keep(best=1, monitor="val/loss"))
    assert not (tmp_path / "other" / "checkpoints").exists()  # told before the first step
    with pytest.raises(InputError, match=r"checkpoint.best is 1, checkpoint.monitor is None"):
        Keep(best=1)
