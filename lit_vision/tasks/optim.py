"""Parameter groups and the schedules that torch lacks. Every schedule here counts optimiser steps."""

import math
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any, Literal

from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler

from lit_vision.errors import InputError

Exempt = Literal["norm", "bias", "slope"]


def parameter_groups(
    module: nn.Module, no_decay: Sequence[Exempt] = (), bias_rate: float = 1.0
) -> list[dict[str, Any]]:
    """Trainable parameters for an optimiser, apart where they decay or learn differently.

    The ResNet paper does not say whether weight decay covers BatchNorm; the default, decaying all, is what its Caffe
    solver does by default.

    Args:
        module: The network.
        no_decay: Kinds of parameters to exempt from weight decay: `norm` (scale and shift of normalisation layers),
            `slope` (PReLU's, which the rectifiers paper does not decay, Section 2.1), `bias` (all others of that name).
        bias_rate: Factor of the learning rate of kind `bias`, 2 in Caffe's networks.

    Returns:
        The group of those that decay at the optimiser's own rate, then any others; `rate`, where it stands, is the
        factor that `scale_rates` applies.
    """
    members: dict[tuple[bool, bool], list[nn.Parameter]] = {(False, False): []}
    for kind, parameter in _kinds(module):
        apart = kind in no_decay, kind == "bias" and bias_rate != 1
        members.setdefault(apart, []).append(parameter)
    return [
        {"params": params} | ({"weight_decay": 0.0} if exempt else {}) | ({"rate": bias_rate} if scaled else {})
        for (exempt, scaled), params in sorted(members.items(), key=lambda item: item[0])
    ]


def scale_rates(optimizer: Optimizer) -> None:
    """Multiply each group's learning rate by its factor, if it has one; before a schedule takes the rates over."""
    for group in optimizer.param_groups:
        group["lr"] *= group.pop("rate", 1.0)


def _kinds(module: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    """Each trainable parameter of a network, and its kind."""
    for part in module.modules():
        # Normalisation layers are those whose scale is a vector: no other layer but PReLU has a one-dimensional weight.
        weight = getattr(part, "weight", None)
        is_norm = isinstance(weight, nn.Parameter) and weight.ndim == 1
        for name, parameter in part.named_parameters(recurse=False):
            if parameter.requires_grad:
                yield ("slope" if isinstance(part, nn.PReLU) else "norm" if is_norm else name), parameter


class WarmupCosine(LambdaLR):
    """Linear warm-up from `start` times the rate, then half a cosine down to zero.

    Args:
        optimizer: Its rate is the peak.
        steps: Optimiser steps of the whole run.
        warmup: Optimiser steps of the linear part.
        start: Fraction of the peak at step 0.

    Raises:
        InputError: If there is no step, or the warm-up is negative or longer than the run.
    """

    def __init__(self, optimizer: Optimizer, steps: int, warmup: int = 0, start: float = 0.0) -> None:
        if steps < 1:
            raise InputError(f"model.schedule.steps is {steps}; write the optimiser steps of the whole run")
        _refuse_warmup(warmup, steps)

        def factor(step: int) -> float:
            if step < warmup:
                return start + (1 - start) * step / warmup
            return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warmup) / max(1, steps - warmup))))

        super().__init__(optimizer, factor)


class WarmupMilestones(LambdaLR):
    """Linear warm-up, and a factor at each milestone: the schedule of all joint detection protocols.

    Args:
        optimizer: Its rate is the one after the warm-up.
        milestones: Optimiser steps at which the rate is multiplied by `gamma`.
        gamma: Factor at each milestone.
        warmup: Optimiser steps of the warm-up. The papers state none; 500 from a third is the authors' code's.
        start: Fraction of the rate at step 0.

    Raises:
        InputError: If the warm-up is negative.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        milestones: Sequence[int],
        gamma: float = 0.1,
        warmup: int = 500,
        start: float = 1 / 3,
    ) -> None:
        _refuse_warmup(warmup)

        def factor(step: int) -> float:
            warm = min(1.0, start + (1 - start) * step / warmup) if warmup else 1.0
            return float(warm * gamma ** sum(milestone <= step for milestone in milestones))

        super().__init__(optimizer, factor)


def _refuse_warmup(warmup: int, steps: int | None = None) -> None:
    if warmup < 0:
        raise InputError(f"model.schedule.warmup is {warmup}; write 0 for none")
    if steps is not None and warmup > steps:
        raise InputError(f"model.schedule.warmup is {warmup}, but the schedule ends after {steps} steps (steps)")


class ErrorWarmup(LRScheduler):
    """Milestones with a low rate until training has got off the ground (ResNet paper, Section 4.2, ResNet-110).

    The rate is `warmup_lr` until the mean training error over the last `window` optimiser steps is below `below`
    percent; then the optimiser's own rate and the milestones apply, which count from step 0. The task feeds the error
    in through `observe`; the switch is part of the state dict.

    Args:
        optimizer: Its rate is the one after the warm-up.
        milestones: Optimiser steps at which the rate is multiplied by `gamma`.
        gamma: Factor at each milestone.
        warmup_lr: Rate during the warm-up.
        below: Training error in percent that ends the warm-up.
        window: Optimiser steps averaged; the paper gives none, and one mini-batch alone would be noise.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        milestones: Sequence[int],
        gamma: float = 0.1,
        warmup_lr: float = 0.01,
        below: float = 80.0,
        window: int = 100,
    ) -> None:
        self.milestones = list(milestones)
        self.gamma = gamma
        self.warmup_lr = warmup_lr
        self.below = below
        self.window = window
        self.errors: list[float] = []
        self.switched_at: int | None = None
        super().__init__(optimizer)

    @property
    def observing(self) -> bool:
        """Whether the warm-up still waits for the error to fall."""
        return self.switched_at is None

    def observe(self, error: float) -> None:
        """Takes the training error of one optimiser step, in percent."""
        self.errors = list(deque([*self.errors, error], maxlen=self.window))
        if len(self.errors) == self.window and sum(self.errors) / self.window < self.below:
            self.switched_at = self.last_epoch + 1
            self.errors = []

    def get_lr(self) -> list[float | Tensor]:
        """The rate of each group for the coming step."""
        if self.observing:
            return [self.warmup_lr for _ in self.base_lrs]
        factor = self.gamma ** sum(step <= self.last_epoch for step in self.milestones)
        return [float(base) * factor for base in self.base_lrs]
