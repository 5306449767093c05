"""ZF, by Faster R-CNN's fact sheet, A.8."""

import pytest
import torch

from lit_vision.models.backbones.one_level import OneLevel
from lit_vision.models.backbones.zf import ZF, LocalNorm
from lit_vision.models.heads.box import BoxHead

# Kernel, stride, padding and output channels of conv1 to conv5
LAYERS = [(7, 2, 3, 96), (5, 2, 2, 256), (3, 1, 1, 384), (3, 1, 1, 384), (3, 1, 1, 256)]


def test_layers_are_the_sheet_s():
    found = [module for module in ZF().modules() if isinstance(module, torch.nn.Conv2d)]
    assert [(m.kernel_size[0], m.stride[0], m.padding[0], m.out_channels) for m in found] == LAYERS
    weights = 49 * 3 * 96 + 25 * 96 * 256 + 9 * (256 * 384 + 384 * 384 + 384 * 256)
    assert sum(p.numel() for p in ZF().parameters()) == weights + 96 + 256 + 384 + 384 + 256


def test_its_head_reads_9216_values():
    # 6 x 6 x 256 into fc6, 21 scores and 84 offsets on VOC
    head = BoxHead(256, 6, 20, width=4096, dropout=0.5)
    shapes = [tuple(layer.weight.shape) for layer in (head.fc1, head.fc2, head.cls, head.box)]
    assert shapes == [(4096, 9216), (4096, 4096), (21, 4096), (84, 4096)]


def test_conv5_has_a_stride_of_16():
    net = OneLevel(ZF(), 4)
    with torch.no_grad():
        features = net(torch.randn(1, 3, 96, 160))
    assert {level: tuple(each.shape) for level, each in features.items()} == {4: (1, 256, 6, 10)}
    assert (features[4] >= 0).all()


def test_the_map_sees_171_pixels():
    # Section 3.1 of the paper: the 3x3 window of its proposal network sees 171 pixels
    field, jump = 1, 1
    for kernel, stride in [(7, 2), (3, 2), (5, 2), (3, 2), (3, 1), (3, 1), (3, 1), (3, 1)]:
        field, jump = field + (kernel - 1) * jump, jump * stride
    assert (field, jump) == (171, 16)
    # ... without the proposal network 139, and that is where a changed pixel is felt
    net = OneLevel(ZF(), 4).eval()
    image = torch.zeros(1, 3, 320, 320, requires_grad=True)
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, torch.nn.Conv2d):
                module.weight.fill_(1e-3)
    net(image + 1)[4][0, 0, 10, 10].backward()
    touched = image.grad[0].abs().sum(0).nonzero()
    assert (touched.amax(0) - touched.amin(0) + 1).max() <= 171 - 2 * 16


def test_local_norm_by_hand():
    # In the middle the mean square of nine pixels; at a corner zeros stand beyond the border
    x = torch.tensor([[[[3.0, 0, 0], [0, 6, 0], [0, 0, 0]]]])
    found = LocalNorm(3, alpha=2.0, beta=0.5)(x)
    assert found[0, 0, 1, 1].item() == pytest.approx(6 / (1 + 2 * 45 / 9) ** 0.5)
    assert found[0, 0, 0, 0].item() == pytest.approx(3 / (1 + 2 * 45 / 9) ** 0.5)
    assert LocalNorm()(x)[0, 0, 0, 0].item() == pytest.approx(3 * (1 + 5e-5 * 5) ** -0.75)


def test_channels_are_normalised_apart():
    x = torch.randn(1, 2, 5, 5)
    assert torch.equal(LocalNorm(3, 1.0)(x)[:, :1], LocalNorm(3, 1.0)(x[:, :1]))


def test_all_levels_can_be_frozen_for_the_last_steps_of_four():
    net = ZF(frozen_levels=(1, 3, 4))
    assert not any(p.requires_grad for p in net.parameters())
