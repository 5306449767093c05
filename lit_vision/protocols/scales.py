"""Several scales of an image, each looked at by the whole detector (ResNet paper, 1512.03385, Table 13, "dense")."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as transforms

from lit_vision.errors import InputError
from lit_vision.models.detector import Detector
from lit_vision.ops import selection
from lit_vision.protocols.base import CandidateProtocol
from lit_vision.types import Candidates


class Scales(CandidateProtocol):
    """Detects at several scales of each image; one selection chooses from what all of them made candidates.

    The counterpart of `dense.Dense` for detectors, and resized as there: bilinear with antialiasing, rounded to whole
    values, the long side rounded down. It is meant for whole images, as their files have them.

    Args:
        sides: Short sides, in pixels.

    Raises:
        InputError: There is no scale, or one below a pixel.
    """

    def __init__(self, sides: Sequence[int]) -> None:
        if min(sides, default=0) < 1:
            raise InputError(f"protocol.sides is {list(sides)}; give at least one short side in pixels")
        self.sides = tuple(sides)

    def candidates(
        self, network: Detector, images: Tensor, sizes: Tensor, proposals: Sequence[Tensor] | None = None
    ) -> list[Candidates]:
        """Those of all scales, in the pixels of the batch.

        Raises:
            InputError: The regions come with the data.
        """
        if proposals is not None:
            raise InputError(
                f"protocol: Scales looks for regions itself, but those of {type(network).__name__} are given"
            )
        alone = zip(images, sizes.tolist(), strict=True)
        looks = [list(self._looks(network, image[None, :, :height, :width])) for image, (height, width) in alone]
        return selection.union(zip(*looks, strict=True))

    def _looks(self, network: Detector, image: Tensor) -> Iterator[Candidates]:
        """What each scale makes candidates of an image [1, 3, H, W], in its pixels."""
        for side in self.sides:
            view = transforms.resize(image, [side], antialias=True)
            shape, whole = view.shape[-2:], image.shape[-2:]
            sizes = torch.tensor([shape], device=image.device)
            (found,) = network.candidates(network.extract(view, sizes), shape, sizes)
            grown = found.boxes.new_tensor([shape[1] / whole[1], shape[0] / whole[0]]).repeat(2)
            yield found._replace(boxes=found.boxes / grown)
