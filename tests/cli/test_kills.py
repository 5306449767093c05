"""Runs that are killed, pre-empted or interrupted go on as if nothing had happened."""

import os
import random
import re
import signal
import time
from collections import Counter
from pathlib import Path

import pytest
import torch

from lit_vision.runs import checkpoints
from lit_vision.runs import folder as runs
from tests import forking, record, wandb_frames
from tests.cli import phases, processes
from tests.cli.conftest import TINY
from tests.cli.phases import Phases

AVERAGED = "[{class_path: lightning.pytorch.callbacks.EMAWeightAveraging, init_args: {decay: 0.8}}]"
WARM_UP = (
    "{class_path: lit_vision.tasks.optim.ErrorWarmup, "
    "init_args: {milestones: [7], warmup_lr: 0.01, below: 101, window: 3}}"
)
RUNS = {
    # Accumulation, averaged weights, a warm-up that ends in between, saves after every step: all must be brought back.
    "classifier": (
        *(*TINY, "--data.max_per_device", "32", "--trainer.callbacks", AVERAGED, "--checkpoint.every", "1"),
        *("--data.batch_size", "64", "--checkpoint.best", "1", "--checkpoint.monitor", "val/loss"),
        *("--model.schedule", WARM_UP),
    ),
    # The same network with W&B, whose start takes a good part of the time.
    "classifier with W&B": (
        *(*TINY, "--trainer.logger", "{class_path: lit_vision.loggers.wandb.Wandb}", "--checkpoint.every", "1"),
    ),
    "detector": (
        *("--config", "quickstart/digit_scenes", "--trainer.logger", "false", "--trainer.accelerator", "cpu"),
        *("--data.size", "64", "--data.train", "16", "--data.val", "4", "--data.test", "4", "--data.batch_size", "4"),
        *("--data.eval_batch_size", "4", "--model.network.pyramid.channels", "16", "--trainer.max_steps", "6"),
        *("--trainer.val_check_interval", "3", "--trainer.log_every_n_steps", "2", "--checkpoint.every", "2"),
    ),
}
# Times, rates and memory differ from run to run.
ASIDE = re.compile(r"time$|rank\d+/")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The uninterrupted runs, made when first asked for: folder, and seconds of each visit of each phase."""
    made = {}

    def make(kind):
        if kind not in made:
            forking.warm()
            folder = tmp_path_factory.mktemp(kind)
            told = Phases(forking.CONTEXT)
            code = processes.run(("fit", *RUNS[kind], "--run", "run"), folder, folder / "log", phases=told)
            assert code == 0, (folder / "log").read_text()
            if kind == "classifier":  # the warm-up ends within the run
                assert {line.get("warmup_ended_at") for line in figures(folder / "run")} == {None, 3.0}
            made[kind] = (folder / "run", phases.seconds(folder / "log.phases"))
        return made[kind]

    return make


def weights(folder):
    content = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)
    return {"step": torch.tensor(content["global_step"])} | content["state_dict"]


def figures(folder):
    lines = runs.read_metrics(folder / "metrics.jsonl")
    return [{name: value for name, value in line.items() if not ASIDE.match(name)} for line in lines]


def assert_equal(folder, expected):
    assert figures(folder) == figures(expected)
    got, wanted = weights(folder), weights(expected)
    assert got.keys() == wanted.keys()
    assert [name for name in wanted if not torch.equal(got[name], wanted[name])] == []
    assert {path.name for path in (folder / "checkpoints").iterdir()} == {
        path.name for path in (expected / "checkpoints").iterdir()
    }


def finish(kind, folder, log, **options):
    """Continues the run; what was saved must be found again, and what is begun again must be said."""
    saved = any((folder / "run" / "checkpoints").glob("*.ckpt"))
    code = processes.run(("fit", *RUNS[kind], "--run", "run"), folder, log, **options)
    told = log.read_text() if log.exists() else ""
    if "continuing run" not in told and code == 0:
        assert not saved or "run is finished" in told, told
    return code, told


@pytest.mark.parametrize(
    ("kind", "kills"),
    [
        ("classifier", 4),
        ("detector", 4),
        ("classifier with W&B", 2),
        pytest.param("classifier", 100, marks=pytest.mark.slow),
        pytest.param("classifier with W&B", 100, marks=pytest.mark.slow),
        pytest.param("detector", 100, marks=pytest.mark.slow),
    ],
)
def test_killed_at_random_instants(whole, tmp_path, kind, kills):
    """Every phase is aimed at in turn, at any moment of any of its visits."""
    expected, lengths = whole(kind)
    chance, began = random.Random(kills), time.monotonic()
    aims = [phases.WANDB] if "W&B" in kind else [name for name in phases.NAMES if name != phases.WANDB]
    hits, run = Counter(), 0
    while hits.total() < kills:
        folder = tmp_path / str(run)
        folder.mkdir()
        run += 1
        for _ in range(3):  # a run is killed up to three times, then finished
            aim = aims[hits.total() % len(aims)]
            hit = kill(kind, folder, aim, lengths[aim], chance)
            hits.update(hit)
            if not hit or hits.total() == kills:
                break
        code, told = finish(kind, folder, folder / "log")
        assert code == 0, told
        assert "does not read back" not in told
        assert_equal(folder / "run", expected)
        # Every piece has the run's id; two that begin within a second are told apart by a number behind it.
        pieces = {path.name.split("-")[3] for path in (folder / "run" / "wandb").glob("offline-run-*")}
        assert pieces == ({runs.RunFolder(folder / "run").state["wandb_id"]} if "W&B" in kind else set())
    seconds = round(time.monotonic() - began)
    record.append(what="random kills", of=kind, number=hits.total(), by_phase=hits, runs=run, seconds=seconds)


def kill(kind, folder, aim, lengths, chance):
    """Starts or continues the run and kills it; the phase that was hit, none if the run came to its end before."""
    told, saved = Phases(forking.CONTEXT), any((folder / "run" / "checkpoints").glob("*.ckpt"))
    visit = chance.randrange(len(lengths))
    process = processes.start(("fit", *RUNS[kind], "--run", "run"), folder, folder / "log", phases=told)
    killed = processes.kill_in(process, told, aim, visit + 1, chance.uniform(0, lengths[visit]))
    text = (folder / "log").read_text() if (folder / "log").exists() else ""
    assert killed or process.exitcode == 0, text
    assert "does not read back" not in text
    if saved and told.name != phases.START:
        assert "continuing run" in text  # nothing begins again in silence
    return [told.name] if killed else []


@pytest.fixture(scope="module")
def reached():
    """Counts the file operations at which the classifier was killed."""
    points = []
    yield points
    if points:
        record.append(what="killed at a file operation", of="classifier", number=len(points))


@pytest.mark.parametrize(
    "point",
    [
        *(9, 18, 25),
        *(pytest.param(point, marks=pytest.mark.slow) for point in range(160) if point not in (9, 18, 25)),
    ],
)
def test_killed_at_a_file_operation(whole, reached, tmp_path, point):
    expected, _ = whole("classifier")
    code, told = finish("classifier", tmp_path, tmp_path / "log", crash=point)
    assert code in (0, -signal.SIGKILL), told
    reached.extend([point] if code else [])
    code, told = finish("classifier", tmp_path, tmp_path / "log")
    assert code == 0, told
    assert_equal(tmp_path / "run", expected)


@pytest.mark.parametrize(
    ("signum", "code"),
    [(signal.SIGTERM, 75), (signal.SIGUSR1, 75), (signal.SIGINT, 130)],
    ids=lambda value: getattr(value, "name", value),
)
def test_a_signal_saves_and_leaves_with_its_code(whole, tmp_path, signum, code):
    expected, _ = whole("classifier")
    process = processes.start(("fit", *RUNS["classifier"], "--run", "run"), tmp_path, tmp_path / "log")
    got = processes.signal_when(process, tmp_path / "run" / "checkpoints" / "last.ckpt", signum)
    told = (tmp_path / "log").read_text()
    assert got == code, told
    assert "stopped; continue with the same command" in told
    assert checkpoints.recover(tmp_path / "run" / "checkpoints")
    code, told = finish("classifier", tmp_path, tmp_path / "log")
    assert code == 0, told
    assert_equal(tmp_path / "run", expected)


def test_w_b_hears_that_the_machine_is_taken_away(tmp_path):
    kind = "classifier with W&B"
    process = processes.start(("fit", *RUNS[kind], "--run", "run"), tmp_path, tmp_path / "log")
    code = processes.signal_when(process, tmp_path / "run" / "checkpoints" / "last.ckpt", signal.SIGTERM)
    assert code == runs.PREEMPTED, (tmp_path / "log").read_text()
    (file,) = (tmp_path / "run" / "wandb").glob("offline-run-*/*.wandb")
    assert [record for record in wandb_frames.records(file) if record.HasField("preempting")]


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="finds W&B's process in Linux's /proc")
def test_a_killed_w_b_service_costs_nothing_of_the_run(whole, tmp_path):
    kind = "classifier with W&B"
    expected, _ = whole(kind)
    process = processes.start(("fit", *RUNS[kind], "--run", "run"), tmp_path, tmp_path / "log")
    while not (tmp_path / "run" / "checkpoints" / "last.ckpt").exists() and process.exitcode is None:
        time.sleep(0.01)
    (service,) = processes.children(process, "wandb-core")
    os.kill(service, signal.SIGKILL)
    process.join(60)
    told = (tmp_path / "log").read_text()
    assert process.exitcode == 0, told
    assert told.count("W&B failed and is left out from here on") == 1
    assert_equal(tmp_path / "run", expected)
    assert (tmp_path / "run" / "result.json").is_file()


def test_a_damaged_last_is_told_and_the_one_before_goes_on(whole, tmp_path):
    expected, _ = whole("classifier")
    process = processes.start(("fit", *RUNS["classifier"], "--run", "run"), tmp_path, tmp_path / "log")
    folder = tmp_path / "run" / "checkpoints"
    assert processes.signal_when(process, folder / "previous.ckpt", signal.SIGKILL) == -signal.SIGKILL
    last = folder / "last.ckpt"
    last.write_bytes((folder / "previous.ckpt").read_bytes()[:-200])
    moved = (tmp_path / "moved").resolve()
    moved.mkdir()
    (tmp_path / "run").rename(moved / "run")  # a run's folder can be moved
    code, told = finish("classifier", moved, tmp_path / "log")
    assert code == 0, told
    assert "does not read back" in told
    assert "going on from the checkpoint before it" in told
    (moved / "run" / "checkpoints" / "damaged.ckpt").unlink()
    assert_equal(moved / "run", expected)
