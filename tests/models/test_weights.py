import pickle
import urllib.error
import warnings

import pytest
import torch
import torch.nn.functional as F
import torchvision
from safetensors.torch import save_file
from torch import nn
from torchvision.models._api import WeightsEnum

from lit_vision.errors import InputError
from lit_vision.models import norm
from lit_vision.models.backbones import resnet
from lit_vision.models.classifier import Classifier

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def pixels(size, batch=2):
    return torch.randint(0, 256, (batch, 3, size, size), dtype=torch.uint8)


def by_hand(images):
    return (images / 255 - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]


def trained(net, inputs):
    """Random statistics and scales as after training, and a last layer that makes logits of order one."""
    for layer in net.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.running_mean, std=0.1)
            nn.init.uniform_(layer.running_var, 0.5, 1.5)
            nn.init.uniform_(layer.weight, 0.3, 0.7)
            nn.init.normal_(layer.bias, std=0.1)
    last = net.fc if hasattr(net, "fc") else net.linear
    with torch.no_grad():
        last.weight /= net.eval()(inputs).std()
    return net


def save(content, path):
    torch.save(content, path)
    return str(path)


# The two deepest have no other layer types than ResNet-50 and take most of the time.
@pytest.mark.parametrize("depth", [18, 34, 50, 101, 152])
def test_torchvisions_networks_give_the_same_logits(depth, tmp_path):
    torch.manual_seed(depth)
    images = pixels(64)
    theirs = trained(getattr(torchvision.models, f"resnet{depth}")(num_classes=20), by_hand(images))
    file = save(theirs.state_dict(), tmp_path / "theirs.pth")
    options = {"shortcut": "B"} if depth < 50 else {"stride_on": "3x3"}
    ours = Classifier(getattr(resnet, f"resnet{depth}")(**options), 20, weights=file).eval()
    with torch.no_grad():
        wanted, found = theirs(by_hand(images)), ours(images)
    assert 0.3 < wanted.std() < 3
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=0)
