"""Both quickstarts, by the README's command on two processes: the figures are those of one process."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests import record

ROOT = Path(__file__).parents[2]
SHORTER = {
    "quickstart/digits": (),
    "quickstart/digit_scenes": ("--trainer.max_steps", "20", "--data.train", "64", "--data.test", "40"),
}


def run(folder, *arguments):
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "WANDB_MODE": "offline"}
    command = [sys.executable, "-m", "lit_vision", *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=1200)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("recipe", SHORTER)
def test_two_processes_give_the_figures_of_one(tmp_path, recipe):
    command = rf"^lit-vision (fit --config {recipe} .*--trainer.devices 2 .*)$"
    (arguments,) = re.findall(command, (ROOT / "README.md").read_text(), re.M)
    run(tmp_path, *arguments.split(), *SHORTER[recipe], "--run", "run")
    together = json.loads((tmp_path / "run" / "result.json").read_text())
    assert together["hardware"]["devices"] == 2
    found = {name: value for name, value in together["figures"].items() if name.startswith("test/")}
    # One process, on the weights that two have trained.
    printed = run(tmp_path, "test", "--ckpt_path", "run/checkpoints/last.ckpt")
    alone = dict(re.findall(r"^(test/\S+) +(\S+)$", printed, re.M))
    assert alone.keys() <= found.keys()
    assert len(alone) >= 3
    for name, value in alone.items():
        assert value == ("nan" if found[name] is None else f"{found[name]:.2f}"), name
    if recipe == "quickstart/digits":
        assert found["test/error"] <= 3.0  # the recipe's own bound
    record.append(what="quickstart on two processes", of=recipe, number=len(alone), world_size=2)
