import inspect

import pytest
import torch
from jsonargparse import ArgumentParser
from torch import nn
from torch.nn import functional

from lit_vision.errors import InputError
from lit_vision.models.backbones import resnet
from lit_vision.models.classifier import Classifier


def randomise_statistics(net):
    for layer in net.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.uniform_(layer.weight, 0.5, 1.5)
            nn.init.normal_(layer.bias, std=0.1)
            layer.running_mean.normal_(0, 0.1)
            layer.running_var.uniform_(0.5, 1.5)
    return net


@pytest.mark.parametrize(
    ("pad", "before"),
    [("end", 0), ("both", 4)],  # 16 zero channels... 8 in, 16 out: both sides get planes // 4 = 4
)
def test_option_a_by_hand(pad, before):
    x = torch.arange(2 * 8 * 5 * 4.0).reshape(2, 8, 5, 4)
    y = resnet.PadShortcut(8, 16, 2, pad)(x)
    assert y.shape == (2, 16, 3, 2)
    assert torch.equal(y[:, before : before + 8], x[:, :, [0, 2, 4]][..., [0, 2]])
    assert y[:, :before].count_nonzero() == 0
    assert y[:, before + 8 :].count_nonzero() == 0


def test_both_is_a_quarter_of_the_planes_on_each_side():
    for name, block in resnet.resnet20(pad="both").named_modules():
        if isinstance(block, resnet.PadShortcut):
            planes = {"stages.1.0.shortcut": 32, "stages.2.0.shortcut": 64}[name]
            assert block.channels == (0, 0, 0, 0, planes // 4, planes // 4)


def test_option_a_keeps_channels_last():
    x = torch.randn(2, 8, 6, 6).contiguous(memory_format=torch.channels_last)
    assert resnet.PadShortcut(8, 16, 2, "end")(x).is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    "net",
    [
        lambda: resnet.resnet20(),
        lambda: resnet.resnet18(),
        lambda: resnet.resnet50(),
        lambda: resnet.plain20(),
    ],
    ids=["resnet20", "resnet18", "resnet50", "plain20"],
)
def test_channels_last_reaches_every_level(net):
    net = net().to(memory_format=torch.channels_last).train()
    features = net(torch.randn(2, 3, 64, 64).contiguous(memory_format=torch.channels_last))
    assert all(value.is_contiguous(memory_format=torch.channels_last) for value in features.values())


def shortcut_kinds(net):
    return [type(block.shortcut).__name__ for block in net.modules() if isinstance(block, resnet.Block)]


def test_shortcut_options_of_resnet34():
    # 16 shortcuts, three of which change dimensions (Section 4.1)
    a, b, c = (shortcut_kinds(resnet.resnet34(shortcut=option)) for option in "ABC")
    assert (a.count("Identity"), a.count("PadShortcut")) == (13, 3)
    assert (b.count("Identity"), b.count("Sequential")) == (13, 3)
    assert c.count("Sequential") == 16


def test_bottlenecks_change_dimensions_four_times():
    kinds = shortcut_kinds(resnet.resnet50())
    assert (kinds.count("Identity"), kinds.count("Sequential")) == (12, 4)


def test_paper_defaults():
    assert "PadShortcut" in shortcut_kinds(resnet.resnet18())
    assert "PadShortcut" in shortcut_kinds(resnet.resnet20())
    block = resnet.resnet50().stages["3"][0]
    assert (block.conv1.stride, block.conv2.stride) == ((2, 2), (1, 1))
    assert resnet.resnet50().stem.pool.padding == 1


def test_stride_on_the_3x3():
    block = resnet.resnet50(stride_on="3x3").stages["3"][0]
    assert (block.conv1.stride, block.conv2.stride) == ((1, 1), (2, 2))


def test_plain_nets_have_no_shortcut_and_the_same_layers():
    plain, residual = resnet.plain20(), resnet.resnet20()
    assert set(shortcut_kinds(plain)) == {"NoneType"}
    assert {k: v.shape for k, v in plain.state_dict().items()} == {k: v.shape for k, v in residual.state_dict().items()}


