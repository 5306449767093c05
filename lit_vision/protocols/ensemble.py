"""Several trained networks as one: the members of a row, each with the input statistics that it was trained with."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from lit_vision.models.detector import Detector
from lit_vision.ops import probability, selection
from lit_vision.ops.selection import Selection
from lit_vision.protocols.base import CandidateProtocol, ClassProtocol, TrainingImages
from lit_vision.protocols.members import Members
from lit_vision.protocols.plain import Plain
from lit_vision.protocols.regions import Look, OneScale, RegionProtocol
from lit_vision.types import Candidates, Scores


class Mean(ClassProtocol):
    """Averages the softmax of several networks (ResNet paper, Table 5), which may differ in architecture.

    Args:
        of: How each member looks at an image; plainly if None.
    """

    members: Members

    def __init__(self, of: ClassProtocol | None = None) -> None:
        self.of = of or Plain()
        self.members = Members("Mean")

    @property
    def alters(self) -> str:  # type: ignore[override]
        """What differs in each member from what was trained."""
        return self.of.alters

    def begin(self, network: nn.Module, training: TrainingImages) -> None:
        """Prepares how each member looks."""
        for member in self.members.beside(network, next(network.parameters()).device):
            self.of.begin(member, training)

    def score(self, network: nn.Module, images: Tensor, sizes: Tensor) -> Tensor:
        """The mean of the members' softmax, as its logarithm.

        Raises:
            InputError: Nobody has handed the members over.
        """
        members = self.members.beside(network, images.device)
        return probability.mean([self.of.score(member, images, sizes) for member in members])


class RegionMean(RegionProtocol):
    """Detectors with a second stage as one (ResNet paper, 1512.03385, Appendix B and Table 9): all score all regions.

    The regions are what any of them proposes, or those that come with the data. Probabilities and boxes are averaged
    over the members; the first one's threshold and limits apply.

    Args:
        of: How each member proposes and scores; at the pipeline's scale if None.
    """

    members: Members

    def __init__(self, of: RegionProtocol | None = None) -> None:
        self.of = of or OneScale()
        self.members = Members("RegionMean")

    def look(self, network: Detector, images: Tensor, sizes: Tensor) -> Look:
        """See `RegionProtocol`.

        Raises:
            InputError: A member has no second stage, or nobody has handed the members over.
        """
        members: list[Any] = self.members.beside(network, images.device)
        looks = [self.of.look(member, images, sizes) for member in members]
        return Look(partial(_proposed, looks), partial(_averaged, looks))


class BoxUnion(CandidateProtocol):
    """Detectors of any kinds as one: what each finds is put together and suppressed once, by the first one's limits.

    Scores of different kinds of detectors are compared as they are.

    Args:
        of: How each member finds its candidates; plainly if None.
    """

    members: Members

    def __init__(self, of: CandidateProtocol | None = None) -> None:
        self.of = of or Plain()
        self.members = Members("BoxUnion")

    def check(self, network: nn.Module) -> None:
        """As `of` does."""
        self.of.check(network)

    def candidates(
        self, network: Detector, images: Tensor, sizes: Tensor, proposals: Sequence[Tensor] | None = None
    ) -> list[Candidates]:
        """Those of all members; the data's regions are for members that take them.

        Raises:
            InputError: Nobody has handed the members over.
        """
        members: list[Any] = self.members.beside(network, images.device)
        given = [proposals if member.takes_proposals else None for member in members]
        return selection.union(
            self.of.candidates(member, images, sizes, regions) for member, regions in zip(members, given, strict=True)
        )

    def limits(self, network: Detector) -> Selection:
        """As `of` has them for the first member."""
        return self.of.limits(network)


def _proposed(looks: Sequence[Look]) -> list[Tensor]:
    """The regions of each image that any look proposes."""
    return [torch.cat(image) for image in zip(*(look.propose() for look in looks), strict=True)]


def _averaged(looks: Sequence[Look], regions: Sequence[Tensor]) -> list[Scores]:
    """The means of what the looks say about regions [R, 4] of each image."""
    answers = zip(*(look.score(regions) for look in looks), strict=True)
    return [Scores(*(torch.stack(values).mean(0) for values in zip(*image, strict=True))) for image in answers]
