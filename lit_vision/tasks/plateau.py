"""The schedule of the ResNet paper on ImageNet: the rate falls when the error stops falling."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from lit_vision import nearest
from lit_vision.errors import InputError
from lit_vision.experiment import figures


class Plateau(LRScheduler):
    """Multiplies the rate by `gamma` when a validation figure makes no progress (ResNet paper, Section 3.4).

    A validation makes progress if its figure is better than the best so far by more than `threshold`. After `patience`
    validations in a row without progress the rate falls, and the count starts anew. Validations count at multiples of
    `interval` optimiser steps alone, so that how often a machine validates (`trainer.val_check_interval`) does not
    change what is trained. The paper says that the rate is divided by 10 when the error plateaus; it prints neither how
    long a plateau is nor what progress is.

    torch's `ReduceLROnPlateau` is another thing to Lightning than a schedule that counts optimiser steps, and stands
    still if its figure is not there. The task feeds this one through `observe`; all that it knows is in its state dict.

    Args:
        optimizer: Its rate is the first one.
        patience: Validations without progress before the rate falls.
        interval: Optimiser steps between the validations that count.
        threshold: What a figure must gain to be progress, in its own unit; 0 takes any gain.
        gamma: Factor of the rate.
        monitor: The validation figure; whether it is better high or low is known.

    Attributes:
        dropped_at: Optimiser steps after which the rate fell.

    Raises:
        InputError: A number is out of its range, or nothing logs the figure.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        patience: int,
        interval: int,
        threshold: float = 0.0,
        gamma: float = 0.1,
        monitor: str = "val/error",
    ) -> None:
        for key, number in {"patience": patience, "interval": interval}.items():
            if number < 1:
                raise InputError(f"model.schedule.{key} is {number}; it must be at least 1")
        if threshold < 0 or not 0 < gamma < 1:
            raise InputError(
                f"model.schedule.threshold is {threshold:g} and gamma is {gamma:g}; "
                "the first must be at least 0, the second between 0 and 1"
            )
        figures.check(monitor, "model.schedule.monitor")
        if not monitor.startswith("val/"):
            raise InputError(f"model.schedule.monitor is {monitor}; name a figure of validation, such as val/error")
        self.patience = patience
        self.interval = interval
        self.threshold = threshold
        self.gamma = gamma
        self.monitor = monitor
        self.best: float | None = None
        self.waited = 0
        self.dropped_at: list[int] = []
        super().__init__(optimizer)

    def observe(self, step: int, validated: Mapping[str, Any]) -> None:
        """Takes the figures of one validation; the rate of the next step follows them.

        Args:
            step: Optimiser steps done.
            validated: Figures by logged name.

        Raises:
            InputError: The monitored one is not among them.
        """
        if self.monitor not in validated:
            raise InputError(
                f"model.schedule.monitor: validation logs no {self.monitor}; {nearest.hint(self.monitor, validated)}"
            )
        if step % self.interval == 0:
            self._judge(step, float(validated[self.monitor]))

    def _judge(self, step: int, value: float) -> None:
        sign = 1 if figures.lower_is_better(self.monitor) else -1
        if self.best is None or sign * (self.best - value) > self.threshold:
            self.best, self.waited = value, 0
            return
        self.waited += 1
        if self.waited == self.patience:
            self.waited = 0
            self.dropped_at.append(step)
            for group, rate in zip(self.optimizer.param_groups, self.get_lr(), strict=True):
                group["lr"] = rate

    def get_lr(self) -> list[float | Tensor]:
        """The rate of each group for the coming step."""
        factor = self.gamma ** len(self.dropped_at)
        return [float(base) * factor for base in self.base_lrs]


def refuse_unseen(schedule: Plateau, trainer: Any) -> None:
    """Checks that every validation that the schedule counts on takes place.

    Args:
        schedule: The schedule.
        trainer: The trainer, ready to fit.

    Raises:
        InputError: Validation is switched off, or takes place at other steps.
    """
    if trainer.fast_dev_run:
        return  # a few batches, and one validation of its own
    if not trainer.enable_validation:
        raise InputError(
            "model.schedule: Plateau waits for a validation figure, but nothing is validated "
            f"(trainer.limit_val_batches is {trainer.limit_val_batches});\nlet it validate, or take another schedule"
        )
    every = trainer.val_check_interval
    in_steps = isinstance(every, int) and trainer.check_val_every_n_epoch is None
    if not in_steps or (schedule.interval * trainer.accumulate_grad_batches) % every:
        asked = every // trainer.accumulate_grad_batches if in_steps else every
        raise InputError(
            f"model.schedule.interval is {schedule.interval} optimiser steps, but trainer.val_check_interval is {asked}"
            f"{'' if in_steps else ' and counts epochs'};\nset it to {schedule.interval} or a divisor of it, with "
            "trainer.check_val_every_n_epoch: null"
        )
