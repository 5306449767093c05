"""A run of several stages: the earlier ones in `stages/` of the run's folder, the last one in the folder itself.

So the run's checkpoint, figures and result are those of the last stage, and everything that takes a run takes this one.
A stage is begun once those before it have a result; each survives what a run survives.
"""

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

from lit_vision import console, launch
from lit_vision.errors import InputError
from lit_vision.experiment import names as check
from lit_vision.experiment import stages
from lit_vision.experiment.recipes import Experiment
from lit_vision.experiment.stages import Stage
from lit_vision.runs import durable
from lit_vision.runs.folder import RunFolder
from lit_vision.session import folders, limits, proposing, resolution, weights
from lit_vision.session.request import Request
from lit_vision.session.session import PartOf, Session


class _Place(NamedTuple):
    """A stage, the ordinary experiment that it is, and its folder."""

    stage: Stage
    experiment: Experiment
    folder: RunFolder


class Staged:
    """One verb of an experiment with stages; offers what a `Session` does.

    Args:
        asked: What the command line asks for.
        whole: What it resolved to.
        listed: Its stages.

    Attributes:
        config: What the run's `config.yaml` holds and its digest covers.
        folder: The run's folder, once it runs.

    Raises:
        InputError: A stage does not resolve, or a test names no run whose stages were trained.
    """

    def __init__(self, asked: Request, whole: Experiment, listed: Sequence[Stage]) -> None:
        self.asked = asked
        self.whole = whole
        self.listed = list(listed)
        self.experiments = [stages.experiment_of(stage, whole, stage is listed[-1]) for stage in listed]
        for stage, experiment in zip(listed, self.experiments, strict=True):
            check.names(experiment)
            limits.refuse(experiment, asked.verb == "fit" and not stage.joins)
            limits.refuse_unknown_hardware(experiment)
        self.config = resolution.resolved(whole, listed[-1].name)
        self.folder: RunFolder | None = None
        if asked.verb != "fit" and not asked.run:
            names = ", ".join(stage.name for stage in listed)
            raise InputError(f"{whole.name} is trained in stages ({names}); give the run to {asked.verb} by --run DIR")

    def run(self) -> int:
        """Runs the stages that are not done yet; returns the exit code.

        Raises:
            InputError: There are several devices, or the folder is another run's.
        """
        self.folder = folder = folders.find(self.asked, self.whole, self.config)
        *earlier, last = self._places(folder)
        around = PartOf()
        if self.asked.verb == "fit" and not folder.finished:
            around = PartOf(origin=weights.origin(self.whole, folder.state.get("starts_from")))
            folders.make(folder.path)
            durable.refuse_links(folder.path)  # `stages` itself, or a stage, may be one
            folders.start(folder, self.whole, self.config)
            if around.origin:
                folder.note(starts_from=str(around.origin.folder.path))
            for place in earlier:
                if code := _run_earlier(place, folder, self.asked, around):
                    return code
            console.say(f"stage {last.stage.name}, the last of {len(self.listed)}")
        asked = dataclasses.replace(self.asked, run=str(folder.path))
        return _session(last, folder, asked, dataclasses.replace(around, saved=self.config)).run()

    def _places(self, folder: RunFolder) -> list[_Place]:
        """The stages with their folders; the last one's is the run's."""
        below = [folder.stage(stage.name) for stage in self.listed[:-1]]
        return [_Place(*each) for each in zip(self.listed, self.experiments, [*below, folder], strict=True)]


def _run_earlier(place: _Place, whole: RunFolder, asked: Request, around: PartOf) -> int:
    """Trains or proposes, unless that is done."""
    stage = place.stage
    if not stage.trains:
        proposing.propose(whole.stage(stage.propose), place.folder.path, stage.splits, stage.limit)
        return 0
    if place.folder.finished:
        return 0
    console.say(f"stage {stage.name}")
    request = dataclasses.replace(asked, run=str(place.folder.path), ckpt_path=None)
    return _session(place, whole, request, around).run()


def _session(place: _Place, whole: RunFolder, asked: Request, around: PartOf) -> Session:
    """The session of a training stage, with what earlier stages hand on."""
    proposing.hand_on(place.stage, place.experiment, whole)
    start = {key: whole.stage(name).last for key, name in place.stage.start.items()}
    part_of = "" if place.folder == whole else whole.path.name
    session = Session(asked, place.experiment, dataclasses.replace(around, run=part_of, start=start))
    _refuse_several_devices(session)
    return session


def _refuse_several_devices(session: Session) -> None:
    trainer = session.config["trainer"]
    if launch.processes() > 1 or trainer["num_nodes"] > 1 or trainer["devices"] not in ("auto", 1, "1", [0]):
        raise InputError(
            f"stages run in one process so far, but trainer.devices is {trainer['devices']}; give --trainer.devices 1"
        )
