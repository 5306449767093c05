"""`fit`, `validate` and `test`: one command from its arguments to its exit code.

`assembler` makes the objects; what Lightning leaves open is decided here: recipes and rows, run folders and their
continuation, accumulation from `data.max_per_device`, and the verdict after the test pass.
"""

import copy
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import lightning as L

from lit_vision import console, launch
from lit_vision.callbacks import preemption, provenance
from lit_vision.callbacks.checkpoint import LastCheckpoint
from lit_vision.callbacks.coverage import Coverage
from lit_vision.callbacks.detections import DetectionFiles
from lit_vision.callbacks.finite import FiniteLoss, NonFinite
from lit_vision.callbacks.gallery import Gallery
from lit_vision.callbacks.kept import Keep
from lit_vision.callbacks.memory import OutOfMemory, is_out_of_memory
from lit_vision.callbacks.progress import RunProgress
from lit_vision.callbacks.provenance import Provenance
from lit_vision.callbacks.random_state import RandomStates
from lit_vision.callbacks.throughput import Throughput
from lit_vision.callbacks.verdict import Verdict
from lit_vision.callbacks.workspace import Workspace
from lit_vision.diagnosis.callback import Diagnosis
from lit_vision.errors import InputError
from lit_vision.experiment import card as cards
from lit_vision.experiment import compose, recipes, typed, yamlio
from lit_vision.experiment import names as check
from lit_vision.experiment.recipes import Experiment
from lit_vision.loggers import wandb_identity
from lit_vision.loggers.metrics_file import MetricsFile
from lit_vision.loggers.wandb import Wandb
from lit_vision.models import counts
from lit_vision.runs import checkpoints, durable, versions
from lit_vision.runs import folder as runs
from lit_vision.runs.folder import RunFolder
from lit_vision.runs.results import Trained
from lit_vision.session import quiet
from lit_vision.session.assembler import assemble
from lit_vision.sweeps import mark
from lit_vision.tasks.task import Task

LAST = "last"
RUN_VARIABLE = "LIT_VISION_RUN"  # how rank zero hands its run folder to the ranks it launches


@dataclass
class Request:
    """What the command line asks for.

    Attributes:
        verb: `fit`, `validate` or `test`.
        configs: Recipe and overlays.
        row: Row of the recipe.
        run: Folder named by the user.
        ckpt_path: A checkpoint file, or `last`.
        trust_code: Whether a checkpoint may name classes of any package.
        options: Dotted keys and values, in order.
    """

    verb: str
    configs: list[str] = field(default_factory=list)
    row: str | None = None
    run: str | None = None
    ckpt_path: str | None = None
    trust_code: bool = False
    options: list[tuple[str, Any]] = field(default_factory=list)


def main(request: Request) -> int:
    """Runs one verb; returns the exit code."""
    quiet.calm()
    with preemption.leaving_at_once():
        try:
            experiment = _experiment(request)
            check.names(experiment)
            return Session(request, experiment).run()
        except preemption.Preempted as stopped:
            return preemption.exit_code(stopped)
        except OSError as error:
            folder = Path(request.run or runs.ROOT)
            if not durable.is_of_writing(error, folder):
                raise
            raise durable.told(error, Path(error.filename or folder)) from error


