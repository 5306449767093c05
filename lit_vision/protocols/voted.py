"""Box voting, after the suppression of boxes (ResNet paper, 1512.03385, Appendix B)."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from lit_vision.errors import InputError
from lit_vision.models.detector import Detector
from lit_vision.ops import selection
from lit_vision.ops.selection import Selection
from lit_vision.protocols.base import CandidateProtocol
from lit_vision.protocols.plain import Plain
from lit_vision.types import Candidates, Detections


class Voted(CandidateProtocol):
    """Moves each box that suppression has kept to the weighted mean of the candidates around it; scores stay.

    Those vote that are of the box's class, score above the network's threshold and overlap it enough, itself among
    them; each weighs as much as its score. The paper names neither the overlap nor the weights, so both are ours.

    Args:
        of: How candidates are found and suppressed; plainly if None.
        overlap: From which intersection over union on a candidate votes.

    Raises:
        InputError: `overlap` lies outside 0..1, or is 0.
    """

    def __init__(self, of: CandidateProtocol | None = None, overlap: float = 0.5) -> None:
        if not 0 < overlap <= 1:
            raise InputError(f"protocol Voted: overlap is that of boxes, above 0 and up to 1, got {overlap}")
        self.of = of or Plain()
        self.overlap = overlap
        self.members = self.of.members

    def check(self, network: nn.Module) -> None:
        """As `of` does."""
        self.of.check(network)

    def candidates(
        self, network: Detector, images: Tensor, sizes: Tensor, proposals: Sequence[Tensor] | None = None
    ) -> list[Candidates]:
        """As `of` finds them."""
        return self.of.candidates(network, images, sizes, proposals)

    def limits(self, network: Detector) -> Selection:
        """As `of` has them."""
        return self.of.limits(network)

    @torch.no_grad()
    def detect(
        self, network: Detector, images: Tensor, sizes: Tensor, proposals: Sequence[Tensor] | None = None
    ) -> list[Detections]:
        """The best candidates, where the votes put them."""
        limits = self.limits(network)
        found = [_above(limits.score, each) for each in self.candidates(network, images, sizes, proposals)]
        kept = network.select(found, limits)
        return [selection.vote(*image, self.overlap) for image in zip(kept, found, strict=True)]


def _above(threshold: float, candidates: Candidates) -> Candidates:
    above = candidates.scores > threshold
    return Candidates(*(value[above] for value in candidates))
