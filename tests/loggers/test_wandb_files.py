"""W&B's caches stay in the run's folder and have a cap."""

import os
from pathlib import Path

from lit_vision.loggers import wandb_files


def test_caches_go_below_the_run_s_folder():
    for run in ("one", "two"):  # the second run of a process has caches of its own
        wandb_files.keep_local(Path(run))
        here = Path.cwd() / run / "wandb"
        assert os.environ["WANDB_CACHE_DIR"] == str(here / "cache")
        assert os.environ["WANDB_DATA_DIR"] == str(here / "staging")
        assert os.environ["WANDB_ARTIFACT_DIR"] == str(here / "artifacts")


def test_a_cache_that_the_user_has_placed_stays(monkeypatch):
    monkeypatch.setenv("WANDB_CACHE_DIR", "/scratch/cache")
    wandb_files.keep_local(Path("run"))
    assert os.environ["WANDB_CACHE_DIR"] == "/scratch/cache"
    assert os.environ["WANDB_DATA_DIR"] == str(Path.cwd() / "run" / "wandb" / "staging")


def test_the_cap_removes_what_was_used_longest_ago():
    folder = Path("run/wandb/cache/artifacts/obj")
    folder.mkdir(parents=True)
    staged = Path("run/wandb/staging/tmp0")
    staged.parent.mkdir()
    staged.write_bytes(b"x" * 100)
    for age, name in enumerate(("new", "old", "oldest")):
        (folder / name).write_bytes(b"x" * 10)
        os.utime(folder / name, (1000 - age, 1000))
    assert wandb_files.cap(Path("run"), limit=30) == 0
    assert wandb_files.cap(Path("run"), limit=15) == 20
    assert [path.name for path in folder.iterdir()] == ["new"]
    assert staged.is_file()  # an offline piece that was not sent yet refers to it
    assert wandb_files.cap(Path("elsewhere")) == 0
