"""Numbers that no run can mean: refused before anything is built, each with its file or option and what to write."""

from dataclasses import dataclass
from typing import Any

from lit_vision import nearest
from lit_vision.errors import InputError
from lit_vision.experiment import compose
from lit_vision.experiment.recipes import Experiment


@dataclass(frozen=True)
class _Limit:
    """What a key may be.

    Attributes:
        least: Smallest number.
        other: A value below it with a meaning of its own.
        say: What to write.
    """

    least: float
    say: str
    other: float | None = None


_LIMITS = {
    "trainer.max_steps": _Limit(1, "the number of optimiser steps, or -1 for no limit of its own", other=-1),
    "trainer.max_epochs": _Limit(1, "the number of epochs, or -1 for no limit of its own", other=-1),
    "trainer.val_check_interval": _Limit(
        1e-9, "optimiser steps between validations; a huge number validates at the end"
    ),
    "trainer.check_val_every_n_epoch": _Limit(1, "epochs between validations, or null"),
    "trainer.log_every_n_steps": _Limit(1, "optimiser steps between logged figures; a huge number logs none"),
    "trainer.accumulate_grad_batches": _Limit(1, "1; data.max_per_device cuts the batch"),
    "trainer.gradient_clip_val": _Limit(0, "a norm of at least 0, or null"),
    "trainer.limit_train_batches": _Limit(1e-9, "a share of the batches (0.5), or their number (50)"),
    "trainer.limit_val_batches": _Limit(0, "a share of the batches (0.5), their number (50), or 0 for no validation"),
    "trainer.limit_test_batches": _Limit(0, "a share of the batches (0.5), or their number (50)"),
    "trainer.devices": _Limit(1, "the number of devices, or -1 for all of them", other=-1),
    "trainer.num_nodes": _Limit(1, "the number of machines"),
    "data.num_workers": _Limit(0, "the number of reader processes, or 0 to read in the main one"),
    "seed_everything": _Limit(0, "a whole number of at least 0"),
}


def refuse(experiment: Experiment, training: bool) -> None:
    """Checks the numbers that were asked for.

    Args:
        experiment: What was asked for.
        training: Whether there is a training, without which its limits mean nothing.

    Raises:
        InputError: Names file or option, the key, what it is and what to write.
    """
    for key, value in compose.flatten(experiment.config).items():
        limit = _LIMITS.get(key)
        if limit is None or (key.startswith("trainer.") and not training):
            continue
        if key == "trainer.max_steps" and value is None:
            raise InputError(_told(experiment, key, "null", limit))
        if _is_number(value) and value < limit.least and value != limit.other:
            raise InputError(_told(experiment, key, value, limit))


def refuse_unknown_hardware(experiment: Experiment) -> None:
    """Checks accelerator, strategy and precision before Lightning does, whose complaints name neither key nor way out.

    Raises:
        InputError: Names file or option, the key, and what this machine has.
    """
    from lightning.pytorch.accelerators import AcceleratorRegistry
    from lightning.pytorch.strategies import StrategyRegistry

    asked = experiment.config.get("trainer") or {}
    present = [name for name, entry in AcceleratorRegistry.items() if entry["accelerator"].is_available()]
    accelerators = ["auto", *sorted(present), *(["gpu"] if {"cuda", "mps"} & set(present) else [])]
    strategies = ["auto", *StrategyRegistry.available_strategies()]
    _refuse_half_precision(asked.get("precision"), asked.get("accelerator"), present)
    for key, choices in (("accelerator", accelerators), ("strategy", strategies)):
        value = asked.get(key)
        if isinstance(value, str) and value not in choices:
            there = f"this machine has {', '.join(choices)}" if key == "accelerator" else nearest.hint(value, choices)
            raise InputError(f"{_where(experiment, f'trainer.{key}')} is {value}; {there}")


def _refuse_half_precision(precision: Any, accelerator: Any, present: list[str]) -> None:
    """Checks that the hardware computes in 16-bit floats, where Lightning takes others and says so twice."""
    on_cpu = accelerator == "cpu" or (accelerator in (None, "auto") and not {"cuda", "mps"} & set(present))
    if on_cpu and str(precision) in ("16", "16-mixed", "16-true"):
        raise InputError(
            f"trainer.precision is {precision}, which needs a GPU; give --trainer.precision bf16-mixed or 32-true"
        )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _told(experiment: Experiment, key: str, value: Any, limit: _Limit) -> str:
    return f"{_where(experiment, key)} is {value}; write {limit.say}"


def _where(experiment: Experiment, key: str) -> str:
    source = experiment.source_of(key)
    return source if source == f"--{key}" else f"{source}: {key}"