class Session:
    """One command from configuration to exit code.

    Args:
        request: What the command line asks for.
        experiment: What it resolved to.
    """

    def __init__(self, request: Request, experiment: Experiment) -> None:
        self.request = request
        self.experiment = experiment
        self.memory = OutOfMemory()
        self.callbacks: list[L.Callback] = [RunProgress(), Coverage(), self.memory]
        self.assembler = assemble(experiment, self.callbacks)
        self.config = self.assembler.resolved()
        self.contents: dict[str, Any] = {"config": self._portable()}
        self.folder: RunFolder | None = None
        self.ckpt_path = request.ckpt_path

    def run(self) -> int:
        """Finds the run folder, builds, runs, closes."""
        for line in self.experiment.dropped:
            console.say(f"dropped with its class: {line}")
        if self.request.verb == "fit" or self.request.run or self.request.ckpt_path in (None, LAST):
            self.folder = self._find_folder()
            if self.folder.finished and self.request.verb == "fit":
                _print(f"{self.folder.path} is finished; its result is in {self.folder.result}")
                return 0
            self._attach(self.folder)
        self.assembler.build()
        self._refuse_other_classes()
        self._add_what_prediction_needs()
        self._prepare_trainer()
        code = 1
        try:
            code = self._fit() if self.request.verb == "fit" else self._evaluate()
        except (SystemExit, KeyboardInterrupt) as stopped:
            code = self._interrupted(stopped)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            raise self.memory.told(self.assembler.trainer, self.assembler.datamodule.batch_size) from error
        finally:
            for logger in self.assembler.trainer.loggers:
                if isinstance(logger, Wandb):
                    logger.finish(code)
        return code

    def _find_folder(self) -> RunFolder:
        """The folder to start or to continue; every rank gets the same."""
        handed = os.environ.get(RUN_VARIABLE)
        if handed and launch.started_by() is None and launch.rank() > 0:
            folder = RunFolder(Path(handed))
        elif self.request.run:
            folder = RunFolder(Path(self.request.run))
        elif self.request.ckpt_path == LAST:
            if self.request.verb != "fit":
                raise InputError(f"--ckpt_path last: {self.request.verb} needs to know of which run; give --run DIR")
            identity = runs.digest(self.config)
            folder = runs.newest_unfinished(self.experiment.name, self.experiment.row, identity)
        else:
            self._refuse_unnamed()
            folder = runs.new(self.experiment.name, self.experiment.row)
        os.environ[RUN_VARIABLE] = str(folder.path)
        runs.refuse_headless(folder)
        if folder.state:
            runs.refuse_other_configuration(folder, self.config)
        return folder

    def _refuse_unnamed(self) -> None:
        """Processes that start at the same time, or on other nodes, cannot agree on a name drawn at random."""
        if launch.processes() > 1 or self.config["trainer"]["num_nodes"] > 1:
            raise InputError(
                "with torchrun, srun or several nodes every process must know the run's folder: give --run DIR"
            )

    def _attach(self, folder: RunFolder) -> None:
        """Starts or continues the folder, and adds the callbacks that write into it."""
        if self.request.verb == "fit":
            self._choose_checkpoint(folder)
        elif self.request.ckpt_path in (None, LAST):
            self._choose_trained(folder)
        self._refuse_untrained()
        changed, identity = self.experiment.changes(), recipes.identity(self.config)
        trained = self._trained() if self.ckpt_path and launch.rank() == 0 else None
        changed |= provenance.of_training(trained, self.experiment) if trained else {}
        away = trained if self.request.verb != "fit" and self.ckpt_path != str(folder.last) else None
        self.callbacks += [
            Provenance(self.experiment, identity, changed, self.contents),
            RandomStates(),
            LastCheckpoint(folder.checkpoints, self.contents, Keep(**(self.config.get("checkpoint") or {}))),
            FiniteLoss(folder.path, NonFinite(**(self.config.get("nonfinite") or {}))),
            DetectionFiles(folder.path),
            Gallery(folder.path),
            Diagnosis(folder.path),
            Throughput(),
            Workspace(folder),
            # Last, for its `result.json` says that the run is finished.
            Verdict(self.experiment, folder, changed, identity, away),
        ]
        if launch.rank() == 0 and not folder.state:
            folder.path.mkdir(parents=True, exist_ok=True)
            durable.write_text(folder.config, yamlio.dump(self._saved()))
            folder.note(
                recipe=self.experiment.name,
                row=self.experiment.row,
                digest=runs.digest(self.config),
                wandb_id=wandb_identity.new_id(),
                **mark.read(),
            )

    def _refuse_untrained(self) -> None:
        """A test of random weights would pass for the row's figure."""
        model = self.config["model"].get("init_args") or {}
        network = (model.get("network") or {}).get("init_args") or {}
        row = self.experiment.expected()
        needs = "optimizer" in model and not network.get("weights") and not (row and row.members)
        if self.request.verb == "test" and needs and self.ckpt_path is None:
            raise InputError(
                f"test of {self.experiment.name} needs trained weights: name a finished run by --run DIR,\n"
                "or a checkpoint by --ckpt_path FILE; lit-vision fit trains and tests"
            )

    def _trained(self) -> Trained:
        """What trained the weights in hand, as their checkpoint says."""
        assert self.ckpt_path is not None
        content = checkpoints.read(self.ckpt_path)
        entry = content.get("lit_vision", {}).get("trained", {})
        step = content.get("global_step", 0)
        trained: Trained = typed.build(
            Trained, entry | {"run": self.ckpt_path, "steps": step}, "trained", self.ckpt_path, strict=False
        )
        return trained

    def _choose_trained(self, folder: RunFolder) -> None:
        """What is tested in the folder of a trained run: its last weights."""
        if folder.last.is_file():
            if self.request.verb == "test" and not folder.finished:
                raise InputError(
                    f"{folder.path} is not finished, and the test of half a training would pass for its result;\n"
                    f"continue it with lit-vision fit --run {folder.path}, or name the file: --ckpt_path {folder.last}"
                )
            self.ckpt_path = str(folder.last)
        elif self.request.ckpt_path == LAST:
            raise InputError(f"--ckpt_path last: {folder.path} holds no checkpoint; name a file, or leave it out")

    def _choose_checkpoint(self, folder: RunFolder) -> None:
        """A run continues from its own last checkpoint; a file given by name starts a new run from that state."""
        continuing = bool(folder.state)
        if continuing and (last := checkpoints.recover(folder.checkpoints)):
            self.ckpt_path = str(last)
            console.say(f"continuing {folder.path}")
        elif continuing:
            # A file that the run was to start from still counts; under torchrun a late rank sees the new folder, too.
            self.ckpt_path = None if self.request.ckpt_path == LAST else self.request.ckpt_path
            console.say(f"{folder.path} holds no checkpoint yet; starting it again from the first step")
        elif self.request.ckpt_path == LAST:
            raise InputError(f"--ckpt_path last: {folder.path} holds no run to continue; leave the option out to start")

    def _saved(self) -> compose.Config:
        """What `config.yaml` holds: the resolved configuration, what it stands for and where it came from."""
        origin = {
            "recipe": self.experiment.name,
            "row": self.experiment.row,
            "changed": self.experiment.changed,
            "code": versions.code(),
        }
        origin["seal"] = recipes.seal(self.config, origin)
        return {"card": self.experiment.card_content, "origin": origin} | self.config

    def _portable(self) -> compose.Config:
        """What a checkpoint carries: enough to rebuild model and data, and to judge them, anywhere."""
        kept = {key: copy.deepcopy(self.config[key]) for key in ("model", "data", "seed_everything")}
        origin = {
            "recipe": self.experiment.name,
            "row": self.experiment.row,
            "changed": self.experiment.changed,
        }
        return {
            "card": self.experiment.card_content,
            "origin": origin,
            "trainer": {"precision": self.config["trainer"]["precision"]},
            **kept,
        }

    def _add_what_prediction_needs(self) -> None:
        """Class names, and the pipeline that prepares an image, go into the checkpoint beside the configuration."""
        data: Any = self.assembler.datamodule
        chosen = data.pipeline_config or self.config["data"]["init_args"].get("pipeline")
        self.contents |= {"class_names": list(data.class_names), "pipeline": chosen}

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

    def _prepare_trainer(self) -> None:
        trainer: Any = self.assembler.trainer
        data: Any = self.assembler.datamodule
        micro = data.accumulation(trainer.world_size)
        if micro > 1:
            trainer.accumulate_grad_batches = micro
            each = data.batch_size // (trainer.world_size * micro)
            console.say(
                f"batch {data.batch_size} = {trainer.world_size} device(s) × {each} images × {micro} accumulated; "
                f"BatchNorm sees {each} images at a time"
            )
        if isinstance(trainer.val_check_interval, int) and trainer.check_val_every_n_epoch is None:
            # Lightning counts micro batches, a recipe optimiser steps.
            trainer.val_check_interval *= trainer.accumulate_grad_batches
        if self.folder is None:
            trainer.loggers = []
            return
        for logger in trainer.loggers:
            if isinstance(logger, Wandb):
                logger.describe(
                    folder=self.folder.path,
                    run_id=self.folder.state.get("wandb_id", ""),
                    identity=wandb_identity.of(self._saved()),
                )
        if self.request.verb != "fit" and self.folder.last.is_file():
            trainer.loggers = []  # evaluating a trained run once more adds nothing to what it logged
        else:
            trainer.loggers = [MetricsFile(self.folder.metrics), *trainer.loggers]

    def _fit(self) -> int:
        trainer, data = self.assembler.trainer, self.assembler.datamodule
        assert self.folder is not None
        # Other ranks have no file to mark, and the checkpoint may still be getting its name back from rank zero.
        if launch.rank() == 0:
            self._mark_metrics(self.folder)
        if isinstance(self.assembler.model, Task):
            console.say(f"{counts.parameters(self.assembler.model.network):,} parameters")
        console.say(f"run: {self.folder.path}")
        trainer.fit(self.assembler.model, datamodule=data, ckpt_path=self.ckpt_path, weights_only=True)
        trainer.test(
            self.assembler.model, datamodule=data, ckpt_path=self.folder.last, weights_only=True, verbose=False
        )
        return 0

    def _mark_metrics(self, folder: RunFolder) -> None:
        """Notes in the figures where the run goes on."""
        step = checkpoints.read(self.ckpt_path)["global_step"] if self.ckpt_path else 0
        if folder.metrics.is_file():
            MetricsFile(folder.metrics).resumed_at(step)
        elif self.ckpt_path == str(folder.last):
            console.say(f"warning: {folder.metrics} is gone: the figures up to step {step} are lost")

    def _evaluate(self) -> int:
        """A `validate` or `test` pass; with a checkpoint alone it prints figures and leaves no run folder."""
        trainer = self.assembler.trainer
        verb = getattr(trainer, self.request.verb)
        verb(
            self.assembler.model,
            datamodule=self.assembler.datamodule,
            ckpt_path=self.ckpt_path,
            weights_only=True,
            verbose=False,
        )
        if self.folder is None or self.request.verb == "validate":
            _print(console.figures(trainer.callback_metrics))
        return 0

    def _interrupted(self, stopped: BaseException) -> int:
        if self.folder and self.folder.last.is_file():
            _print(f"stopped; continue with the same command and --ckpt_path last, or --run {self.folder.path}")
        return preemption.exit_code(stopped)


def _experiment(request: Request) -> Experiment:
    """Resolves configuration files, or the run folder's or the checkpoint's own configuration."""
    configs, base = list(request.configs), None
    if not configs and request.run and RunFolder(Path(request.run)).config.is_file():
        configs = [str(RunFolder(Path(request.run)).config)]
    if not configs and request.ckpt_path and request.ckpt_path != LAST:
        base = checkpoints.configuration(checkpoints.read(request.ckpt_path), request.ckpt_path, request.trust_code)
    if not configs and base is None:
        raise InputError(f"{request.verb} needs --config RECIPE; lit-vision recipes ls shows them")
    return recipes.resolve(configs, request.row, request.options, base)


def _print(text: str) -> None:
    """The answer of a command, once for all ranks."""
    if launch.rank() == 0:
        print(text)
