"""Crops of one size: the centre, and the ten of the ResNet paper's tables."""

from torch import Tensor

from lit_vision.errors import InputError
from lit_vision.protocols.base import Views


class CenterCrop(Views):
    """The centre of the image, as the curves of the ResNet paper's Figure 4 are measured (1512.03385).

    Args:
        size: Side of the crop, in pixels.
    """

    def __init__(self, size: int) -> None:
        self.size = size

    def views(self, images: Tensor) -> list[Tensor]:
        """The centre of each image, uint8 [B, 3, size, size]."""
        down, right = _room(images, self.size)
        return [_cut(images, _middle(down), _middle(right), self.size)]


class TenCrop(Views):
    """Four corners, the centre, and the mirror images of the five (ResNet paper, Tables 2 and 3).

    The authors average the softmax of ten crops of 224 pixels from an image whose short side has 256, as their code's
    README says. The protocol is AlexNet's, so corners are those of the square of 256 pixels in the middle: the pipeline
    hands it over where `data.pipeline.test_crop` is 256.

    Args:
        size: Side of a crop, in pixels.
    """

    def __init__(self, size: int) -> None:
        self.size = size

    def views(self, images: Tensor) -> list[Tensor]:
        """Ten batches, uint8 [B, 3, size, size]: upper left, upper right, lower left, lower right, centre; mirrored."""
        down, right = _room(images, self.size)
        corners = [(0, 0), (0, right), (down, 0), (down, right), (_middle(down), _middle(right))]
        crops = [_cut(images, top, left, self.size) for top, left in corners]
        return crops + [crop.flip(3) for crop in crops]


def _room(images: Tensor, size: int) -> tuple[int, int]:
    """How far a crop can move down and to the right.

    Raises:
        InputError: The crop is larger than the images.
    """
    height, width = images.shape[2:]
    if size < 1 or size > min(height, width):
        raise InputError(
            f"protocol.size is {size}, but the images that the pipeline hands over have {height} x {width} pixels;\n"
            "choose a smaller crop, or let the pipeline hand over more: data.pipeline.test_crop of photographs"
        )
    return height - size, width - size


def _middle(room: int) -> int:
    """Half of the room, rounded as torchvision's CenterCrop does."""
    return round(room / 2)


def _cut(images: Tensor, top: int, left: int, size: int) -> Tensor:
    return images[:, :, top : top + size, left : left + size]
