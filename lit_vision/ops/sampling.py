"""Random mini-batches of anchors and proposals."""

from dataclasses import dataclass

import torch
from torch import Tensor

from lit_vision.errors import InputError


@dataclass(frozen=True)
class Sampler:
    """Draws examples of each image (Faster R-CNN, Section 3.1.3; Fast R-CNN, Section 2.3).

    Attributes:
        size: Examples of an image, fewer if it has fewer.
        fraction: The largest share of positives; where positives lack, negatives take their place.
    """

    size: int
    fraction: float

    def __post_init__(self) -> None:
        if self.size < 1 or not 0 <= self.fraction <= 1:
            raise InputError(
                f"sampling: needs size >= 1 and a fraction in 0..1, got size {self.size}, fraction {self.fraction}"
            )

    def __call__(self, positive: Tensor, negative: Tensor) -> Tensor:
        """Draw with torch's global generator of the tensors' device; see `balanced`."""
        return balanced(positive, negative, self.size, self.fraction)


def balanced(
    positive: Tensor, negative: Tensor, size: int, fraction: float, generator: torch.Generator | None = None
) -> Tensor:
    """Choose up to `size * fraction` positives of each image, and negatives up to `size` altogether.

    Args:
        positive: bool [..., A], candidates.
        negative: bool [..., A], disjoint from `positive`.
        size: Examples of an image.
        fraction: Largest share of positives.
        generator: Source of randomness, on the tensors' device; torch's global one if None.

    Returns:
        bool [..., A], the chosen ones.
    """
    priority = torch.rand(positive.shape, device=positive.device, generator=generator)
    cap = int(size * fraction)
    chosen = _first(priority, positive, cap, cap)
    room = size - chosen.sum(-1, keepdim=True)
    return chosen | _first(priority, negative, size, room)


def _first(priority: Tensor, candidates: Tensor, most: int, count: Tensor | int) -> Tensor:
    """Mark the `count` candidates of the highest priority in each row; `most` bounds the counts."""
    most = min(most, priority.shape[-1])
    # Priorities are in 0..1, so what is no candidate comes last.
    value, index = priority.masked_fill(~candidates, -1).topk(most)
    taken = (torch.arange(most, device=value.device) < count) & (value >= 0)
    return torch.zeros_like(candidates).scatter(-1, index, taken)
