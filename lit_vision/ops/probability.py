"""Probabilities of classes from several networks or views. They are kept as logarithms, so that none underflows."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor


def mean(logits: Sequence[Tensor]) -> Tensor:
    """The logarithm of the mean softmax.

    Its softmax is that mean, so losses and metrics of logits take it as it is.

    Args:
        logits: Of each view or network, [B, K].

    Returns:
        [B, K].
    """
    logarithms = torch.stack([each.log_softmax(1) for each in logits])
    return logarithms.logsumexp(0) - math.log(len(logits))


def mean_of_windows(logits: Tensor) -> Tensor:
    """The logarithm of the mean softmax of all positions, [B, K]; see `mean`.

    Args:
        logits: [B, K, h, w].
    """
    logarithms = logits.log_softmax(1).flatten(2)
    return logarithms.logsumexp(2) - math.log(logarithms.shape[2])
