import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from lit_vision.errors import InputError
from lit_vision.models.backbones import resnet
from lit_vision.models.pyramid import Pyramid


def make(levels, **options):
    torch.manual_seed(0)
    return Pyramid(resnet.resnet18(), levels, channels=16, **options).eval()


def names(pyramid):
    return {kind: list(getattr(pyramid, kind)) for kind in ("lateral", "smooth", "top")}


@pytest.mark.parametrize(
    ("levels", "options", "built"),
    [
        # FPN, Section 4.1: P2 to P5, and P6 for proposals
        (range(2, 7), {}, {"lateral": ["2", "3", "4", "5"], "smooth": ["2", "3", "4", "5"], "top": ["6"]}),
        # RetinaNet, Section 4: P2 is not used
        (range(3, 8), {"top": "conv"}, {"lateral": ["3", "4", "5"], "smooth": ["3", "4", "5"], "top": ["6", "7"]}),
        # The top-down pathway starts at C5 all the same, but P5 is not needed
        ((2, 3), {}, {"lateral": ["2", "3", "4", "5"], "smooth": ["2", "3"], "top": []}),
        ((4, 6), {"top": "conv"}, {"lateral": ["4", "5"], "smooth": ["4"], "top": ["6"]}),
        ((4, 6), {"top": "conv", "top_input": "P5"}, {"lateral": ["4", "5"], "smooth": ["4", "5"], "top": ["6"]}),
        ((4, 6), {}, {"lateral": ["4", "5"], "smooth": ["4", "5"], "top": ["6"]}),
    ],
)
@pytest.mark.parametrize("size", [(128, 192), (100, 70)])
def test_builds_what_its_levels_need(levels, options, built, size):
    pyramid = make(levels, **options)
    assert names(pyramid) == built
    features = pyramid(torch.randn(2, 3, *size))
    assert list(features) == list(pyramid.channels) == list(levels)
    for level in levels:
        height, width = (-(-side // 2**level) for side in size)
        assert features[level].shape == (2, 16, height, width)
    sum(feature.square().sum() for feature in features.values()).backward()
    unused = [name for name, p in pyramid.named_parameters() if p.grad is None]
    assert unused == []


def test_top_down_by_hand():
    # Section 3: M5 = L5(C5), M4 = L4(C4) + up(M5), P4 = S4(M4)
    pyramid = make((4, 5))
    images = torch.randn(1, 3, 128, 64)
    features = pyramid.backbone(images)
    found = pyramid(images)
    m5 = pyramid.lateral["5"](features[5])
    m4 = pyramid.lateral["4"](features[4]) + m5.repeat_interleave(2, 2).repeat_interleave(2, 3)
    torch.testing.assert_close(found[5], pyramid.smooth["5"](m5))
    torch.testing.assert_close(found[4], pyramid.smooth["4"](m4))


def test_pooled_top_is_every_second_pixel():
    found = make(range(2, 7))(torch.randn(1, 3, 160, 224))
    assert torch.equal(found[6], found[5][:, :, ::2, ::2])


@pytest.mark.parametrize(("top_input", "inputs"), [("C5", 512), ("P5", 16)])
def test_convolved_top_by_hand(top_input, inputs):
    pyramid = make(range(3, 8), top="conv", top_input=top_input)
    images = torch.randn(1, 3, 128, 128)
    found = pyramid(images)
    source = pyramid.backbone(images)[5] if top_input == "C5" else found[5]
    assert source.shape[1] == inputs
    p6, p7 = pyramid.top["6"], pyramid.top["7"]
    torch.testing.assert_close(found[6], F.conv2d(source, p6.weight, p6.bias, stride=2, padding=1))
    assert (found[6] < 0).any()  # the ReLU before P7 leaves P6 alone
    torch.testing.assert_close(found[7], F.conv2d(found[6].relu(), p7.weight, p7.bias, stride=2, padding=1))


def test_initial_weights_are_uniform_of_variance_one_over_fan_in():
    pyramid = Pyramid(resnet.resnet18(), range(3, 8), top="conv")
    for layers in (pyramid.lateral, pyramid.smooth, pyramid.top):
        for layer in layers.values():
            assert isinstance(layer, nn.Conv2d)
            fan_in = layer.weight[0].numel()
            assert layer.weight.abs().max().item() == pytest.approx(math.sqrt(3 / fan_in), rel=1e-2)
            assert layer.weight.var().item() == pytest.approx(1 / fan_in, rel=0.02)
            assert layer.bias.count_nonzero() == 0


@pytest.mark.parametrize("levels", [(1, 2, 3), (), (6, 7)])
def test_levels_that_the_backbone_lacks_are_told(levels):
    with pytest.raises(InputError) as error:
        make(levels)
    wanted = f"pyramid: levels {list(levels)} have to start at a level of the backbone; ResNet offers [2, 3, 4, 5]"
    assert str(error.value) == wanted


def test_the_gradient_of_a_level_of_one_pixel_is_written_in_bfloat16():
    """PyTorch's own kernel leaves memory as it was: filled with NaN beforehand, that shows."""
    pyramid = make(range(3, 8), top="conv")
    images = torch.randn(2, 3, 64, 64)
    for _ in range(20):
        pyramid.zero_grad(set_to_none=True)
        rubbish = [torch.full((pyramid.top["7"].weight.numel() * scale,), math.nan) for scale in (1, 2, 4, 8)]
        del rubbish
        with torch.autocast("cpu", torch.bfloat16):
            features = pyramid(images)
        assert features[7].shape == (2, 16, 1, 1)
        sum(level.float().square().mean() for level in features.values()).backward()
        assert all(parameter.grad.isfinite().all() for parameter in pyramid.top.parameters())


def test_without_a_top_down_pathway_each_level_sees_its_own_map():
    # Table 1, d: P_l = S_l(L_l(C_l))
    pyramid = make(range(2, 7), top_down=False)
    images = torch.randn(1, 3, 100, 70)
    features, found = pyramid.backbone(images), pyramid(images)
    for level in range(2, 6):
        alone = pyramid.smooth[str(level)](pyramid.lateral[str(level)](features[level]))
        torch.testing.assert_close(found[level], alone)
    assert torch.equal(found[6], found[5][:, :, ::2, ::2])


def test_without_lateral_connections_levels_are_the_coarsest_enlarged():
    # Table 1, e: M5 = L5(C5), M_l = up(M_{l+1}), P_l = S_l(M_l)
    pyramid = make(range(2, 7), lateral="none")
    assert names(pyramid) == {"lateral": ["5"], "smooth": ["2", "3", "4", "5"], "top": ["6"]}
    images = torch.randn(1, 3, 128, 64)
    found = pyramid(images)
    merged = pyramid.lateral["5"](pyramid.backbone(images)[5])
    for level in (5, 4, 3, 2):
        torch.testing.assert_close(found[level], pyramid.smooth[str(level)](merged))
        merged = merged.repeat_interleave(2, 2).repeat_interleave(2, 3)
    odd = pyramid(torch.randn(1, 3, 100, 70))
    assert [tuple(odd[level].shape[-2:]) for level in (2, 3, 4, 5)] == [(25, 18), (13, 9), (7, 5), (4, 3)]


def test_residual_laterals_by_hand():
    pyramid = make((4, 5), lateral="residual")
    images = torch.randn(1, 3, 64, 64)
    features, found = pyramid.backbone(images), pyramid(images)

    def side(level):
        block = pyramid.lateral[str(level)]
        projected = F.conv2d(features[level], block.project.weight, block.project.bias)
        hidden = F.conv2d(projected, block.first.weight, block.first.bias, padding=1).clamp(min=0)
        return projected + F.conv2d(hidden, block.second.weight, block.second.bias, padding=1)

    merged = side(4) + side(5).repeat_interleave(2, 2).repeat_interleave(2, 3)
    torch.testing.assert_close(found[4], pyramid.smooth["4"](merged))


@pytest.mark.parametrize(
    ("levels", "options", "built"),
    [
        ((2, 3), {"top_down": False}, {"lateral": ["2", "3"], "smooth": ["2", "3"], "top": []}),
        ((4, 6), {"top_down": False}, {"lateral": ["4", "5"], "smooth": ["4", "5"], "top": ["6"]}),
        ((4, 6), {"top_down": False, "top": "conv"}, {"lateral": ["4"], "smooth": ["4"], "top": ["6"]}),
        # Table 1, f: the whole pathway for the finest level alone
        ((2,), {}, {"lateral": ["2", "3", "4", "5"], "smooth": ["2"], "top": []}),
        ((2,), {"lateral": "none"}, {"lateral": ["5"], "smooth": ["2"], "top": []}),
    ],
)
def test_variants_build_what_their_levels_need(levels, options, built):
    pyramid = make(levels, **options)
    assert names(pyramid) == built
    sum(feature.square().sum() for feature in pyramid(torch.randn(1, 3, 64, 96)).values()).backward()
    own = [name for name, p in pyramid.named_parameters() if p.grad is None and not name.startswith("backbone")]
    assert own == []


def test_a_frozen_pyramid_learns_nothing_and_keeps_statistics():
    pyramid = make(range(2, 7), frozen=True).train()
    before = {name: value.clone() for name, value in pyramid.state_dict().items()}
    maps = pyramid(torch.randn(2, 3, 64, 64))
    assert not any(feature.requires_grad for feature in maps.values())
    assert all(torch.equal(value, before[name]) for name, value in pyramid.state_dict().items())
    assert all(p.requires_grad for p in make(range(2, 7)).parameters())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lateral": "sum"}, "pyramid: lateral is 'sum'; choose one of conv, residual, none"),
        (
            {"lateral": "none", "top_down": False},
            "pyramid: without lateral connections finer levels come from the top-down pathway alone; "
            "set top_down to true, or lateral to conv",
        ),
    ],
)
def test_connections_that_make_no_pyramid_are_told(options, message):
    with pytest.raises(InputError) as error:
        make((4, 5), **options)
    assert str(error.value) == message
