"""`fit`, `validate` and `test`: one command from its arguments to its exit code.

`assembler` makes the objects; what Lightning leaves open is decided here and beside: the experiment (`request`), the
run's folder and its continuation (`folders`), what it keeps (`saved`), accumulation and loggers (`preparation`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import lightning as L

from lit_vision import console, launch
from lit_vision.callbacks import preemption
from lit_vision.callbacks.checkpoint import LastCheckpoint
from lit_vision.callbacks.coverage import Coverage
from lit_vision.callbacks.detections import DetectionFiles
from lit_vision.callbacks.finite import FiniteLoss, NonFinite
from lit_vision.callbacks.gallery import Gallery
from lit_vision.callbacks.kept import Keep
from lit_vision.callbacks.memory import OutOfMemory, is_out_of_memory
from lit_vision.callbacks.progress import RunProgress
from lit_vision.callbacks.random_state import RandomStates
from lit_vision.callbacks.throughput import Throughput
from lit_vision.callbacks.verdict import Verdict
from lit_vision.callbacks.workspace import Workspace
from lit_vision.diagnosis.callback import Diagnosis
from lit_vision.errors import InputError
from lit_vision.experiment import compose
from lit_vision.experiment import names as check
from lit_vision.experiment import stages as listed_stages
from lit_vision.experiment.recipes import Experiment
from lit_vision.loggers.wandb import Wandb
from lit_vision.models import counts
from lit_vision.runs import durable
from lit_vision.runs import folder as runs
from lit_vision.runs.folder import RunFolder
from lit_vision.session import folders, preparation, quiet, request, saved, starting
from lit_vision.session.assembler import assemble
from lit_vision.session.request import LAST, Request
from lit_vision.tasks.task import Task


def main(asked: Request) -> int:
    """Runs one verb; returns the exit code."""
    quiet.calm()
    with preemption.leaving_at_once():
        try:
            experiment = request.resolve(asked)
            check.names(experiment)
            if listed := listed_stages.of(experiment):
                from lit_vision.session import stages  # it runs sessions, one after the other

                return stages.run(asked, experiment, listed)
            return Session(asked, experiment).run()
        except preemption.Preempted as stopped:
            return preemption.exit_code(stopped)
        except OSError as error:
            folder = Path(asked.run or runs.ROOT)
            if not durable.is_of_writing(error, folder):
                raise
            raise durable.told(error, Path(error.filename or folder)) from error


@dataclass(frozen=True)
class PartOf:
    """What a session knows of the stages around it.

    Attributes:
        run: Name of the run that this one is an earlier stage of; empty for the last stage and for ordinary runs.
        saved: What the run's `config.yaml` holds, where that is more than the session's own configuration.
        start: Checkpoint by the dotted key of the part that starts from it.
    """

    run: str = ""
    saved: compose.Config | None = None
    start: Mapping[str, Path] = field(default_factory=dict)


class Session:
    """One command from configuration to exit code.

    Args:
        asked: What the command line asks for.
        experiment: What it resolved to.
        part_of: The stages around it.
    """

    def __init__(self, asked: Request, experiment: Experiment, part_of: PartOf | None = None) -> None:
        self.request = asked
        self.experiment = experiment
        self.part_of = part_of or PartOf()
        self.training = asked.verb == "fit"
        self.memory = OutOfMemory()
        self.callbacks: list[L.Callback] = [RunProgress(), Coverage(), self.memory]
        self.assembler = assemble(experiment, self.callbacks)
        self.config = self.assembler.resolved()
        self.saved = self.part_of.saved or self.config
        self.contents: dict[str, Any] = {"config": saved.in_checkpoint(experiment, self.config)}
        self.folder: RunFolder | None = None
        self.ckpt_path = asked.ckpt_path

    def run(self) -> int:
        """Finds the run folder, builds, runs, closes."""
        for line in self.experiment.dropped:
            console.say(f"dropped with its class: {line}")
        if self.training or self.request.run or self.request.ckpt_path in (None, LAST):
            self.folder = folders.find(self.request, self.experiment, self.saved)
            if self.folder.finished and self.training:
                _print(f"{self.folder.path} is finished; its result is in {self.folder.result}")
                return 0
            self._attach(self.folder)
        self._build()
        try:
            return self._closing(self._fit if self.training else self._evaluate)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            raise self.memory.told(self.assembler.trainer, self.assembler.datamodule.batch_size) from error

    def _attach(self, folder: RunFolder) -> None:
        """Starts or continues the folder, and adds the callbacks that write into it."""
        durable.refuse_links(folder.path)
        choose = folders.to_train_from if self.training else folders.to_evaluate
        self.ckpt_path = choose(self.request, folder)
        changed = compose.flatten(self.experiment.config)
        self.callbacks += [
            RandomStates(),
            LastCheckpoint(folder.checkpoints, self.contents, Keep(**(self.config.get("checkpoint") or {}))),
            FiniteLoss(folder.path, NonFinite(**(self.config.get("nonfinite") or {}))),
            DetectionFiles(folder.path),
            Gallery(folder.path),
            Diagnosis(folder.path),
            Throughput(),
            Workspace(folder),
            # Last, for its `result.json` says that the run is finished.
            Verdict(self.experiment, folder, {key: changed.get(key) for key in self.experiment.changed}),
        ]
        folders.start(folder, self.experiment, self.saved, self.part_of.run)

    def _build(self) -> None:
        """Builds data, model and trainer, and settles what depends on them."""
        self.assembler.build()
        trainer, data = self.assembler.trainer, self.assembler.datamodule
        self._refuse_other_classes()
        self.contents |= saved.for_prediction(data, self.config)
        preparation.accumulate(trainer, data)
        content = saved.in_folder(self.experiment, self.saved)
        preparation.connect_loggers(trainer, self.folder, content, self.training)

    def _refuse_other_classes(self) -> None:
        """The class count comes from the data; a recipe that says otherwise is an error naming both."""
        said = compose.flatten(self.experiment.config)
        data: Any = self.assembler.datamodule
        key = "model.network.num_classes"
        if key in said and said[key] != data.num_classes:
            raise InputError(
                f"{self.experiment.source_of(key)}: {key} is {said[key]}, but {type(data).__name__} has "
                f"{data.num_classes} classes; leave the key out, and it follows the data"
            )

    def _closing(self, work: Any) -> int:
        """Does the work, and closes W&B with its exit code whatever happens."""
        code = 1
        try:
            code = work()
        except (SystemExit, KeyboardInterrupt) as stopped:
            code = self._interrupted(stopped)
        finally:
            for logger in self.assembler.trainer.loggers:
                if isinstance(logger, Wandb):
                    logger.finish(code)
        return code

    def _fit(self) -> int:
        trainer, model, data = self.assembler.trainer, self.assembler.model, self.assembler.datamodule
        assert self.folder is not None
        # Other ranks have no file to mark, and the checkpoint may still be getting its name back from rank zero.
        if launch.rank() == 0:
            preparation.mark_metrics(self.folder, self.ckpt_path)
        if isinstance(model, Task):
            console.say(f"{counts.parameters(model.network):,} parameters")
        console.say(f"run: {self.folder.path}")
        if self.ckpt_path is None:
            starting.fill(model, self.part_of.start)
        trainer.fit(model, datamodule=data, ckpt_path=self.ckpt_path, weights_only=True)
        trainer.test(model, datamodule=data, ckpt_path=self.folder.last, weights_only=True, verbose=False)
        return 0

    def _evaluate(self) -> int:
        """A `validate` or `test` pass; with a checkpoint alone it prints figures and leaves no run folder."""
        trainer = self.assembler.trainer
        verb = getattr(trainer, self.request.verb)
        model, data = self.assembler.model, self.assembler.datamodule
        verb(model, datamodule=data, ckpt_path=self.ckpt_path, weights_only=True, verbose=False)
        if self.folder is None or self.request.verb == "validate":
            _print(console.figures(trainer.callback_metrics))
        return 0

    def _interrupted(self, stopped: BaseException) -> int:
        if self.folder and self.folder.last.is_file():
            _print(f"stopped; continue with the same command and --ckpt_path last, or --run {self.folder.path}")
        return preemption.exit_code(stopped)


def _print(text: str) -> None:
    """The answer of a command, once for all ranks."""
    if launch.rank() == 0:
        print(text)
