"""What a built trainer still needs before it runs: accumulation, intervals in optimiser steps, loggers."""

import traceback
from typing import Any

from lightning.pytorch.trainer.connectors import checkpoint_connector

from lit_vision import console
from lit_vision.data.pipelines import sampler
from lit_vision.errors import InputError
from lit_vision.experiment import compose
from lit_vision.loggers import wandb_identity
from lit_vision.loggers.metrics_file import MetricsFile
from lit_vision.loggers.wandb import Wandb
from lit_vision.runs import checkpoints, contents
from lit_vision.runs.folder import RunFolder


def accumulate(trainer: Any, data: Any, training: bool) -> None:
    """Cuts the total batch as `data.max_per_device` asks, and counts the validation interval in optimiser steps.

    Raises:
        InputError: If the batch does not divide; found here, before other processes are started.
    """
    micro = data.accumulation(trainer.world_size)
    if micro > 1:
        trainer.accumulate_grad_batches = micro
        each = data.batch_size // (trainer.world_size * micro)
        console.say(
            f"batch {data.batch_size} = {trainer.world_size} device(s) × {each} images × {micro} accumulated; "
            f"BatchNorm sees {each} images at a time"
        )
    if training:
        sampler.micro_size(data.batch_size, trainer.world_size, trainer.accumulate_grad_batches)
    if isinstance(trainer.val_check_interval, int) and trainer.check_val_every_n_epoch is None:
        # Lightning counts micro batches, a recipe optimiser steps.
        trainer.val_check_interval *= trainer.accumulate_grad_batches


def try_optimizer(model: Any) -> None:
    """Makes the optimiser and the schedule once, and drops them: what they refuse is known before data are read.

    Raises:
        InputError: What one of them does not take, in its own words.
    """
    try:
        model.configure_optimizers()
    except (TypeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"model.optimizer or model.schedule: {console.first_line(error)}") from error


def refuse_unfit(ckpt_path: str, model: Any, data: Any, training: bool) -> None:
    """Checks a checkpoint against the model, the data's classes, and what is to be done with it.

    Raises:
        InputError: Names the first thing that does not fit.
    """
    content = checkpoints.read(ckpt_path)
    contents.refuse_unable_to_test(content, ckpt_path, model, data.class_names)
    if training:
        contents.refuse_unable_to_train(content, ckpt_path)


def met_in_restoring(error: BaseException) -> bool:
    """Whether an error was met while Lightning put a checkpoint's content into its objects."""
    frames = traceback.walk_tb(error.__traceback__)
    return any(frame.f_globals.get("__name__") == checkpoint_connector.__name__ for frame, _ in frames)


def connect_loggers(trainer: Any, folder: RunFolder | None, content: compose.Config) -> None:
    """Gives a run's loggers its folder and identity.

    Args:
        trainer: The trainer.
        folder: The run's folder; None logs nothing: there is no run, or it has logged all it has to say.
        content: What the run's `config.yaml` holds.
    """
    if folder is None:
        trainer.loggers = []
        return
    for logger in trainer.loggers:
        if isinstance(logger, Wandb):
            run_id = wandb_identity.id_of(folder.path, folder.state)
            logger.describe(folder=folder.path, run_id=run_id, identity=wandb_identity.of(content))
    trainer.loggers = [MetricsFile(folder.metrics), *trainer.loggers]


def mark_metrics(folder: RunFolder, ckpt_path: str | None) -> None:
    """Notes in the figures where the run goes on."""
    step = checkpoints.read(ckpt_path)["global_step"] if ckpt_path else 0
    if folder.metrics.is_file():
        MetricsFile(folder.metrics).resumed_at(step)
    elif ckpt_path == str(folder.last):
        console.say(f"warning: {folder.metrics} is gone: the figures up to step {step} are lost")