def test_every_convolution_is_followed_by_a_norm_layer_and_has_no_bias():
    layers = [m for m in resnet.resnet50().modules() if isinstance(m, nn.Conv2d | nn.BatchNorm2d)]
    assert [type(layer) for layer in layers] == [nn.Conv2d, nn.BatchNorm2d] * (len(layers) // 2)
    assert all(layer.bias is None for layer in layers[::2])


def test_initialisation_is_the_fan_out_form():
    torch.manual_seed(0)
    for name, module in resnet.resnet18().named_modules():
        if isinstance(module, nn.Conv2d):
            fan = module.out_channels * module.kernel_size[0] ** 2
            assert module.weight.var().item() == pytest.approx(2 / fan, rel=0.1), name
        if isinstance(module, nn.BatchNorm2d):
            assert module.weight.eq(1).all()
            assert module.bias.eq(0).all()


@pytest.mark.parametrize("size", [32, 64])
def test_pools_have_equal_sizes_for_even_maps(size):
    maps = [resnet.resnet18(pool=pool).stem(torch.randn(1, 3, size, size)) for pool in ("pad", "ceil")]
    assert maps[0].shape == maps[1].shape == (1, 64, size // 4, size // 4)


def test_pools_by_hand():
    # Columns 0..7, each holding its number; a window of three ends at 1, 3, 5, 7 (padded) or at 2, 4, 6, 7 (Caffe)
    x = torch.arange(8.0).expand(1, 1, 8, 8)
    pad, ceil = (resnet.resnet18(pool=pool).stem.pool(x)[0, 0, 0].tolist() for pool in ("pad", "ceil"))
    assert pad == [1, 3, 5, 7]
    assert ceil == [2, 4, 6, 7]


@pytest.mark.parametrize(
    "net",
    [lambda: resnet.resnet20(zero_init=True), lambda: resnet.resnet50(zero_init=True)],
    ids=["basic", "bottleneck"],
)
def test_zero_init_makes_each_block_its_shortcut(net):
    for block in (module for module in net().train().modules() if isinstance(module, resnet.Block)):
        x = torch.randn(2, block.conv1.in_channels, 8, 8)
        torch.testing.assert_close(block(x.clone()), functional.relu(block.shortcut(x)))


def test_without_zero_init_no_block_is_its_shortcut():
    block = resnet.resnet20().stages["0"][0].train()
    x = torch.randn(2, 16, 8, 8)
    assert not torch.allclose(block(x.clone()), functional.relu(x))


@pytest.mark.parametrize("levels", [[0], [0, 1]])
def test_freeze_keeps_statistics_and_stops_gradients(levels):
    net = resnet.resnet20(frozen_levels=levels).train()
    before = {name: value.clone() for name, value in net.named_buffers()}
    sum(value.sum() for value in net(torch.randn(4, 3, 16, 16)).values()).backward()
    frozen = ("stem.", *(f"stages.{level}." for level in levels))
    for name, value in net.named_buffers():
        assert torch.equal(before[name], value) == name.startswith(frozen), name
    for name, value in net.named_parameters():
        assert (value.grad is None) == (not value.requires_grad) == name.startswith(frozen), name


def test_level_1_of_imagenet_nets_is_the_stem_alone():
    net = resnet.resnet18(frozen_levels=[1]).train()
    assert {name.partition(".")[0] for name, value in net.named_parameters() if not value.requires_grad} == {"stem"}
    assert net.stages["2"][0].norm1.training
    assert not net.stem.norm.training


def test_freeze_survives_evaluation_and_copies():
    net = resnet.resnet20(frozen_levels=[0])
    net.eval().train()
    assert not net.stem.norm.training
    assert net.stages["1"][0].norm1.training


def test_unknown_level_is_named():
    with pytest.raises(InputError, match=r"cannot freeze level 6: ResNet has levels \[1, 2, 3, 4, 5\]"):
        resnet.resnet18(frozen_levels=[2, 6])


BUILDERS = [name for name, f in inspect.getmembers(resnet, inspect.isfunction) if name.startswith(("plain", "resnet"))]


def test_all_builders_are_there():
    assert set(BUILDERS) == {
        *("plain18", "plain34", "resnet18", "resnet34", "resnet50", "resnet101", "resnet152"),
        *("plain20", "plain32", "plain44", "plain56", "plain110"),
        *("resnet20", "resnet32", "resnet44", "resnet56", "resnet110", "resnet1202"),
    }


def parse(**net):
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(Classifier, "net")
    return parser.parse_object({"net": {"num_classes": 10, **net}}).net


@pytest.mark.parametrize("name", BUILDERS)
def test_a_recipe_names_a_builder_by_a_plain_string(name):
    parsed = parse(backbone=f"lit_vision.models.backbones.resnet.{name}").backbone
    # The resolved recipe spells out every option, so that a later default cannot change a rerun.
    assert parsed.init_args.as_dict().items() >= {"norm": "bn", "weights": None, "frozen_levels": ()}.items() or (
        list(parsed.init_args.frozen_levels) == []
    )


def test_a_recipe_gives_options():
    path = "lit_vision.models.backbones.resnet.resnet50"
    options = {"stride_on": "3x3", "weights": "IMAGENET1K_V1"}
    parsed = parse(backbone={"class_path": path, "init_args": options}).backbone.init_args
    assert (parsed.stride_on, parsed.weights, parsed.shortcut) == ("3x3", "IMAGENET1K_V1", "B")


@pytest.mark.parametrize(
    ("name", "options"),
    [("resnet50", {"stride_on": "5x5"}), ("resnet20", {"shortcut": "C"}), ("resnet18", {"stride_on": "3x3"})],
)
def test_a_recipe_with_a_wrong_option_is_refused(name, options):
    with pytest.raises(Exception, match=next(iter(options))):
        parse(backbone={"class_path": f"lit_vision.models.backbones.resnet.{name}", "init_args": options})


def test_1202_layers_run():
    with torch.device("meta"):
        net = resnet.resnet1202()
        assert net(torch.empty(1, 3, 32, 32))[2].shape == (1, 64, 8, 8)
