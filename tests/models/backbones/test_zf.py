"""ZF, by Faster R-CNN's fact sheet, A.8."""

from functools import partial

import pytest
import torch
from torchvision.models import vgg16

from lit_vision.errors import InputError
from lit_vision.models.backbones.one_level import OneLevel
from lit_vision.models.backbones.zf import LocalNorm, zf
from lit_vision.models.classifier import Classifier
from lit_vision.models.heads.box import BoxHead
from lit_vision.models.heads.spp import SPP

# Kernel, stride, padding and output channels of conv1 to conv5
LAYERS = [(7, 2, 3, 96), (5, 2, 2, 256), (3, 1, 1, 384), (3, 1, 1, 384), (3, 1, 1, 256)]


def test_layers_are_the_sheet_s():
    found = [module for module in zf().modules() if isinstance(module, torch.nn.Conv2d)]
    assert [(m.kernel_size[0], m.stride[0], m.padding[0], m.out_channels) for m in found] == LAYERS
    weights = 49 * 3 * 96 + 25 * 96 * 256 + 9 * (256 * 384 + 384 * 384 + 384 * 256)
    assert sum(p.numel() for p in zf().parameters()) == weights + 96 + 256 + 384 + 384 + 256


def test_its_head_reads_9216_values():
    # 6 x 6 x 256 into fc6, 21 scores and 84 offsets on VOC
    head = BoxHead(256, 6, 20, width=4096, dropout=0.5)
    shapes = [tuple(layer.weight.shape) for layer in (head.fc1, head.fc2, head.cls, head.box)]
    assert shapes == [(4096, 9216), (4096, 4096), (21, 4096), (84, 4096)]


def test_conv5_has_a_stride_of_16():
    net = OneLevel(zf(), 4)
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
    net = OneLevel(zf(), 4).eval()
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
    net = zf(frozen_levels=(1, 3, 4))
    assert not any(p.requires_grad for p in net.parameters())


def test_as_a_classifier_its_head_reads_the_same_9216_values(tmp_path):
    # So a region head takes fc6 and fc7 of a classifier that was trained here
    torch.manual_seed(0)
    narrow = partial(SPP, bins=(6,), window=14, width=8)
    net = Classifier(zf(), 10, head=narrow)
    assert net(torch.zeros(1, 3, 224, 224, dtype=torch.uint8)).shape == (1, 10)
    torch.save(net.state_dict(), tmp_path / "zf.pth")
    head = BoxHead(256, 6, 20, width=8, weights=str(tmp_path / "zf.pth"))
    assert torch.equal(head.fc1.weight, net.fc.fc1.layer.weight)
    assert torch.equal(head.fc2.bias, net.fc.fc2.layer.bias)
    backbone = zf(weights=str(tmp_path / "zf.pth"))
    assert torch.equal(backbone.stages["4"][4].layer.weight, net.backbone.stages["4"][4].layer.weight)
    with pytest.raises(InputError, match=r"zf\.pth"):
        BoxHead(256, 7, 20, width=8, weights=str(tmp_path / "zf.pth"))


def test_torchvision_s_vgg_16_gives_a_region_head_fc6_and_fc7(tmp_path):
    with torch.device("meta"):
        state = vgg16(weights=None).state_dict()
    made = {key: torch.full_like(value, 0.5, device="cpu") for key, value in state.items() if "features" in key}
    # Narrow layers by the same names: 4096 units would be 400 MB
    made |= {"classifier.0.weight": torch.rand(8, 512 * 49), "classifier.0.bias": torch.rand(8)}
    made |= {"classifier.3.weight": torch.rand(8, 8), "classifier.3.bias": torch.rand(8)}
    made |= {"classifier.6.weight": torch.rand(10, 8), "classifier.6.bias": torch.rand(10)}
    torch.save(made, tmp_path / "vgg16.pth")
    head = BoxHead(512, 7, 20, width=8, weights=str(tmp_path / "vgg16.pth"))
    assert torch.equal(head.fc1.weight, made["classifier.0.weight"])
    assert torch.equal(head.fc2.weight, made["classifier.3.weight"])
