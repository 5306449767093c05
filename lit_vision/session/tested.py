"""One pass over an evaluated split with weights that were trained before: a row's protocol, or several networks."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning as L

from lit_vision import console, launch
from lit_vision.callbacks import progress
from lit_vision.callbacks.coverage import Coverage
from lit_vision.callbacks.detections import DetectionFiles
from lit_vision.callbacks.gallery import Gallery
from lit_vision.callbacks.guesses import GuessFiles
from lit_vision.callbacks.memory import OutOfMemory, is_out_of_memory
from lit_vision.callbacks.verdict import Verdict
from lit_vision.diagnosis.callback import Diagnosis
from lit_vision.errors import InputError
from lit_vision.experiment import recipes, yamlio
from lit_vision.experiment.compose import Config
from lit_vision.experiment.recipes import Experiment
from lit_vision.protocols.members import Members
from lit_vision.runs import durable
from lit_vision.runs import folder as runs
from lit_vision.runs.folder import RunFolder
from lit_vision.runs.trained import Trained
from lit_vision.session import folders, saved, weights
from lit_vision.session.assembler import Assembler, assemble


@dataclass(frozen=True)
class Test:
    """What is tested.

    Attributes:
        verb: `validate` prints figures; `fit` and `test` judge the row.
        experiment: The row, on the configuration of the first training.
        folder: Where the files go.
        members: The trainings; one, unless the row is an ensemble.
        trust_code: Whether their checkpoints may name classes of any package.
    """

    verb: str
    experiment: Experiment
    folder: RunFolder
    members: tuple[Trained, ...]
    trust_code: bool = False

    @property
    def changed(self) -> dict[str, Any]:
        """What the trainings and the test changed beyond the hardware."""
        return weights.changed(self.experiment, self.members)

    @property
    def is_ensemble(self) -> bool:
        """Whether the row joins several trainings."""
        return bool(self.experiment.card.rows[self.experiment.row or ""].members)


def run(test: Test) -> int:
    """Tests, and writes what a test leaves; returns the exit code."""
    memory = OutOfMemory()
    callbacks: list[L.Callback] = [*progress.bars(test.experiment.config), Coverage(), memory]
    assembler = assemble(test.experiment, callbacks)
    config = assembler.resolved()
    if test.verb != "validate":
        callbacks += _writers(test, config)
    assembler.build()
    _join(assembler, test)
    if test.verb != "validate":
        _start(test, config)
    assembler.trainer.loggers = []  # the training has logged to W&B already; the report reads the files
    try:
        return _pass(assembler, test)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise memory.told(assembler.trainer, assembler.datamodule.batch_size) from error


def new_folder(experiment: Experiment, named: str | None) -> RunFolder:
    """The folder of a test or an analysis that is of no single training; every rank gets the same.

    Raises:
        InputError: If the named folder is a run already.
    """
    handed = os.environ.get(folders.RUN_VARIABLE)
    if handed and launch.started_by() is None and launch.rank() > 0:
        return RunFolder(Path(handed))
    folder = RunFolder(Path(named)) if named else runs.new(experiment.name, experiment.row)
    if folder.state:
        raise InputError(f"--run {folder.path} is a run already; row {experiment.row!r} needs a folder of its own")
    os.environ[folders.RUN_VARIABLE] = str(folder.path)
    return folder


def _writers(test: Test, config: Config) -> list[L.Callback]:
    path = test.folder.path
    identities = [member.identity for member in test.members]
    stand_in = any(member.stand_in for member in test.members)
    return [
        DetectionFiles(path),
        GuessFiles(path),
        Gallery(path),
        Diagnosis(path),
        Verdict(
            test.experiment,
            test.folder,
            test.changed,
            recipes.identity(config),
            None if test.is_ensemble else identities[0],
            identities if test.is_ensemble else (),
            stand_in,
        ),
    ]


def _start(test: Test, config: Config) -> None:
    """Makes the folder, on rank zero; that of an ensemble is a run."""
    if launch.rank() > 0:
        return
    test.folder.path.mkdir(parents=True, exist_ok=True)
    if test.is_ensemble:
        folders.start(test.folder, test.experiment, config)
    else:
        durable.write_text(test.folder.config, yamlio.dump(saved.in_folder(test.experiment, config)))


def _join(assembler: Assembler, test: Test) -> None:
    """Hands the other members' networks to the protocol.

    Raises:
        InputError: If the protocol joins none or is not for a member, or a member has other classes.
    """
    if not test.is_ensemble:
        return
    model: Any = assembler.model
    joining: Members | None = model.protocol.members
    if joining is None:
        raise InputError(
            f"row {test.experiment.row!r} has members, but its protocol {type(model.protocol).__name__} joins none;\n"
            "set protocol to lit_vision.protocols.ensemble.Mean, or RegionMean or BoxUnion beside it for detectors"
        )
    networks: list[Any] = [weights.network(member, test.trust_code) for member in test.members[1:]]
    for member, network in zip(test.members[1:], networks, strict=True):
        if network.num_classes != model.network.num_classes:
            raise InputError(
                f"{member.folder.path} knows {network.num_classes} classes, but {test.members[0].folder.path} "
                f"{model.network.num_classes}; members of one ensemble know the same"
            )
        model.protocol.check(network)
    joining.join(networks)


def _pass(assembler: Assembler, test: Test) -> int:
    trainer, data = assembler.trainer, assembler.datamodule
    first = test.members[0]
    evaluate = trainer.validate if test.verb == "validate" else trainer.test
    evaluate(assembler.model, datamodule=data, ckpt_path=first.folder.last, weights_only=True, verbose=False)
    if test.verb == "validate" and launch.rank() == 0:
        print(console.figures(trainer.callback_metrics))
    return 0
