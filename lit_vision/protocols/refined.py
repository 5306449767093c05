"""Box refinement (ResNet paper, 1512.03385, Appendix B and Table 9)."""

import dataclasses
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from lit_vision.errors import InputError
from lit_vision.models.detector import Detector
from lit_vision.ops import box
from lit_vision.ops.selection import Selection
from lit_vision.protocols.base import CandidateProtocol
from lit_vision.protocols.regions import OneScale, RegionProtocol, two_stage
from lit_vision.types import Candidates, Scores


class Refined(CandidateProtocol):
    """Scores each region, then the box that became of it: features are pooled there, and the second stage answers anew.

    New and original predictions are suppressed together, 300 and 300 in the paper. Each region has one box of every
    class, and the paper does not say which is pooled: here that of its most probable class. What is left of it inside
    the image is pooled, and where nothing is left, there is no new prediction.

    Args:
        of: How regions are proposed and scored, in both turns; at the pipeline's scale if None.
        nms: Overlap above which the lower of two boxes is dropped; 0.3 in the paper.

    Raises:
        InputError: `nms` lies outside 0..1.
    """

    def __init__(self, of: RegionProtocol | None = None, nms: float = 0.3) -> None:
        if not 0 <= nms <= 1:
            raise InputError(f"protocol Refined: nms is an overlap, in 0..1, got {nms}")
        self.of = of or OneScale()
        self.nms = nms
        self.members = self.of.members

    def check(self, network: nn.Module) -> None:
        """Refuses a detector without a second stage."""
        two_stage(network, self)

    def candidates(
        self, network: Detector, images: Tensor, sizes: Tensor, proposals: Sequence[Tensor] | None = None
    ) -> list[Candidates]:
        """Those of both turns.

        Raises:
            InputError: The detector has no second stage.
        """
        look = self.of.look(two_stage(network, self), images, sizes)
        first = look.score(look.propose() if proposals is None else proposals)
        second = look.score([regressed(scores, size) for scores, size in zip(first, sizes, strict=True)])
        both = [Scores(*map(torch.cat, zip(*turns, strict=True))) for turns in zip(first, second, strict=True)]
        return two_stage(network, self).candidates_of(both, sizes)

    def limits(self, network: Detector) -> Selection:
        """The network's, but for the overlap."""
        return dataclasses.replace(network.limits, nms=self.nms)


def regressed(scores: Scores, size: Tensor) -> Tensor:
    """The box of each region's most probable class inside an image of that height and width, [R, 4]; none is empty."""
    best = scores.scores.argmax(1)
    boxes = box.clip(scores.boxes[torch.arange(len(best), device=best.device), best], size)
    return boxes[(boxes[:, 2:] > boxes[:, :2]).all(1)]
