"""LightningCLI as the assembler: from a plain configuration to trainer, model and data."""

import copy
import sys
import warnings
from argparse import ArgumentError
from typing import Any

import lightning as L
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI

from lit_vision import console
from lit_vision.callbacks.finite import NonFinite
from lit_vision.callbacks.kept import Keep
from lit_vision.errors import InputError
from lit_vision.experiment import compose, yamlio
from lit_vision.experiment.recipes import Experiment
from lit_vision.protocols.base import Protocol
from lit_vision.session import parser_report
from lit_vision.tasks.task import Task


class Assembler(LightningCLI):
    """LightningCLI as the assembler: takes a plain configuration, links data to model, runs nothing by itself."""

    def __init__(self, config: compose.Config | list[str], callbacks: list[L.Callback]) -> None:
        self._asked = config if isinstance(config, dict) else {}
        super().__init__(
            L.LightningModule,
            L.LightningDataModule,
            subclass_mode_model=True,
            subclass_mode_data=True,
            save_config_callback=None,
            auto_configure_optimizers=False,
            load_from_checkpoint_support=False,
            seed_everything_default=0,
            trainer_defaults={
                "logger": {"class_path": "lit_vision.loggers.wandb.Wandb"},
                "callbacks": callbacks,
                "enable_model_summary": False,
                "use_distributed_sampler": False,  # our samplers deal to ranks themselves
            },
            parser_kwargs={"exit_on_error": False},
            args=config,
            run=False,
        )
        self._keep_whole_numbers(self.config["trainer"])

    def _keep_whole_numbers(self, trainer: Any) -> None:
        """For `int | float`, jsonargparse reads 1 as 1.0: to `limit_val_batches` not one batch, but all."""
        asked = self._asked.get("trainer") or {}
        for key, value in asked.items():
            if isinstance(value, int) and isinstance(trainer[key], float):
                trainer[key] = value

    def _instantiate_trainer(self, config: dict[str, Any], callbacks: list[L.Callback]) -> L.Trainer:
        self._keep_whole_numbers(config)
        return super()._instantiate_trainer(config, callbacks)

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """What the data know at construction goes to the model; a link whose target is not there is left out."""
        parser.add_class_arguments(Keep, "checkpoint", instantiate=False)
        parser.add_class_arguments(NonFinite, "nonfinite", instantiate=False)
        parser.add_subclass_arguments(Protocol, "protocol", required=False)
        target = "model.init_args.network.init_args.num_classes"
        parser.link_arguments("data.num_classes", target, apply_on="instantiate")
        parser.link_arguments("data.class_names", "model.init_args.class_names", apply_on="instantiate")

    def before_instantiate_classes(self) -> None:
        """Leaves the objects unbuilt; `build` makes them once the run's folder is known."""

    def instantiate_classes(self) -> None:
        """See `before_instantiate_classes`."""

    def build(self) -> None:
        """Builds data, model and trainer.

        Raises:
            InputError: What a constructor or the trainer refused, without the report that is wrapped around it.
        """
        try:
            super().instantiate_classes()
            self._look()
        except (MisconfigurationException, ImportError, TypeError, ValueError) as error:
            cause = _innermost(error)
            if isinstance(cause, InputError):
                raise cause from None
            raise InputError(f"the configuration does not build: {console.first_line(cause)}") from None
        except Exception as error:
            raise _innermost(error) from None

    def _look(self) -> None:
        """Hands the protocol to the task."""
        protocol = self.config_init.get("protocol")
        if protocol is None:
            return
        if not isinstance(self.model, Task):
            raise InputError(f"protocol is for the tasks of lit_vision, but model is {type(self.model).__name__}")
        self.model.look(protocol)

    def resolved(self) -> compose.Config:
        """The parsed configuration with all defaults, as plain values."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # jsonargparse names the keyword's successor, which 4.45 does not know
            text = self.parser.dump(self.config, skip_none=False)
        content: compose.Config = yamlio.parse(text)
        content.pop("config", None)
        self._keep_whole_numbers(content["trainer"])
        return content


def assemble(experiment: Experiment, callbacks: list[L.Callback]) -> Assembler:
    """The parsed experiment, not yet built; `callbacks` may be filled until it is.

    Raises:
        InputError: If a value has the wrong type; names file or option, key and what was given.
    """
    arguments, sys.argv = sys.argv, sys.argv[:1]  # LightningCLI warns about arguments beside its own
    try:
        return Assembler(copy.deepcopy(experiment.config), callbacks)
    except (ArgumentError, TypeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(parser_report.of_parser(str(error), experiment)) from None
    finally:
        sys.argv = arguments


def _innermost(error: BaseException) -> BaseException:
    """What a chain of exceptions began with, where that says more than the report around it; else the error itself."""
    chain: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None:
        chain.append(cause)
        cause = cause.__cause__ or cause.__context__
    for kind in (InputError, ImportError, MisconfigurationException):
        if found := [one for one in chain if isinstance(one, kind)]:
            return found[-1]
    return error
