"""One look at the image as the pipeline hands it over: what every recipe does that names no protocol."""

from collections.abc import Sequence

from torch import Tensor, nn

from lit_vision.models.detector import Detector
from lit_vision.protocols.base import BoxProtocol, ClassProtocol
from lit_vision.types import Detections


class Plain(ClassProtocol, BoxProtocol):
    """The network's own answer, to the bit."""

    def score(self, network: nn.Module, images: Tensor, sizes: Tensor) -> Tensor:
        """The logits."""
        logits: Tensor = network(images, sizes)
        return logits.float()

    def detect(
        self, network: Detector, images: Tensor, sizes: Tensor, proposals: Sequence[Tensor] | None = None
    ) -> list[Detections]:
        """What the detector finds."""
        return network.detect(images, sizes, *(() if proposals is None else (proposals,)))
