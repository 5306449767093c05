"""The middle of an image, by hand."""

import pytest
import torch

from lit_vision.errors import InputError
from lit_vision.models.localiser import Localiser
from lit_vision.protocols.centre import Centre
from lit_vision.types import Detections


class Spot:
    """Finds the bright pixels of an image as boxes of one pixel; notes what it was given."""

    def detect(self, images, sizes):
        self.shape, self.sizes = tuple(images.shape), sizes.tolist()
        found = []
        for image in images:
            y, x = image[0].nonzero(as_tuple=True)
            boxes = torch.stack([x, y, x + 1, y + 1], 1).float()
            found.append(Detections(boxes, torch.ones(len(x)), torch.zeros_like(x)))
        return found


def test_boxes_are_those_of_the_whole_image():
    images = torch.zeros(2, 3, 10, 12, dtype=torch.uint8)
    sizes = torch.tensor([[10, 12], [3, 9]])  # the second is padded, and lower than the square
    images[0, :, 3, 4] = images[0, :, 6, 7] = 9  # the square's first pixel, and its last
    images[0, :, 2, 4] = images[0, :, 6, 8] = 9  # beyond it
    images[1, :, 2, 2] = images[1, :, 0, 5] = images[1, :, 0, 6] = images[1, :, 5, 3] = 9
    spot = Spot()
    first, second = Centre(4).detect(spot, images, sizes)
    assert first.boxes.tolist() == [[4, 3, 5, 4], [7, 6, 8, 7]]
    # Columns 2 to 5 of nine, all three rows; what lies in the padding is no part of the image.
    assert second.boxes.tolist() == [[5, 0, 6, 1], [2, 2, 3, 3]]
    assert (spot.shape, spot.sizes) == ((2, 3, 4, 4), [[4, 4], [3, 4]])


def test_a_square_as_large_as_the_image_changes_nothing():
    torch.manual_seed(0)
    net = Localiser.example().eval()
    images = torch.randint(0, 256, (1, 3, 64, 64), dtype=torch.uint8)
    sizes = torch.tensor([[64, 64]])
    for one, other in zip(Centre(64).detect(net, images, sizes)[0], net.detect(images, sizes)[0], strict=True):
        assert torch.equal(one, other)


def test_what_cannot_be_is_refused():
    with pytest.raises(InputError, match=r"protocol\.size is 0; a crop has at least one pixel"):
        Centre(0)
    with pytest.raises(InputError, match="Centre looks for regions itself, but those of Spot are given"):
        Centre(4).detect(Spot(), torch.zeros(1, 3, 4, 4), torch.tensor([[4, 4]]), [torch.zeros(1, 4)])
