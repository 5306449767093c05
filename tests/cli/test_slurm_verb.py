"""The job file that `lit-vision slurm` prints."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import TINY

CLUSTER = ("slurm", "resnet/cifar10", "--config", "overlays/nodes4x8")


def ran(text, tmp_path, code, **environment):
    """What a job file would run: `srun` and `scontrol` only tell their arguments, one a line."""
    for name, end in (("srun", code), ("scontrol", 0)):
        (tmp_path / name).write_text(f'#!/bin/bash\nprintf "%s\\n" {name} "$@"\nexit {end}\n')
        (tmp_path / name).chmod(0o755)
    (tmp_path / "job.sbatch").write_text(text)
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin"} | environment
    done = subprocess.run(["bash", "job.sbatch"], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    return done.stdout.splitlines()


def test_directives_follow_the_configuration(command):
    text = command(*CLUSTER, "--row", "resnet-20", "--partition", "big", "--time", "1:00:00", "--warn", "60")
    asked = {line.removeprefix("#SBATCH --") for line in text.splitlines() if line.startswith("#SBATCH")}
    assert asked >= {"nodes=4", "ntasks-per-node=8", "gpus-per-node=8", "partition=big", "time=1:00:00"}
    assert asked >= {"requeue", "signal=USR1@60", "open-mode=append", "job-name=resnet-cifar10", "output=slurm-%j.out"}
    assert not any(line.startswith("array") for line in asked)


def test_a_row_runs_and_goes_back_into_the_queue_when_it_was_preempted(command, tmp_path):
    text = command(*CLUSTER, "--row", "resnet-110 without warm-up", "--data.max_per_device", "2")
    words = ran(text, tmp_path, 75, SLURM_JOB_ID="12")
    assert words[:4] == ["srun", "--wait=120", "lit-vision", "fit"]
    assert words[words.index("--row") + 1] == "resnet-110 without warm-up"
    assert words[words.index("--run") + 1] == "runs/resnet/cifar10/resnet-110-without-warm-up/job-12"
    assert words[words.index("--data.max_per_device") + 1] == "2"
    assert words[words.index("overlays/nodes4x8") - 1] == "--config"
    assert words[-3:] == ["scontrol", "requeue", "12"]
    assert "scontrol" not in ran(text, tmp_path, 0, SLURM_JOB_ID="12")
    assert "scontrol" not in ran(text, tmp_path, 1, SLURM_JOB_ID="12")


def test_an_array_runs_a_row_in_each_of_its_jobs(command, tmp_path):
    text = command(*CLUSTER, "--row", "resnet-20", "--row", "plain-20", "--run", "my runs")
    assert "#SBATCH --array=0-1\n" in text
    words = ran(text, tmp_path, 0, SLURM_JOB_ID="13", SLURM_ARRAY_JOB_ID="12", SLURM_ARRAY_TASK_ID="1")
    assert words[words.index("--row") + 1] == "plain-20"
    assert words[words.index("--run") + 1] == "my runs/plain-20"
    every = command(*CLUSTER)
    assert "rows=(resnet-20 resnet-32 " in every
    words = ran(every, tmp_path, 0, SLURM_JOB_ID="13", SLURM_ARRAY_JOB_ID="12", SLURM_ARRAY_TASK_ID="0")
    assert words[words.index("--run") + 1] == "runs/resnet/cifar10/resnet-20/job-12"


def test_processes_on_the_cpu_ask_for_no_gpu(command):
    text = command("slurm", "quickstart/digits", "--trainer.devices=2", "--trainer.accelerator", "cpu")
    assert "ntasks-per-node=2" in text
    assert "gpus" not in text


def test_keys_without_a_dot_are_handed_on(command):
    data = ("--data", "lit_vision.data.digits.Digits")
    text = command(*CLUSTER, "--row", "resnet-20", *data, "--seed_everything", "3")
    assert " --data lit_vision.data.digits.Digits --seed_everything 3 " in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("slurm", "resnet/cifar10"), "trainer.devices is 'auto', but a job file needs their number"),
        ((*CLUSTER, "--row", "resnet-21"), "resnet-21"),
        ((*CLUSTER, "--rows", "x"), "lit-vision slurm: unknown option --rows"),
        ((*CLUSTER, "--data.batch_size"), "--data.batch_size needs a value"),
    ],
)
def test_slips(command, arguments, message):
    assert message in command.error(*arguments)


# As SLURM would: starts the tasks, sends the signal before the limit, once, and tells the worst exit code.
SRUN = """
import os, signal, subprocess, sys, time
from pathlib import Path
tasks = [
    subprocess.Popen(sys.argv[2:], env=os.environ | {"SLURM_PROCID": str(n), "SLURM_LOCALID": str(n)})
    for n in range(2)
]
last = Path("run/checkpoints/last.ckpt")
warned = last.exists()
while not warned and all(task.poll() is None for task in tasks):
    time.sleep(0.01)
    if warned := last.exists():
        for task in tasks:
            task.send_signal(signal.SIGUSR1)
sys.exit(max(task.wait(300) for task in tasks))
"""


@pytest.mark.slow
def test_a_preempted_job_goes_on_when_it_is_requeued(command, tmp_path):
    """The real command, two tasks; only `srun` and `scontrol` are stand-ins."""
    options = (*TINY[2:], "--trainer.accelerator", "cpu", "--trainer.devices", "2", "--trainer.strategy", "ddp")
    text = command("slurm", TINY[1], *options, "--checkpoint.every=1", "--run", "run")
    root = Path(__file__).parents[2]
    scripts = {
        "srun": f"#!{sys.executable}{SRUN}",
        "scontrol": '#!/bin/bash\necho "scontrol $@"\n',
        "lit-vision": f'#!/bin/bash\nexec {sys.executable} -m lit_vision "$@"\n',
    }
    for name, content in scripts.items():
        (tmp_path / name).write_text(content)
        (tmp_path / name).chmod(0o755)
    (tmp_path / "job.sbatch").write_text(text)
    place = {"NTASKS": "2", "NTASKS_PER_NODE": "2", "NNODES": "1", "NODEID": "0", "NODELIST": "127.0.0.1"}
    place |= {"JOB_ID": "12", "JOB_NAME": "digits", "JOB_NODELIST": "127.0.0.1"}
    environment = os.environ | {f"SLURM_{name}": value for name, value in place.items()}
    environment |= {"PATH": f"{tmp_path}:/usr/bin:/bin", "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}

    def submit():
        done = subprocess.run(["bash", "job.sbatch"], cwd=tmp_path, env=environment, capture_output=True, text=True)
        return done.returncode, done.stdout, done.stderr

    code, out, err = submit()
    assert code == 75, err
    assert "scontrol requeue 12" in out
    assert not (tmp_path / "run" / "result.json").exists()
    code, out, err = submit()
    assert code == 0, err
    assert "scontrol" not in out
    assert err.count("continuing run") == 1
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert (result["steps"], result["hardware"]["devices"]) == (8, 2)
