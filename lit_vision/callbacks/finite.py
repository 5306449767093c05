"""A loss that is not finite: noticed by all ranks at the same step, written down, and never learnt from."""

import json
import math
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import lightning as L
import torch
from lightning.pytorch.utilities.rank_zero import rank_zero_warn
from torch import Tensor, nn
from torch.optim import Optimizer

from lit_vision import distributed
from lit_vision.errors import InputError
from lit_vision.runs import durable

FILE = "nonfinite.jsonl"


@dataclass
class NonFinite:
    """What a run does when a loss or a gradient is not finite; `nonfinite:` in a recipe or overlay.

    Attributes:
        policy: `stop` ends the run before the weights are touched; `skip` leaves the optimiser step out and goes on.
        limit: Most steps that `skip` leaves out in the whole run before it stops.
    """

    policy: Literal["stop", "skip"] = "stop"
    limit: int = 10

    def __post_init__(self) -> None:
        if self.limit < 1:
            raise InputError(f"nonfinite.limit is {self.limit}; it must be at least 1; policy stop skips none")


class FiniteLoss(L.Callback):
    """Holds back an optimiser step whose loss or gradient is not finite on any rank.

    The ranks agree before the optimiser acts, so none waits for another, and weights and optimiser never see the step.
    One line per rank in `nonfinite.jsonl` names its images, loss parts and gradient norms. A step that is left out
    counts for the schedule, and running statistics go back to what they were before it.

    With `precision: 16-mixed` only the loss is looked at: infinite gradients are how the loss scale finds its place.

    Args:
        folder: Where the file goes, the run's folder.
        rule: Whether to stop or to skip.
    """

    def __init__(self, folder: Path, rule: NonFinite | None = None) -> None:
        self.path = folder / FILE
        self.rule = rule or NonFinite()
        self.skipped = 0
        self._parts: list[dict[str, Tensor]] = []  # of each micro batch of the step
        self._buffers: dict[str, Tensor] = {}

    def state_dict(self) -> dict[str, Any]:
        """How many steps were left out so far."""
        return {"skipped": self.skipped}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Counts on from the run that is continued."""
        self.skipped = state_dict["skipped"]

    def on_train_batch_start(self, trainer: L.Trainer, pl_module: L.LightningModule, *_: Any) -> None:
        """Keeps the running statistics that a step may have to go back to."""
        if self.rule.policy == "skip" and not self._parts:
            self._buffers = {name: buffer.clone() for name, buffer in pl_module.named_buffers()}

    def on_before_backward(self, trainer: L.Trainer, pl_module: L.LightningModule, loss: Tensor) -> None:
        """Takes the loss and its parts down."""
        parts: dict[str, Tensor] = getattr(pl_module, "loss_parts", {})
        # Accumulation has divided the loss; its parts are as the model gave them.
        self._parts.append(parts or {"loss": loss.detach() * trainer.accumulate_grad_batches})

    def on_before_optimizer_step(self, trainer: L.Trainer, pl_module: L.LightningModule, optimizer: Optimizer) -> None:
        """Lets the step pass, leaves it out, or ends the run.

        Raises:
            InputError: On all ranks, where the policy is to stop or the limit of skipped steps is reached.
        """
        parts, self._parts = self._parts, []
        if not self._agree(trainer, self._is_bad(trainer, parts, optimizer)):
            return
        told = self._write(trainer, pl_module, parts)
        if self.rule.policy == "stop":
            raise InputError(f"{told}\nlower the learning rate or raise the precision, or try --nonfinite.policy skip")
        if self.skipped == self.rule.limit:
            raise InputError(f"{told}\n{self.skipped} steps were left out before, the limit (nonfinite.limit)")
        self.skipped += 1
        self._leave_out(pl_module, optimizer, len(parts))
        rank_zero_warn(f"{told}; left out, {self.skipped} of at most {self.rule.limit}")

    def _is_bad(self, trainer: L.Trainer, parts: list[dict[str, Tensor]], optimizer: Optimizer) -> Tensor:
        values = [value.float() for part in parts for value in part.values()]
        if trainer.precision != "16-mixed":
            gradients = [p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
            values += [nn.utils.get_total_norm(gradients)]
        return ~torch.isfinite(torch.stack(values)).all()

    def _agree(self, trainer: L.Trainer, bad: Tensor) -> bool:
        if trainer.world_size > 1:
            bad = trainer.strategy.reduce(bad.int(), reduce_op="max")
        return bool(bad)

    def _write(self, trainer: L.Trainer, pl_module: L.LightningModule, parts: list[dict[str, Tensor]]) -> str:
        """Writes the lines of all ranks; says in one what is wrong."""
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        mine = {
            "step": trainer.global_step + 1,
            "rank": trainer.global_rank,
            "losses": [{name: float(value) for name, value in part.items()} for part in parts],
            "gradient_norms": gradient_norms(pl_module),
            "images": data.images_of_step() if data is not None else [],
        }
        lines = distributed.gather_everywhere(mine)
        if trainer.is_global_zero:
            self._append(lines)
        return f"step {mine['step']}: {_culprits(lines)}; images, losses and gradient norms are in {self.path}"

    def _append(self, lines: list[dict[str, Any]]) -> None:
        try:
            with open(self.path, "a", encoding="utf-8", opener=durable.unlinked) as file:
                file.writelines(json.dumps(_plain(line)) + "\n" for line in lines)
        except OSError as error:
            raise durable.told(error, self.path) from error

    def _leave_out(self, pl_module: L.LightningModule, optimizer: Optimizer, batches: int) -> None:
        # Parameters without a gradient are passed over by every optimiser: no decay, no momentum.
        optimizer.zero_grad(set_to_none=True)
        for name, buffer in pl_module.named_buffers():
            buffer.copy_(self._buffers[name])
        forget = getattr(pl_module, "forget", None)
        if forget is not None:
            forget(batches)


def gradient_norms(module: nn.Module) -> dict[str, float]:
    """L2 norm of the gradients of each part of the network: the modules two levels down, where there are such."""
    squares: dict[str, float] = defaultdict(float)
    for name, parameter in module.named_parameters():
        if parameter.grad is not None:
            squares[".".join(name.split(".")[:-1][:3]) or name] += float(parameter.grad.float().norm() ** 2)
    return {name: math.sqrt(square) if square >= 0 else square for name, square in squares.items()}


def _culprits(lines: list[dict[str, Any]]) -> str:
    """Whose loss is not finite, or that only gradients are."""
    told = []
    for line in lines:
        bad = {name: value for part in line["losses"] for name, value in part.items() if not math.isfinite(value)}
        if bad:
            told.append(f"rank {line['rank']}: {', '.join(f'{name} {value}' for name, value in bad.items())}")
    return f"the loss is not finite ({'; '.join(told)})" if told else "the loss is finite, but its gradient is not"


def _plain(value: Any) -> Any:
    """JSON has no NaN and no infinity: they become words."""
    if isinstance(value, dict):
        return {name: _plain(entry) for name, entry in value.items()}
    if isinstance(value, list):
        return [_plain(entry) for entry in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
