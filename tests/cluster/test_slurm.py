"""The job file that `lit-vision slurm` prints, under a real SLURM of two nodes: what it prints is what runs.

A run that is interrupted ends with the weights of one that was left alone, to the bit.
"""

import json
import os
import sys
import time
from pathlib import Path

import pytest

from tests.cluster import slurm

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(slurm.unavailable()), reason=slurm.unavailable() or "-"),
]

STEPS = 900
SHORT = ("--trainer.max_steps", "200", "--trainer.val_check_interval", "100")
LONG = ("--trainer.max_steps", str(STEPS), "--trainer.val_check_interval", "100")
QUIET = ("--trainer.accelerator", "cpu", "--trainer.logger", "false", "--trainer.enable_progress_bar", "false")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """SLURM with two nodes; jobs find this interpreter's `lit-vision`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
        patch.setenv("OMP_NUM_THREADS", "1")
        patch.setenv("WANDB_MODE", "offline")
        patch.setenv("MASTER_ADDR", "127.0.0.1")  # the nodes' names are known to SLURM alone
        running = slurm.Cluster(tmp_path_factory.mktemp("slurm"))
        running.start()
        yield running
        running.stop()


@pytest.fixture
def submit(command, cluster, tmp_path):
    """Submits what `lit-vision slurm` prints for the digits; returns the job's number."""

    def send(*options, nodes=1, time="00:30:00", rows=("digits",)):
        named = [word for row in rows for word in ("--row", row)]
        machine = ("--trainer.devices", "1", "--trainer.num_nodes", str(nodes), "--cpus", "1", "--time", time)
        strategy = ("--trainer.strategy", "ddp") if nodes > 1 else ()
        text = command("slurm", "quickstart/digits", *named, *machine, *strategy, *QUIET, *options)
        (tmp_path / "job.sbatch").write_text(text)
        return cluster.submit(tmp_path / "job.sbatch", tmp_path)

    return send


def run_of(job, row="digits"):
    return Path("runs/quickstart/digits") / row / f"job-{job}"


def weights(run):
    return (run / "checkpoints" / "last.safetensors").read_bytes()


def printed(job):
    return Path(f"slurm-{job}.out").read_text()


def until_trained(cluster, job, steps):
    """Waits until a run has trained so many steps and saved some of them."""
    log = run_of(job) / "metrics.jsonl"
    end = time.monotonic() + slurm.PATIENCE
    while not (log.is_file() and any(f'"step": {step}' in log.read_text() for step in range(steps, steps + 100))):
        assert time.monotonic() < end, printed(job)
        assert cluster.state(job) in ("PENDING", "RUNNING", "CONFIGURING"), printed(job)
        time.sleep(0.2)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, cluster):
    """Weights of a run of `STEPS` that nothing interrupts, outside SLURM."""
    from lit_vision import cli

    place = tmp_path_factory.mktemp("undisturbed")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        assert cli.main(["fit", "--config", "quickstart/digits", "--run", "run", *QUIET, *LONG]) == 0
        patch.delenv("LIT_VISION_RUN", raising=False)
    return weights(place / "run")


def test_a_row_runs(submit, cluster):
    job = submit(*SHORT)
    assert cluster.wait(job, "COMPLETED", "FAILED") == "COMPLETED", printed(job)
    result = json.loads((run_of(job) / "result.json").read_text())
    assert (result["row"], result["steps"]) == ("digits", 200)


def test_an_array_runs_each_row_once(command, cluster, tmp_path):
    options = ("--trainer.devices", "1", "--cpus", "1", "--data", "lit_vision.data.digits.Digits", *QUIET, *SHORT)
    rows = ("--row", "resnet-20", "--row", "plain-20")
    (tmp_path / "job.sbatch").write_text(command("slurm", "resnet/cifar10", *rows, *options, "--data.batch_size", "64"))
    job = cluster.submit(tmp_path / "job.sbatch", tmp_path)
    for task, row in enumerate(("resnet-20", "plain-20")):
        out = Path(f"slurm-{job}_{task}.out")
        assert cluster.wait(f"{job}_{task}", "COMPLETED", "FAILED") == "COMPLETED", out.read_text()
        (result,) = Path("runs/resnet/cifar10", row).rglob("result.json")
        assert result.parent.name == f"job-{job}"
        assert json.loads(result.read_text())["row"] == row


def test_two_nodes_make_one_run(submit, cluster):
    job = submit(*SHORT, nodes=2)
    assert cluster.wait(job, "COMPLETED", "FAILED") == "COMPLETED", printed(job)
    (folder,) = Path("runs/quickstart/digits/digits").iterdir()
    assert json.loads((folder / "result.json").read_text())["hardware"]["devices"] == 2


def test_a_requeued_job_goes_on_to_the_bit(submit, cluster, undisturbed):
    job = submit(*LONG)
    until_trained(cluster, job, STEPS // 3)
    cluster.requeue(job)
    assert cluster.wait(job, "COMPLETED", "FAILED") == "COMPLETED", printed(job)
    assert cluster.restarts(job) == 1
    assert weights(run_of(job)) == undisturbed
