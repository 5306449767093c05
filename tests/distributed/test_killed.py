"""Two processes that are killed or asked to stop go on as if nothing had happened."""

import os
import random
import signal
import time

import pytest
import torch

from lit_vision.runs import checkpoints
from lit_vision.runs import folder as runs
from tests import record
from tests.cli.conftest import TINY
from tests.cli.test_kills import AVERAGED, figures
from tests.distributed import killing, world

FIT = (
    *("fit", *TINY, "--data.batch_size", "64", "--data.max_per_device", "16", "--trainer.callbacks", AVERAGED),
    *("--checkpoint.every", "1", "--run", "run"),
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The uninterrupted run of two processes."""
    folder = tmp_path_factory.mktemp("whole")
    world.run(killing.command, 2, folder, FIT)
    return folder


def assert_equal(folder, whole):
    assert [(folder / f"code{rank}").read_text() for rank in (0, 1)] == ["0", "0"]
    assert figures(folder / "run") == figures(whole / "run")
    got, wanted = (checkpoints.read(str(base / "run/checkpoints/last.ckpt")) for base in (folder, whole))
    assert got["global_step"] == wanted["global_step"] == 8
    assert len(got["random_states"]) == 2
    wrong = [name for name, weight in wanted["state_dict"].items() if not torch.equal(got["state_dict"][name], weight)]
    assert wrong == []


def wait_for(path, ranks, seconds=60):
    ends = time.monotonic() + seconds
    while not path.exists() and time.monotonic() < ends:
        assert all(process.exitcode is None for process in ranks)
        time.sleep(0.005)


def kill(folder, chosen, seconds):
    """Kills ranks so long after the second checkpoint; whether any was still running."""
    ranks = world.start(killing.command, 2, folder, FIT)
    if not (folder / "run/checkpoints/previous.ckpt").exists():
        wait_for(folder / "run/checkpoints/previous.ckpt", ranks)
    time.sleep(seconds)
    alive = [rank for rank in chosen if ranks[rank].exitcode is None]
    for rank in chosen:
        ranks[rank].kill()
    for process in ranks:  # as torchrun ends the others: one that waits for a partner to appear waits half an hour
        process.join(15)
        process.kill()
    world.end(ranks, folder)
    assert not alive or all(process.exitcode != 0 for process in ranks)  # nobody goes on alone
    return bool(alive)


@pytest.mark.parametrize(
    ("kills", "chosen"),
    [
        (1, (0, 1)),
        (1, (1,)),
        pytest.param(20, (0, 1), marks=pytest.mark.slow),
        pytest.param(20, (0,), marks=pytest.mark.slow),
        pytest.param(20, (1,), marks=pytest.mark.slow),
    ],
    ids=lambda value: "".join(map(str, value)) if isinstance(value, tuple) else value,
)
def test_two_killed_processes_go_on_at_the_exact_sample(whole, tmp_path, kills, chosen):
    instants, done, run = random.Random(kills), 0, 0
    while done < kills:
        folder = tmp_path / str(run)
        run += 1
        for _ in range(2):
            if done < kills:
                done += kill(folder, chosen, instants.uniform(0, 0.5))
        world.run(killing.command, 2, folder, FIT)
        assert_equal(folder, whole)
    record.append(
        what="two processes killed", of="rank(s) " + " and ".join(map(str, chosen)), number=done, runs=run, world_size=2
    )


@pytest.mark.parametrize("signum", [signal.SIGTERM, pytest.param(signal.SIGUSR1, marks=pytest.mark.slow)])
def test_a_signal_to_one_process_is_agreed_on_by_both(whole, tmp_path, signum):
    ranks = world.start(killing.command, 2, tmp_path, FIT)
    wait_for(tmp_path / "run/checkpoints/previous.ckpt", ranks)
    os.kill(ranks[1].pid, signum)
    texts = world.end(ranks, tmp_path)
    assert [(tmp_path / f"code{rank}").read_text() for rank in (0, 1)] == [str(runs.PREEMPTED)] * 2, "\n".join(texts)
    assert texts[0].count("stopped; continue with the same command") == 1
    assert "stopped" not in texts[1]
    world.run(killing.command, 2, tmp_path, FIT)
    assert_equal(tmp_path, whole)


def test_a_rank_that_is_ahead_waits_for_rank_zero_to_bring_the_checkpoint_back(whole, tmp_path):
    kill(tmp_path, (0, 1), 0.1)
    last = tmp_path / "run/checkpoints/last.ckpt"
    last.write_bytes(last.read_bytes()[:-100])
    texts = world.run(killing.late, 2, tmp_path, FIT)
    assert texts[0].count("going on from the checkpoint before it") == 1
    assert "going on" not in texts[1]
    assert_equal(tmp_path, whole)
