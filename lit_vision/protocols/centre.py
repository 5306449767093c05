"""The middle of the image, looked at by a detector (ResNet paper, 1512.03385, Table 13, "1-crop")."""

from collections.abc import Sequence

import torch
from torch import Tensor

from lit_vision.errors import InputError
from lit_vision.models.detector import Detector
from lit_vision.protocols.base import BoxProtocol
from lit_vision.types import Detections


class Centre(BoxProtocol):
    """Detects in the square in the middle of each image; boxes are those of the whole image.

    What lies outside is never found. An image with a side shorter than the square's is looked at as far as it goes.

    Args:
        size: Side of the square, in pixels of the image as the pipeline hands it over: 224 where its short side is 256.

    Raises:
        InputError: The size is not positive.
    """

    def __init__(self, size: int = 224) -> None:
        if size < 1:
            raise InputError(f"protocol.size is {size}; a crop has at least one pixel")
        self.size = size

    @torch.no_grad()
    def detect(
        self, network: Detector, images: Tensor, sizes: Tensor, proposals: Sequence[Tensor] | None = None
    ) -> list[Detections]:
        """Objects in the pixels of the batch.

        Raises:
            InputError: The regions come with the data, and may lie outside.
        """
        if proposals is not None:
            raise InputError(
                f"protocol: Centre looks for regions itself, but those of {type(network).__name__} are given"
            )
        corners = (sizes - self.size).clamp(min=0) // 2
        kept = sizes.clamp(max=self.size)
        found = network.detect(self._cut(images, corners, kept), kept)
        return [
            one._replace(boxes=one.boxes + corner.flip(0).repeat(2).to(one.boxes))
            for one, corner in zip(found, corners, strict=True)
        ]

    def _cut(self, images: Tensor, corners: Tensor, sizes: Tensor) -> Tensor:
        """The squares, uint8 [B, 3, size, size], black where an image ends.

        Args:
            images: uint8 [B, 3, H, W].
            corners: int64 [B, 2], upper and left edge of each square.
            sizes: int64 [B, 2], height and width of what is there.
        """
        cut = images.new_zeros(len(images), 3, self.size, self.size)
        places = torch.cat([corners, sizes], 1).tolist()
        for square, image, (top, left, height, width) in zip(cut, images, places, strict=True):
            square[:, :height, :width] = image[:, top : top + height, left : left + width]
        return cut
