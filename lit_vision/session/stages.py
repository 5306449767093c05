"""A run of several stages: the earlier ones in `stages/` of the run's folder, the last one in the folder itself.

So the run's checkpoint, figures and result are those of the last stage, and everything that takes a run takes this one.
A stage is begun once those before it have a result; each survives what a run survives.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from lit_vision import console, launch
from lit_vision.errors import InputError
from lit_vision.experiment import compose, stages
from lit_vision.experiment import names as check
from lit_vision.experiment.recipes import Experiment
from lit_vision.experiment.stages import Stage
from lit_vision.runs import durable
from lit_vision.runs import folder as runs
from lit_vision.runs.folder import RunFolder
from lit_vision.session import folders, limits, proposing, resolution
from lit_vision.session.request import Request
from lit_vision.session.session import PartOf, Session


class _Place(NamedTuple):
    """A stage, the ordinary experiment that it is, and its folder."""

    stage: Stage
    experiment: Experiment
    folder: RunFolder


def run(asked: Request, whole: Experiment, listed: Sequence[Stage]) -> int:
    """Runs one verb of an experiment with stages; returns the exit code.

    Raises:
        InputError: A stage does not resolve; several devices; a test without the run whose stages were trained.
    """
    names = [stage.name for stage in listed]
    experiments = [stages.experiment_of(stage, whole, stage is listed[-1]) for stage in listed]
    for stage, experiment in zip(listed, experiments, strict=True):
        check.names(experiment)
        limits.refuse(experiment, asked.verb == "fit" and not stage.joins)
        limits.refuse_unknown_hardware(experiment)
    # What the run's `config.yaml` holds and its digest covers.
    saved = resolution.resolved(whole, names[-1])
    if asked.verb != "fit" and not asked.run:
        raise InputError(
            f"{whole.name} is trained in stages ({', '.join(names)}); give the run to {asked.verb} by --run DIR"
        )
    folder = folders.find(asked, whole, saved)
    places = [
        _Place(stage, experiment, folder if stage is listed[-1] else RunFolder(_folder_of(folder, stage.name)))
        for stage, experiment in zip(listed, experiments, strict=True)
    ]
    if asked.verb == "fit" and not folder.finished:
        folders.make(folder.path)
        durable.refuse_links(folder.path)  # `stages` itself, or a stage, may be one
        folders.start(folder, whole, saved)
        for place in places[:-1]:
            if code := _run_earlier(place, folder, asked):
                return code
        console.say(f"stage {names[-1]}, the last of {len(names)}")
    last = dataclasses.replace(asked, run=str(folder.path))
    return _session(places[-1], folder, last, saved).run()


def _folder_of(folder: RunFolder, name: str) -> Path:
    return folder.path / "stages" / runs.slug(name)


def _run_earlier(place: _Place, whole: RunFolder, asked: Request) -> int:
    """Trains or proposes, unless that is done."""
    stage = place.stage
    if not stage.trains:
        source = RunFolder(_folder_of(whole, stage.propose))
        proposing.propose(source, place.folder.path, stage.splits, stage.limit)
        return 0
    if place.folder.finished:
        return 0
    console.say(f"stage {stage.name}")
    request = dataclasses.replace(asked, run=str(place.folder.path), ckpt_path=None)
    return _session(place, whole, request).run()


def _session(place: _Place, whole: RunFolder, asked: Request, saved: compose.Config | None = None) -> Session:
    """The session of a training stage, with what earlier stages hand on."""
    stage = place.stage
    if stage.proposals:
        files = proposing.files(_folder_of(whole, stage.proposals))
        compose.set_key(place.experiment.config, "data.proposals", {split: str(file) for split, file in files.items()})
    start = {key: RunFolder(_folder_of(whole, name)).last for key, name in stage.start.items()}
    part_of = "" if place.folder == whole else whole.path.name
    session = Session(asked, place.experiment, PartOf(part_of, saved, start))
    _refuse_several_devices(session)
    return session


def _refuse_several_devices(session: Session) -> None:
    trainer = session.config["trainer"]
    if launch.processes() > 1 or trainer["num_nodes"] > 1 or trainer["devices"] not in ("auto", 1, "1", [0]):
        raise InputError(
            f"stages run in one process so far, but trainer.devices is {trainer['devices']}; give --trainer.devices 1"
        )
