"""Losses of detectors, as functions of logits and offsets."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

Loss = Callable[[Tensor], Tensor]


def focal(logits: Tensor, labels: Tensor, gamma: float = 2.0, alpha: float | None = 0.25) -> Tensor:
    """Focal loss of K independent binary classifiers (RetinaNet, Eq. 5), summed over the classes.

    Args:
        logits: [..., K], of any floating dtype; computed in at least float32.
        labels: int64 [...], 0..K-1, or negative where all K answers should be no.
        gamma: Focusing parameter, 0 for cross-entropy.
        alpha: Weight of the positive answer, the negative one's is 1 - alpha; None weighs both by 1.

    Returns:
        [...], at least float32.
    """
    loss: Tensor = _Focal.apply(logits, labels, gamma, *_weights(alpha))
    return loss


def focal_star(logits: Tensor, labels: Tensor, gamma: float, beta: float, alpha: float | None = 0.25) -> Tensor:
    """FL*: cross-entropy of steepened and shifted logits (RetinaNet's appendix), summed over the classes.

    For the right answer's logit x it is `-log(sigmoid(gamma x + beta)) / gamma`.

    Args:
        logits: [..., K], of any floating dtype; computed in at least float32.
        labels: int64 [...], 0..K-1, or negative where all K answers should be no.
        gamma: Steepness, above 0.
        beta: Shift.
        alpha: As for `focal`.

    Returns:
        [...], at least float32.
    """
    return _of_right_answer(logits, labels, lambda x: F.softplus(-(gamma * x + beta)) / gamma, alpha)


def hinge(logits: Tensor, labels: Tensor, above: float) -> Tensor:
    """Hinge loss on the right answer's probability p that RetinaNet's authors tried, summed over the classes.

    It is `max(0, above - p)`.

    Args:
        logits: [..., K], of any floating dtype; computed in at least float32.
        labels: int64 [...], 0..K-1, or negative where all K answers should be no.
        above: Probability from which the loss is zero.

    Returns:
        [...], at least float32.
    """
    return _of_right_answer(logits, labels, lambda x: (above - torch.sigmoid(x)).clamp(min=0), None)


def smooth_l1(deltas: Tensor, targets: Tensor, beta: float) -> Tensor:
    """Smooth L1 (Fast R-CNN, Eq. 3) of each box, summed over its four offsets.

    Args:
        deltas: [P, 4].
        targets: [P, 4].
        beta: Difference from which it is linear; 0 gives L1.

    Returns:
        [P].
    """
    return F.smooth_l1_loss(deltas, targets, reduction="none", beta=beta).sum(-1)


class _Focal(torch.autograd.Function):
    """Closed forms of the loss and of its derivative (RetinaNet, Appendix B).

    Only the logits are kept for the backward pass, where automatic differentiation would keep some eight tensors of
    their size; and `p**(gamma - 1)`, infinite at p = 0 for gamma < 1, does not occur.
    """

    @staticmethod
    def forward(ctx: Any, logits: Tensor, labels: Tensor, gamma: float, positive: float, negative: float) -> Tensor:
        ctx.save_for_backward(logits, labels)
        ctx.options = gamma, positive, negative
        x = _wide(logits)
        loss = negative * _loss(-x, gamma)
        _replace(loss, labels, lambda index: positive * _loss(x.gather(-1, index), gamma))
        return loss.sum(-1)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        logits, labels = ctx.saved_tensors
        gamma, positive, negative = ctx.options
        x = _wide(logits)
        slope = -negative * _slope(-x, gamma)
        _replace(slope, labels, lambda index: positive * _slope(x.gather(-1, index), gamma))
        return (slope * grads[0].unsqueeze(-1)).to(logits.dtype), None, None, None, None


def _of_right_answer(logits: Tensor, labels: Tensor, loss: Loss, alpha: float | None) -> Tensor:
    """A loss of the right answer's logit, weighed as in `focal` and summed over the K classifiers."""
    x = _wide(logits)
    is_label = (labels >= 0).unsqueeze(-1)
    positive = torch.zeros_like(x, dtype=torch.bool).scatter_(-1, labels.clamp(min=0).unsqueeze(-1), is_label)
    weights = torch.where(positive, *_weights(alpha))
    return (weights * loss(torch.where(positive, x, -x))).sum(-1)


def _weights(alpha: float | None) -> tuple[float, float]:
    """Of the positive and the negative answer."""
    return (1.0, 1.0) if alpha is None else (alpha, 1 - alpha)


def _wide(logits: Tensor) -> Tensor:
    return logits if logits.dtype == torch.float64 else logits.float()


def _loss(x: Tensor, gamma: float) -> Tensor:
    """`-(1 - p)**gamma log p` of the right answer's logit."""
    return torch.sigmoid(-x).pow(gamma) * F.softplus(-x)


def _slope(x: Tensor, gamma: float) -> Tensor:
    """Its derivative, `(1 - p)**gamma (gamma p log p + p - 1)`."""
    miss = torch.sigmoid(-x)
    return -miss.pow(gamma) * (gamma * torch.sigmoid(x) * F.softplus(-x) + miss)


def _replace(values: Tensor, labels: Tensor, positive: Any) -> None:
    """Put the positive answers' values where a label says so."""
    index = labels.clamp(min=0).unsqueeze(-1)
    right = torch.where(labels.unsqueeze(-1) >= 0, positive(index), values.gather(-1, index))
    values.scatter_(-1, index, right)
