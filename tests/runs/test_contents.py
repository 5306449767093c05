"""Weights and the network that they are loaded into."""

import pytest
import torch

from lit_vision.errors import InputError
from lit_vision.models import classifier
from lit_vision.models.backbones import resnet
from lit_vision.runs import contents


def small():
    return classifier.Classifier(resnet.resnet20(), num_classes=3)


def test_the_file_decides_whether_the_mean_is_an_image():
    """CIFAR's mean image is part of each checkpoint, and a new network expects one number per channel."""
    trained, new = small(), small()
    mean = torch.rand(3, 8, 8)
    trained.normalise.set(mean, torch.ones(3))
    contents.refuse_other_network(trained.state_dict(), new, "last.ckpt")
    new.load_state_dict(trained.state_dict())
    assert torch.equal(new.normalise.mean, mean)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("normalise.mean", torch.zeros(1, 3, 8, 8)),
        ("normalise.std", torch.zeros(4, 8, 8)),
        ("head.bias", torch.zeros(3, 1, 1)),
    ],
)
def test_other_shapes_are_of_another_network(name, value):
    net = small()
    if name == "head.bias":
        name = next(key for key in net.state_dict() if key.endswith("bias") and net.state_dict()[key].shape == (3,))
    with pytest.raises(InputError, match=f"is of another network: {name} is "):
        contents.refuse_other_network(net.state_dict() | {name: value}, net, "last.ckpt")
