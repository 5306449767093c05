"""`fit`, `validate` and `test`: one command from its arguments to its exit code.

`assembler` makes the objects; what Lightning leaves open is decided here and beside: the experiment (`request`), the
run's folder and its continuation (`folders`), what it keeps (`saved`), accumulation and loggers (`preparation`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lightning as L
from lightning.fabric.utilities.exceptions import MisconfigurationException

from lit_vision import console, errors, launch
from lit_vision.callbacks import preemption, progress, provenance
from lit_vision.callbacks.checkpoint import LastCheckpoint
from lit_vision.callbacks.coverage import Coverage
from lit_vision.callbacks.detections import DetectionFiles
from lit_vision.callbacks.finite import FiniteLoss, NonFinite
from lit_vision.callbacks.gallery import Gallery
from lit_vision.callbacks.guesses import GuessFiles
from lit_vision.callbacks.kept import Keep
from lit_vision.callbacks.memory import OutOfMemory, is_out_of_memory
from lit_vision.callbacks.provenance import Provenance
from lit_vision.callbacks.random_state import RandomStates
from lit_vision.callbacks.same_data import SameData
from lit_vision.callbacks.throughput import Throughput
from lit_vision.callbacks.verdict import Verdict
from lit_vision.callbacks.workspace import Workspace
from lit_vision.diagnosis.callback import Diagnosis
from lit_vision.errors import InputError
from lit_vision.experiment import card as cards
from lit_vision.experiment import compose, recipes
from lit_vision.experiment import names as check
from lit_vision.experiment import stages as listed_stages
from lit_vision.experiment.recipes import Experiment
from lit_vision.loggers.wandb import Wandb
from lit_vision.models import counts
from lit_vision.runs import durable, lock
from lit_vision.runs import folder as runs
from lit_vision.runs.folder import RunFolder
from lit_vision.runs.trained import Trained
from lit_vision.session import folders, limits, origins, preparation, quiet, rows, saved, starting, weights
from lit_vision.session.assembler import assemble
from lit_vision.session.request import Request
from lit_vision.tasks.task import Task

if TYPE_CHECKING:
    from lit_vision.session.stages import Staged


def main(asked: Request, experiment: Experiment) -> int:
    """Runs one verb on what it resolved to; returns the exit code."""
    quiet.calm()
    with preemption.leaving_at_once():
        try:
            with errors.alike():
                check.names(experiment)
            if rows.stands_on_others(asked, experiment):
                return rows.run(asked, experiment, _of)
            return _of(asked, experiment).run()
        except preemption.Preempted as stopped:
            return preemption.exit_code(stopped)
        except OSError as error:
            folder = Path(asked.run or runs.ROOT)
            if not durable.is_of_writing(error, folder):
                raise
            raise durable.told(error, Path(error.filename or folder)) from error


def _of(asked: Request, experiment: Experiment) -> "Session | Staged":
    """The session of a training, or of several in a row."""
    if listed := listed_stages.of(experiment):
        from lit_vision.session.stages import Staged  # it runs sessions, one after the other

        return Staged(asked, experiment, listed)
    with errors.alike():
        limits.refuse(experiment, asked.verb == "fit")
        limits.refuse_unknown_hardware(experiment)
    return Session(asked, experiment)


@dataclass(frozen=True)
class PartOf:
    """What a session knows of the stages around it.

    Attributes:
        run: Name of the run that this one is an earlier stage of; empty for the last stage and for ordinary runs.
        saved: What the run's `config.yaml` holds, where that is more than the session's own configuration.
        start: Checkpoint by the dotted key of the part that starts from it.
        origin: The training whose weights come before those, if the row starts from another row's.
    """

    run: str = ""
    saved: compose.Config | None = None
    start: Mapping[str, Path] = field(default_factory=dict)
    origin: Trained | None = None


class Session:
    """One command from configuration to exit code.

    Args:
        asked: What the command line asks for.
        experiment: What it resolved to.
        part_of: The stages around it.
    """

    @errors.alike()
    def __init__(self, asked: Request, experiment: Experiment, part_of: PartOf | None = None) -> None:
        self.request = asked
        self.experiment = experiment
        self.part_of = part_of or PartOf()
        self.training = asked.verb == "fit"
        self.memory = OutOfMemory()
        self.callbacks: list[L.Callback] = [*progress.bars(experiment.config), Coverage(), self.memory]
        self.assembler = assemble(experiment, self.callbacks)
        self.config = self.assembler.resolved()
        self.saved = self.part_of.saved or self.config
        self.contents: dict[str, Any] = {"config": saved.in_checkpoint(experiment, self.config)}
        self.folder: RunFolder | None = None
        self.place: RunFolder | None = None  # where the files go: the folder, or one below for a later test
        self.claim: lock.Claim | None = None
        self.made: list[Path] = []
        self.ckpt_path = asked.file
        self.changed = experiment.changes()

    def run(self) -> int:
        """Finds the run folder, builds, runs, closes; a start that is refused leaves no folder."""
        for line in self.experiment.dropped:
            console.say(f"dropped with its class: {line}")
        if self._keeps_files():
            with errors.alike():
                self.folder = folders.find(self.request, self.experiment, self.saved)
            if self.folder.finished and self.training:
                _print(f"{self.folder.path} is finished; its result is in {self.folder.result}")
                return 0
        try:
            return self._run()
        finally:
            if self.claim:
                self.claim.release()

    def _run(self) -> int:
        is_new = bool(self.folder and not self.folder.state)
        if self.folder:
            with errors.alike():
                self._attach(self.folder)
        try:
            with errors.alike():
                self._build()
            if self.folder and self.place:
                self._start(self.folder, self.place)
            content = saved.in_folder(self.experiment, self.saved)
            later = self.place is not self.folder
            preparation.connect_loggers(self.assembler.trainer, None if later else self.folder, content)
            return self._closing(self._fit if self.training else self._evaluate)
        except InputError:
            if self.folder and self.place and (is_new or self.place is not self.folder):
                folders.discard(self.place, self.made)
            raise

    def _keeps_files(self) -> bool:
        """Whether the command works in a run's folder: not in a rehearsal, nor when a mere checkpoint is evaluated."""
        if self.config["trainer"]["fast_dev_run"]:
            return False
        return self.training or bool(self.request.run) or self.request.file is None

    def _attach(self, folder: RunFolder) -> None:
        """Chooses where to go on from, and adds the callbacks that write."""
        durable.refuse_links(folder.path)
        if folder.path.is_dir():
            self.claim = lock.Claim(folder.path)
        choose = folders.to_train_from if self.training else folders.to_evaluate
        self.ckpt_path = choose(self.request, folder)
        if not self.training:
            origins.refuse_untrained(self.request.verb, self.experiment, self.config, self.ckpt_path)
        later = not self.training and folder.last.is_file()
        place = self.place = folders.beside(folder, self.experiment) if later else folder
        changed, identity = self.changed, recipes.identity(self.config)
        trained = origins.of(self.ckpt_path) if self.ckpt_path and launch.rank() == 0 else None
        changed |= provenance.of_training(trained, self.experiment) if trained else {}
        keep = Keep(**(self.config.get("checkpoint") or {}))
        self.callbacks += [
            SameData(folder, beside=later),
            Provenance(self.experiment, identity, changed, self.contents),
            RandomStates(),
            LastCheckpoint(folder.checkpoints, self.contents, keep),
            FiniteLoss(folder.path, NonFinite(**(self.config.get("nonfinite") or {}))),
            DetectionFiles(place.path),
            GuessFiles(place.path),
            Gallery(place.path),
            Diagnosis(place.path),
            Throughput(),
            Workspace(place),
            # Last, for its `result.json` says that the run is finished.
            Verdict(self.experiment, place, changed, identity, None if self.training else trained),
        ]

    def _build(self) -> None:
        """Builds data, model and trainer, and settles what depends on them."""
        self.assembler.build()
        trainer, data = self.assembler.trainer, self.assembler.datamodule
        self._refuse_other_classes()
        self.contents |= saved.for_prediction(data, self.config)
        preparation.accumulate(trainer, data, self.training)
        if self.training:
            preparation.try_optimizer(self.assembler.model)
        if self.ckpt_path and launch.rank() == 0:  # beyond, a file may just be getting its name back from rank zero
            preparation.refuse_unfit(self.ckpt_path, self.assembler.model, data, self.training)

    def _start(self, folder: RunFolder, place: RunFolder) -> None:
        """Makes the folder, now that nothing speaks against the run any more, and claims it."""
        self.made = folders.make(place.path)
        if self.claim is None:
            self.claim = lock.Claim(folder.path)
        folders.start(folder, self.experiment, self.saved, self.part_of.run)

    def _refuse_other_classes(self) -> None:
        """The class count comes from the data; a recipe that says otherwise is an error naming both."""
        said = compose.flatten(self.experiment.config)
        data: Any = self.assembler.datamodule
        if (row := self.experiment.expected()) and not self.experiment.changed:
            cards.check_classes(row, data.class_names, f"{self.experiment.name}: card.rows.{self.experiment.row}")
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
        except MisconfigurationException as error:
            raise InputError(f"the run is refused: {console.first_line(error)}") from error
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            if isinstance(error, InputError) or not preparation.met_in_restoring(error):
                raise
            raise InputError(
                f"--ckpt_path {self.ckpt_path} cannot be restored into this run ({console.first_line(error)});\n"
                "go on with the configuration that it was written with"
            ) from error
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            raise self.memory.told(self.assembler.trainer, self.assembler.datamodule.batch_size) from error
        finally:
            for logger in self.assembler.trainer.loggers:
                if isinstance(logger, Wandb):
                    logger.finish(code)
        return code

    def _fit(self) -> int:
        trainer, model, data = self.assembler.trainer, self.assembler.model, self.assembler.datamodule
        if isinstance(model, Task):
            console.say(f"{counts.parameters(model.network):,} parameters")
        if self.folder is None:
            trainer.fit(model, datamodule=data, ckpt_path=self.ckpt_path, weights_only=True)
            trainer.test(model, datamodule=data, verbose=False)
            _print("trainer.fast_dev_run: it runs, and nothing is kept")
            return 0
        # Other ranks have no file to mark, and the checkpoint may still be getting its name back from rank zero.
        if launch.rank() == 0:
            preparation.mark_metrics(self.folder, self.ckpt_path)
        if self.ckpt_path is None:
            self._begin(model)
        trainer.fit(model, datamodule=data, ckpt_path=self.ckpt_path, weights_only=True)
        trainer.test(model, datamodule=data, ckpt_path=self.folder.last, weights_only=True, verbose=False)
        return 0

    def _begin(self, model: Any) -> None:
        """Fills what starts from other runs; what these changed, this one changes too."""
        if origin := self.part_of.origin or weights.origin(self.experiment):
            starting.take_over(model.network, origin)
            self.changed |= origin.changed
            if self.folder and launch.rank() == 0:
                self.folder.note(starts_from=str(origin.folder.path))
        starting.fill(model, self.part_of.start)

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
