"""Fast R-CNN on the proposals of a network that was trained apart (Faster R-CNN, 1506.01497, Section 4.1)."""

import dataclasses
from collections.abc import Sequence

import torch
from torch import Tensor

from lit_vision.errors import InputError
from lit_vision.models.detector import Detector
from lit_vision.models.rpn import RPN, Left
from lit_vision.protocols.base import BoxProtocol
from lit_vision.types import Detections


class Proposed(BoxProtocol):
    """The detector under test scores the proposals of another network, whatever regions come with the data.

    So one detector is tested on many kinds of proposals, without being trained anew.

    Args:
        network: Proposes; its `weights` are the file of a trained run.
        limit: Proposals of an image.
        nms: Overlap above which the lower of two proposals is dropped; 1 for none.
        leave_out: See `ProposalNetwork`.
    """

    def __init__(self, network: RPN, limit: int = 300, nms: float = 0.7, leave_out: Left | None = None) -> None:
        part = network.proposals
        part.test_selection = dataclasses.replace(part.test_selection.keeping(limit), nms=nms)
        part.leave_out = leave_out
        self.network = network.eval()

    @torch.no_grad()
    def detect(
        self, network: Detector, images: Tensor, sizes: Tensor, proposals: Sequence[Tensor] | None = None
    ) -> list[Detections]:
        """See `BoxProtocol`.

        Raises:
            InputError: The detector proposes regions itself.
        """
        if not network.takes_proposals:
            raise InputError(f"protocol: Proposed is for Fast R-CNN, but {type(network).__name__} proposes itself")
        self.network.to(images.device).normalise.load_state_dict(network.normalise.state_dict())
        given = [found.boxes for found in self.network.detect(images, sizes)]
        return network.detect(images, sizes, given)  # type: ignore[call-arg]
