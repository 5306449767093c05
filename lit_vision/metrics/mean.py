"""A mean that does not depend on who adds up what."""

import math
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric


class ExactMean(Metric):
    """Mean over samples of what batches report as their means; the same to the last bit for any number of ranks.

    Sums of floats depend on their order, and ranks add up other batches than one process does. So the batches' values
    are kept, gathered, and added without rounding (`math.fsum`), which has no order.

    Args:
        kwargs: Options of `torchmetrics.Metric`.
    """

    is_differentiable = False
    higher_is_better = None
    full_state_update = False

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.add_state("values", default=[], dist_reduce_fx="cat")
        self.add_state("weights", default=[], dist_reduce_fx="cat")

    def update(self, value: Tensor, weight: int) -> None:
        """Remembers a batch.

        Args:
            value: Mean over the batch, [].
            weight: Its number of samples; below 2**24, for it travels as float32.
        """
        value = value.detach().float().reshape(1)
        self._kept("values").append(value)
        self._kept("weights").append(torch.full_like(value, weight))

    def compute(self) -> Tensor:
        """The mean, float32 []; NaN without samples."""
        values, weights = (self._together(name) for name in ("values", "weights"))
        samples = sum(weights)
        total = math.fsum(value * weight for value, weight in zip(values, weights, strict=True))
        return torch.tensor(total / samples if samples else math.nan)

    def _kept(self, name: str) -> list[Tensor]:
        kept: list[Tensor] = getattr(self, name)
        return kept

    def _together(self, name: str) -> list[float]:
        """All ranks' numbers; a single tensor once torchmetrics has gathered them."""
        state: Tensor | list[Tensor] = getattr(self, name)
        parts = [state] if isinstance(state, Tensor) else state
        numbers: list[float] = torch.cat(parts).tolist() if parts else []
        return numbers
