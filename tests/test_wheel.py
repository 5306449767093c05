"""A wheel, installed elsewhere, works from an empty directory by recipe name, row and overlay."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
def test_wheel_carries_the_recipes(tmp_path):
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", tmp_path, ROOT]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    site = tmp_path / "site"
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", site, wheel]
    subprocess.run(install, check=True, capture_output=True)
    empty = tmp_path / "empty"
    empty.mkdir()

    def command(*arguments):
        environment = os.environ | {"PYTHONPATH": str(site), "WANDB_MODE": "offline"}
        line = [sys.executable, "-m", "lit_vision", *arguments]
        return subprocess.run(line, cwd=empty, env=environment, check=True, capture_output=True, text=True).stdout

    code = "import lit_vision.experiment.recipes as r; print(r.folder())"
    environment = os.environ | {"PYTHONPATH": str(site)}
    where = subprocess.run(
        [sys.executable, "-c", code], cwd=empty, env=environment, capture_output=True, text=True, check=True
    )
    assert where.stdout.strip() == str(site / "lit_vision" / "recipes")
    assert len(json.loads(command("recipes", "ls", "--json"))) >= 25
    options = ("--trainer.max_steps", "4", "--trainer.val_check_interval", "4", "--run", "run")
    out = command("fit", "--config", "quickstart/digits", "--row", "digits", "--config", "overlays/debug", *options)
    error = json.loads((empty / "run" / "result.json").read_text())["value"]
    assert f"{error:.2f}" in out
    assert f"{error:.2f}" in command("test", "--ckpt_path", "run/checkpoints/last.ckpt")
