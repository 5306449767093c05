"""Training losses between two logs, over a save: a continued run logs what an uninterrupted one would, to the bit."""

from collections.abc import Sequence

import torch
from torch import Tensor

from lit_vision import distributed

Losses = list[dict[str, float]]


def gather(losses: Sequence[dict[str, Tensor]]) -> list[Losses]:
    """The losses of every rank, as a checkpoint holds them; all ranks call it.

    Args:
        losses: This rank's, by name, one entry a batch since the last log.
    """
    return distributed.gather_everywhere([{name: float(value) for name, value in one.items()} for one in losses])


def own(ranks: Sequence[Losses], device: torch.device) -> list[dict[str, Tensor]]:
    """This rank's losses; where the run goes on with another number of processes, means over those that saved them.

    Args:
        ranks: What `gather` gave.
        device: Where the losses go.
    """
    if len(ranks) == distributed.size():
        mine = ranks[distributed.rank()]
    else:
        mine = [_mean(together) for together in zip(*ranks, strict=True)]
    return [{name: torch.tensor(value, device=device) for name, value in one.items()} for one in mine]


def _mean(losses: Sequence[dict[str, float]]) -> dict[str, float]:
    return {name: sum(one[name] for one in losses) / len(losses) for name in losses[0]}
