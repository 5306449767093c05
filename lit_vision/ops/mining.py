"""Mini-batches of the examples that err most: online hard example mining."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torchvision.ops import nms

from lit_vision.errors import InputError

# How many of the highest losses are looked at first, for each example that is wanted: most of some 100,000 anchors
# never reach the suppression.
LOOKED_AT = 8


@dataclass(frozen=True)
class HardExamples:
    """Takes an image's examples of the highest loss that do not overlap (OHEM as RetinaNet's Table 1d tries it).

    From the highest loss on, each example drops those of lower loss that overlap it; of equal losses the first anchor
    comes first. What is left, in this order, fills the mini-batch.

    Attributes:
        size: Examples of an image, fewer where fewer are left.
        nms: Overlap above which the example of lower loss is dropped; 1 drops none.
        negatives: So many negatives for each positive (SSD's 1:3 is 3): positives up to their share of `size`, then as
            many negatives as they ask for, so that an image without positives gives no example. None takes both by
            their loss alone.

    Raises:
        InputError: The mini-batch has no room for one positive and its negatives, or `nms` is no overlap.
    """

    size: int
    nms: float
    negatives: int | None = None

    def __post_init__(self) -> None:
        no_ratio = self.negatives is not None and self.negatives < 1
        if no_ratio or self.size < 1 + (self.negatives or 0) or not 0 <= self.nms <= 1:
            raise InputError(
                "mining: needs nms in 0..1, negatives >= 1 or null, and a size of 1 + negatives or more;\n"
                f"got size {self.size}, nms {self.nms}, negatives {self.negatives}"
            )

    def __call__(self, losses: Tensor, boxes: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        """Choose from one image.

        Args:
            losses: [A].
            boxes: [A, 4] xyxy, what each example overlaps by.
            positive: bool [A], candidates.
            negative: bool [A], disjoint from `positive`.

        Returns:
            bool [A], the chosen ones.
        """
        order = losses.argsort(descending=True, stable=True)
        order = order[(positive | negative)[order]]
        looked_at = self._first_look(positive[order])
        while True:
            # What is dropped depends on higher losses alone: the first of the list are decided without the rest.
            first = order[:looked_at]
            left = first[nms(boxes[first], losses[first], self.nms)]
            chosen, wanted = self._fill(left, positive[left])
            if len(chosen) == wanted or looked_at >= len(order):
                return torch.zeros_like(positive).index_fill(0, chosen, True)
            looked_at *= 4

    def _first_look(self, positive: Tensor) -> int:
        """How much of the list is looked at first; where positives set the number of negatives, all positives."""
        needed = self.size * LOOKED_AT
        ranks = positive.nonzero()
        return needed if self.negatives is None or not len(ranks) else max(needed, int(ranks[-1]) + 1)

    def _fill(self, left: Tensor, positive: Tensor) -> tuple[Tensor, int]:
        """The mini-batch from what is left, and how many it should have."""
        if self.negatives is None:
            return left[: self.size], self.size
        share = self.size // (1 + self.negatives)
        positives = left[positive][:share]
        asked = len(positives) * self.negatives
        return torch.cat([positives, left[~positive][:asked]]), len(positives) + asked
