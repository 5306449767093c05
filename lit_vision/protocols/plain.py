"""One look at the image as the pipeline hands it over: what every recipe does that names no protocol."""

from collections.abc import Sequence

from torch import Tensor, nn

from lit_vision.models.detector import Detector
from lit_vision.protocols.base import CandidateProtocol, ClassProtocol
from lit_vision.protocols.regions import OneScale
from lit_vision.types import Candidates, Detections


class Plain(ClassProtocol, CandidateProtocol):
    """The network's own answer, to the bit."""

    def score(self, network: nn.Module, images: Tensor, sizes: Tensor) -> Tensor:
        """The logits."""
        logits: Tensor = network(images, sizes)
        return logits.float()

    def candidates(
        self, network: Detector, images: Tensor, sizes: Tensor, proposals: Sequence[Tensor] | None = None
    ) -> list[Candidates]:
        """What the detector chooses from."""
        if proposals is not None:
            return OneScale().candidates(network, images, sizes, proposals)
        return network.candidates(network.extract(images, sizes), images.shape[-2:], sizes)

    def detect(
        self, network: Detector, images: Tensor, sizes: Tensor, proposals: Sequence[Tensor] | None = None
    ) -> list[Detections]:
        """What the detector finds."""
        return network.detect(images, sizes, *(() if proposals is None else (proposals,)))
