import pytest
import torch
from torch import nn

from lit_vision.models import counts
from lit_vision.models.backbones import resnet
from lit_vision.models.classifier import Classifier
from lit_vision.models.normalise import Normalise

# Fact sheet, Section 1.4
IMAGENET = {
    "plain18": (11_515_688, {}),
    "plain34": (21_623_848, {}),
    "resnet18 A": (11_515_688, {"shortcut": "A"}),
    "resnet18 B": (11_689_512, {"shortcut": "B"}),
    "resnet18 C": (12_043_816, {"shortcut": "C"}),
    "resnet34 A": (21_623_848, {"shortcut": "A"}),
    "resnet34 B": (21_797_672, {"shortcut": "B"}),
    "resnet34 C": (22_716_840, {"shortcut": "C"}),
    "resnet50 B": (25_557_032, {"shortcut": "B"}),
    "resnet50 C": (40_128_552, {"shortcut": "C"}),
    "resnet101 B": (44_549_160, {"shortcut": "B"}),
    "resnet101 C": (76_981_288, {"shortcut": "C"}),
    "resnet152 B": (60_192_808, {"shortcut": "B"}),
    "resnet152 C": (107_335_720, {"shortcut": "C"}),
}

# Section 1.4, option B; stride in the first 1x1 (paper) and in the 3x3, in 1e9
COSTS = {18: (1.814, 1.814), 34: (3.664, 3.664), 50: (3.858, 4.089), 101: (7.570, 7.801), 152: (11.282, 11.514)}

# Section 1.5: option A or plain, option B, multiply-adds of A in 1e6 with the digits printed there
CIFAR = {
    20: (269_722, 272_474, "40.6"),
    32: (464_154, 466_906, "68.9"),
    44: (658_586, 661_338, "97.2"),
    56: (853_018, 855_770, "125.5"),
    110: (1_727_962, 1_730_714, "252.9"),
    1202: (19_421_274, 19_424_026, "2829"),
}


def classifier(name, classes, **options):
    normalise = Normalise()  # checks its values, so it needs some
    with torch.device("meta"):  # counts need shapes alone
        return Classifier(getattr(resnet, name)(**options), classes, normalise)


@pytest.mark.parametrize("net", IMAGENET)
def test_parameters_imagenet(net):
    parameters, options = IMAGENET[net]
    assert counts.parameters(classifier(net.split()[0], 1000, **options)) == parameters


@pytest.mark.parametrize("depth", CIFAR)
def test_parameters_cifar(depth):
    option_a, option_b, _ = CIFAR[depth]
    assert counts.parameters(classifier(f"resnet{depth}", 10)) == option_a
    assert counts.parameters(classifier(f"resnet{depth}", 10, shortcut="B")) == option_b
    assert counts.parameters(classifier(f"resnet{depth}", 100)) == option_a + 5850


@pytest.mark.parametrize("depth", [20, 32, 44, 56, 110])
def test_plain_costs_what_option_a_costs(depth):
    assert counts.parameters(classifier(f"plain{depth}", 10)) == CIFAR[depth][0]


@pytest.mark.parametrize("depth", COSTS)
def test_multiply_adds_imagenet(depth):
    strides = ({}, {}) if depth < 50 else ({"stride_on": "1x1"}, {"stride_on": "3x3"})
    found = [counts.multiply_adds(classifier(f"resnet{depth}", 1000, shortcut="B", **s), (224, 224)) for s in strides]
    assert [f"{cost / 1e9:.3f}" for cost in found] == [f"{cost:.3f}" for cost in COSTS[depth]]


@pytest.mark.parametrize("depth", CIFAR)
def test_multiply_adds_cifar(depth):
    printed = CIFAR[depth][2]
    cost = counts.multiply_adds(classifier(f"resnet{depth}", 10), (32, 32))
    assert f"{cost / 1e6:.{len(printed.partition('.')[2])}f}" == printed


@pytest.mark.parametrize("depth", [18, 34, 50, 101, 152, 20, 56, 1202])
def test_depth_counts_convolutions_and_the_classifier(depth):
    net = classifier(f"resnet{depth}", 10)
    weighted = [name for name, m in net.named_modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    assert len([name for name in weighted if ".shortcut." not in name]) == depth


def test_a_grouped_convolution_by_hand():
    # 4 outputs of 2 inputs each, 3x3, at 5x5 positions; then 4 x 7 weights
    net = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 3, groups=2), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    net.append(nn.Linear(4, 7))
    cost = 3 * 4 * 7 * 7 + 4 * 2 * 9 * 5 * 5 + 4 * 7
    floats = nn.Sequential(_Float(), *net)
    assert counts.multiply_adds(floats, (7, 7)) == cost


class _Float(nn.Module):
    def forward(self, x):
        return x.float()


def test_counting_leaves_the_network_alone():
    net = Classifier(resnet.resnet20(frozen_levels=[0]), 10).train()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    modes = [module.training for module in net.modules()]
    counts.multiply_adds(net, (32, 32))
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())
    assert [module.training for module in net.modules()] == modes
    assert not any(module._forward_hooks for module in net.modules())
    assert net.fc.weight.device.type == "cpu"
