"""The same command line under torchrun, SLURM and Lightning's launcher; two nodes meet on this machine."""

import json
import os
import subprocess
import sys

import pytest

from tests.distributed import commands, world
from tests.distributed.test_evaluation import CLASSIFIER
from tests.twins import folders

ROOT = os.getcwd()


@pytest.fixture
def images(tmp_path):
    folders.small(tmp_path / "images", splits={"train": 8, "val": 7, "test": 7})
    return tmp_path


def result(folder):
    return json.loads((folder / "run" / "result.json").read_text())


@pytest.mark.parametrize("launcher", ["nodes", "slurm"])
def test_two_nodes_of_one_process_each_leave_one_run(images, launcher):
    texts = world.run(commands.command, 2, images, ["fit", *CLASSIFIER], launcher=launcher)
    assert result(images)["hardware"]["nodes"] == 2
    assert result(images)["steps"] == 2
    assert texts[0].count("run: run") == 2  # at the start and below the table
    assert "run: run" not in texts[1]
    assert [path.parent.name for path in images.rglob("run.json")] == ["run"]


def test_processes_that_start_at_once_need_a_named_folder(images):
    unnamed = ["fit", *CLASSIFIER[:-2]]
    with pytest.raises(AssertionError, match=r"torchrun, srun or several nodes .* give --run DIR"):
        world.run(commands.command, 2, images, unnamed)


@pytest.mark.slow
def test_torchrun_with_two_nodes(images):
    port = world.free_port()
    command = (
        *(sys.executable, "-m", "torch.distributed.run", "--nnodes", "2", "--nproc_per_node", "1"),
        *("--rdzv_backend", "static", "--master_addr", "127.0.0.1", "--master_port", str(port)),
    )
    options = ("-m", "--", "lit_vision", "fit", *CLASSIFIER)
    sizes = (
        *("--trainer.accelerator", "cpu", "--trainer.strategy", "ddp"),
        *("--trainer.num_nodes", "2", "--trainer.devices", "1"),
    )
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": ROOT}
    nodes = [
        subprocess.Popen([*command, "--node_rank", str(node), *options, *sizes], cwd=images, env=environment)
        for node in (0, 1)
    ]
    assert [node.wait(300) for node in nodes] == [0, 0]
    assert result(images)["hardware"]["nodes"] == 2


@pytest.mark.slow
def test_lightning_launches_the_second_process_itself(images):
    sizes = ("--trainer.accelerator", "cpu", "--trainer.strategy", "ddp", "--trainer.devices", "2")
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": ROOT, "WANDB_MODE": "offline"}
    named = CLASSIFIER[:-4]  # with W&B, and a folder drawn at random
    command = [sys.executable, "-m", "lit_vision", "fit", *named, *sizes]
    done = subprocess.run(command, cwd=images, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    (state,) = images.rglob("run.json")
    assert len(list(images.rglob("*.wandb"))) == 1
    assert json.loads((state.parent / "result.json").read_text())["hardware"]["devices"] == 2
    assert done.stderr.count("21 images evaluated, 0 skipped") == 2
