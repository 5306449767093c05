"""Counting itself; the papers' counts stand in test_resnet.py."""

import torch
from torch import nn

from lit_vision.models import counts
from lit_vision.models.backbones import resnet
from lit_vision.models.classifier import Classifier


class Float(nn.Module):
    def forward(self, images):
        return images.float()


def test_multiply_adds_by_hand():
    pool = [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    net = nn.Sequential(Float(), nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 3, groups=2), *pool, nn.Linear(4, 7))
    # 3 * 4 weights at 7 x 7 places; 4 * 2 * 9 (two inputs a group) at 5 x 5 places; 4 * 7
    assert counts.multiply_adds(net, (7, 7)) == 12 * 49 + 72 * 25 + 28
    # the same with their biases
    assert counts.parameters(net) == (12 + 4) + (72 + 4) + (28 + 7)


def test_frozen_parameters_count_and_buffers_do_not():
    free, frozen = resnet.resnet20(), resnet.resnet20(frozen_levels=[0, 1, 2])
    assert counts.parameters(free) == counts.parameters(frozen) == 269_722 - 650  # without the ten-way last layer


def test_counting_leaves_the_network_alone():
    net = Classifier(resnet.resnet20(frozen_levels=[0]), 10).train()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    modes = [module.training for module in net.modules()]
    counts.multiply_adds(net, (32, 32))
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())
    assert [module.training for module in net.modules()] == modes
    assert not any(module._forward_hooks for module in net.modules())
    assert net.fc.weight.device.type == "cpu"
