import math

import pytest
import torch
from torch import nn
from torchvision.transforms import v2

from lit_vision.errors import InputError
from lit_vision.models.backbones import resnet
from lit_vision.models.classifier import Classifier
from lit_vision.protocols.crops import CenterCrop, TenCrop
from lit_vision.protocols.plain import Plain

SIZES = torch.tensor([[3, 4]])


def image(rows):
    """One image of equal channels, uint8 [1, 3, H, W]."""
    return torch.tensor(rows, dtype=torch.uint8).expand(1, 3, -1, -1)


NUMBERED = image([[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12]])


def first_channel(view):
    return view[0, 0].tolist()


def test_ten_crops_by_hand():
    views = [first_channel(view) for view in TenCrop(2).views(NUMBERED)]
    five = [[[1, 2], [5, 6]], [[3, 4], [7, 8]], [[5, 6], [9, 10]], [[7, 8], [11, 12]], [[2, 3], [6, 7]]]
    assert views == five + [[row[::-1] for row in view] for view in five]


@pytest.mark.parametrize(("height", "width", "size"), [(9, 8, 6), (8, 9, 5), (7, 7, 7), (256, 256, 224)])
def test_the_centre_is_torchvision_s(height, width, size):
    images = torch.randint(0, 256, (2, 3, height, width), dtype=torch.uint8)
    (centre,) = CenterCrop(size).views(images)
    assert torch.equal(centre, v2.CenterCrop(size)(images))


class Brightness(nn.Module):
    """Two classes: the logit of the second is the upper left pixel."""

    def forward(self, images, sizes=None):
        pixel = images[:, 0, 0, 0].float()
        return torch.stack([torch.zeros_like(pixel), pixel], 1)


def test_what_is_averaged_is_the_softmax():
    # The upper left pixels of the ten crops: 0 in eight, 2 and 3 in one each.
    images = image([[0, 0, 0, 0], [0, 0, 0, 0], [0, 2, 0, 3]])
    scores = TenCrop(1).score(Brightness(), images, SIZES)
    # Corners of single pixels: 0, 0, 0, 3 and the centre 0, and the same mirrored.
    chance = (8 * 0.5 + 2 * math.exp(3) / (1 + math.exp(3))) / 10
    assert scores.softmax(1)[0, 1].item() == pytest.approx(chance, abs=1e-6)
    assert scores.exp().sum().item() == pytest.approx(1, abs=1e-6)


def classifier():
    torch.manual_seed(0)
    net = Classifier(resnet.resnet20(), 10).eval()
    nn.init.normal_(net.fc.weight, std=0.05)  # a fresh one is sure of nothing
    return net


def test_ten_crops_of_crop_size_are_the_image_and_its_mirror():
    net, images = classifier(), torch.randint(0, 256, (3, 3, 16, 16), dtype=torch.uint8)
    sizes = torch.tensor([[16, 16]] * 3)
    both = [net(images).softmax(1), net(images.flip(3)).softmax(1)]
    found = TenCrop(16).score(net, images, sizes).softmax(1)
    torch.testing.assert_close(found, (both[0] + both[1]) / 2)
    assert (both[0] - both[1]).abs().max() > 1e-3


def test_one_view_keeps_the_logits_to_the_bit():
    net, images = classifier(), torch.randint(0, 256, (3, 3, 16, 16), dtype=torch.uint8)
    sizes = torch.tensor([[16, 16]] * 3)
    assert torch.equal(Plain().score(net, images, sizes), net(images, sizes))
    assert torch.equal(CenterCrop(16).score(net, images, sizes), net(images, sizes))


@pytest.mark.parametrize("protocol", [CenterCrop, TenCrop])
@pytest.mark.parametrize("size", [0, 4])
def test_a_crop_larger_than_the_image_is_told(protocol, size):
    told = rf"^protocol.size is {size}, but the images that the pipeline hands over have 3 x 4 pixels;\nchoose"
    with pytest.raises(InputError, match=told):
        protocol(size).views(NUMBERED)
