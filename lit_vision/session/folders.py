"""Which run folder a command works in, and which checkpoint it goes on from."""

import contextlib
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from lit_vision import console, launch
from lit_vision.callbacks import finite
from lit_vision.errors import InputError
from lit_vision.experiment import compose, yamlio
from lit_vision.experiment.recipes import Experiment
from lit_vision.loggers import wandb_identity
from lit_vision.runs import checkpoints, durable, lock, ownership
from lit_vision.runs import folder as runs
from lit_vision.runs.folder import RunFolder
from lit_vision.session import saved
from lit_vision.session.request import LAST, Request
from lit_vision.sweeps import mark

# Files of a run that has not logged anything.
_OF_A_START = ("config.yaml", "run.json", "metrics.jsonl", lock.FILE)

RUN_VARIABLE = "LIT_VISION_RUN"  # how rank zero hands its run folder to the ranks it launches


def find(request: Request, experiment: Experiment, config: compose.Config) -> RunFolder:
    """The folder to start or to continue; every rank gets the same.

    Raises:
        InputError: If there is none to continue, or it was started with another configuration or is damaged.
    """
    folder = _handed() or _asked(request, experiment, config)
    os.environ[RUN_VARIABLE] = str(folder.path)
    runs.refuse_headless(folder)
    if folder.state:
        runs.refuse_other_configuration(folder, config)
    return folder


def beside(folder: RunFolder, experiment: Experiment) -> RunFolder:
    """Where a later evaluation of a trained run leaves its files: the run's own result stays what its training gave."""
    return RunFolder(folder.path / "tests" / runs.slug(experiment.row or "recipe"))


def start(folder: RunFolder, experiment: Experiment, config: compose.Config, part_of: str = "") -> None:
    """Makes a new run of a folder that exists, on rank zero; one that is a run already stays as it is.

    Args:
        folder: The folder.
        experiment: What runs in it.
        config: Its resolved configuration.
        part_of: Name of the run that this one is a stage of; reports pass over such runs.
    """
    if launch.rank() > 0 or folder.state:
        return
    durable.write_text(folder.config, yamlio.dump(saved.in_folder(experiment, config)))
    folder.note(
        recipe=experiment.name,
        row=experiment.row,
        digest=runs.digest(config),
        seal=ownership.seal(folder),
        wandb_id=wandb_identity.new_id(),
        **({"part_of": part_of} if part_of else {}),
        **mark.read(),
    )


def make(path: Path) -> list[Path]:
    """Makes a folder with its parents, on rank zero; returns those that were not there, the outermost first."""
    if launch.rank() > 0:
        return []
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    path.mkdir(parents=True, exist_ok=True)
    return missing[::-1]


def discard(folder: RunFolder, made: Sequence[Path]) -> None:
    """Takes a start that was refused back, on rank zero, unless the run has left something of its own.

    Args:
        folder: The run's folder.
        made: What `make` gave; a folder that was there before stays, without the run.
    """
    files, folders = _OF_A_START, ("checkpoints", "wandb")
    logged = folder.metrics.is_file() and runs.read_metrics(folder.metrics)
    left = {path.name for path in folder.path.glob("*")} - {*files, *folders}
    kept = logged or any(folder.checkpoints.glob("*")) or (left if made else finite.FILE in left)
    if launch.rank() > 0 or kept:
        return
    for name in files:
        (folder.path / name).unlink(missing_ok=True)
    for name in folders if made else ():
        shutil.rmtree(folder.path / name, ignore_errors=True)
    with contextlib.suppress(OSError):  # another run may have been started beside this one
        for path in reversed(made):
            path.rmdir()


def to_train_from(request: Request, folder: RunFolder) -> str | None:
    """A run continues from its own last checkpoint; a file given by name starts a new run from that state."""
    continuing = bool(folder.state)
    if continuing and (last := checkpoints.recover(folder.checkpoints)):
        console.say(f"continuing {folder.path}")
        return str(last)
    if continuing and folder.metrics.is_file():
        # A file that the run was to start from still counts; under torchrun a late rank sees the new folder, too.
        console.say(f"{folder.path} holds no checkpoint yet; starting it again from the first step")
    elif request.ckpt_path == LAST:
        raise InputError(f"--ckpt_path last: {folder.path} holds no run to continue; leave the option out to start")
    return request.file


def to_evaluate(request: Request, folder: RunFolder) -> str | None:
    """The file that is named, else the last weights of the run that was trained in the folder."""
    if request.file:
        return request.file
    if folder.last.is_file():
        if request.verb == "test" and not folder.finished:
            raise InputError(
                f"{folder.path} is not finished, and the test of half a training would pass for its result;\n"
                f"continue it with lit-vision fit --run {folder.path}, or name the file: --ckpt_path {folder.last}"
            )
        return str(folder.last)
    if request.ckpt_path == LAST:
        raise InputError(f"--ckpt_path last: {folder.path} holds no checkpoint; name a file, or leave it out")
    return None


def _handed() -> RunFolder | None:
    """What rank zero handed to the ranks that it started."""
    handed = os.environ.get(RUN_VARIABLE)
    return RunFolder(Path(handed)) if handed and launch.started_by() is None and launch.rank() > 0 else None


def _asked(request: Request, experiment: Experiment, config: compose.Config) -> RunFolder:
    if request.run:
        return RunFolder(Path(request.run))
    if request.ckpt_path == LAST:
        if request.verb != "fit":
            raise InputError(f"--ckpt_path last: {request.verb} needs to know of which run; give --run DIR")
        return runs.newest_unfinished(experiment.name, experiment.row, runs.digest(config))
    _refuse_unnamed(config)
    return runs.new(experiment.name, experiment.row)


def _refuse_unnamed(config: compose.Config) -> None:
    """Processes that start at the same time, or on other nodes, cannot agree on a name drawn at random."""
    if launch.processes() > 1 or config["trainer"]["num_nodes"] > 1:
        raise InputError(
            "with torchrun, srun or several nodes every process must know the run's folder: give --run DIR"
        )
