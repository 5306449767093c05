"""How a detector with a second stage looks: which regions it proposes, and what it says about any."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from torch import Tensor, nn

from lit_vision.errors import InputError
from lit_vision.models.detector import Detector, RegionDetector
from lit_vision.protocols.base import CandidateProtocol, Protocol
from lit_vision.types import Candidates, Scores


class Look(NamedTuple):
    """A batch of images, looked at; its features are computed once, however often it is asked.

    Attributes:
        propose: Gives the boxes [R, 4] of each image that are worth scoring.
        score: Says about boxes [R, 4] of each image what the second stage makes of them.
    """

    propose: Callable[[], list[Tensor]]
    score: Callable[[Sequence[Tensor]], list[Scores]]


class RegionProtocol(CandidateProtocol):
    """How the two stages of a detector look. Where regions come with the data, only the second is asked."""

    @abstractmethod
    def look(self, network: Detector, images: Tensor, sizes: Tensor) -> Look:
        """Looks at a batch; arguments as of `BoxProtocol.detect`.

        Raises:
            InputError: The detector has no second stage.
        """

    def check(self, network: nn.Module) -> None:
        """Refuses a detector without a second stage."""
        two_stage(network, self)

    def candidates(
        self, network: Detector, images: Tensor, sizes: Tensor, proposals: Sequence[Tensor] | None = None
    ) -> list[Candidates]:
        """What the second stage makes of the regions.

        Raises:
            InputError: The detector has no second stage.
        """
        look = self.look(network, images, sizes)
        scores = look.score(look.propose() if proposals is None else proposals)
        return two_stage(network, self).candidates_of(scores, sizes)


class OneScale(RegionProtocol):
    """The regions of the image as the pipeline hands it over, scored there: what `Plain` finds."""

    def look(self, network: Detector, images: Tensor, sizes: Tensor) -> Look:
        """See `RegionProtocol`."""
        detector = two_stage(network, self)
        features = detector.extract(images, sizes)
        return Look(
            partial(detector.propose, features, images.shape[-2:], sizes),
            lambda regions: detector.score(features, regions, sizes),
        )


def two_stage(network: nn.Module, protocol: Protocol) -> RegionDetector:
    """The network, if it can score regions.

    Raises:
        InputError: It cannot.
    """
    if isinstance(network, RegionDetector):
        return network
    raise InputError(
        f"protocol {type(protocol).__name__} scores regions, but {type(network).__name__} has no second stage;\n"
        "Flip, voted.Voted and ensemble.BoxUnion take any detector"
    )
