import pytest
import torch

from lit_vision.models.backbones import resnet
from lit_vision.models.classifier import Classifier
from lit_vision.models.normalise import Normalise


@pytest.fixture
def net():
    torch.manual_seed(0)
    return Classifier(resnet.resnet20(), 10).eval()


def test_is_normalise_backbone_average_and_linear(net):
    images = torch.randint(0, 256, (2, 3, 32, 32), dtype=torch.uint8)
    features = net.backbone(net.normalise(images))[2]
    assert features.shape == (2, 64, 8, 8)
    wanted = features.flatten(2).mean(2) @ net.fc.weight.T + net.fc.bias
    torch.testing.assert_close(net(images), wanted)


def test_sizes_reach_normalise(net):
    # Zeros after Normalise, whatever stands in the padding
    images = torch.randint(0, 256, (1, 3, 32, 32), dtype=torch.uint8)
    sizes = torch.tensor([[20, 32]])
    other = images.clone()
    other[:, :, 20:] = 255 - other[:, :, 20:]
    assert torch.equal(net(images, sizes), net(other, sizes))
    assert not torch.equal(net(images), net(other))


def test_parts_are_the_given_ones():
    backbone, normalise = resnet.resnet20(), Normalise((0.5,) * 3, (1.0,) * 3)
    net = Classifier(backbone, 7, normalise)
    assert net.backbone is backbone
    assert net.normalise is normalise
    assert net.num_classes == 7
    assert net.fc.weight.shape == (7, 64)


def test_starts_near_uniform_probabilities(net):
    images = torch.randint(0, 256, (8, 3, 32, 32), dtype=torch.uint8)
    assert net.fc.weight.std().item() == pytest.approx(0.01, rel=0.1)
    assert net.fc.bias.count_nonzero() == 0
    assert net.train()(images).softmax(1).sub(0.1).abs().max() < 0.05


def test_works_on_other_sizes_than_those_trained_on(net):
    assert net(torch.zeros(1, 3, 50, 37, dtype=torch.uint8)).shape == (1, 10)
