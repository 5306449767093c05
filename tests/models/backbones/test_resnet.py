"""How recipes name the builders, and how layers treat memory; tests/models/test_resnet.py has options and counts."""

import copy
import inspect
import re

import pytest
import torch
from jsonargparse import ArgumentParser
from torch import nn

from lit_vision.models.backbones import blocks, resnet
from lit_vision.models.classifier import Classifier

BUILDERS = [name for name, f in inspect.getmembers(resnet, inspect.isfunction) if name.startswith(("plain", "resn"))]


def parse(name, **options):
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(Classifier, "net")
    path = f"lit_vision.models.backbones.resnet.{name}"
    backbone = {"class_path": path, "init_args": options} if options else path
    return parser.parse_object({"net": {"num_classes": 10, "backbone": backbone}}).net.backbone.init_args


def test_all_builders_are_there():
    assert set(BUILDERS) == {
        *("plain18", "plain34", "resnet18", "resnet34", "resnet50", "resnet101", "resnet152"),
        "resnext101_32x8d",
        *("plain20", "plain32", "plain44", "plain56", "plain110"),
        *("resnet20", "resnet32", "resnet44", "resnet56", "resnet110", "resnet1202"),
    }


@pytest.mark.parametrize("name", BUILDERS)
def test_a_plain_string_resolves_to_every_option(name):
    # The resolved recipe spells options out, so that a rerun does not depend on later defaults.
    resolved = parse(name)
    shortcut = "B" if name in ("resnet50", "resnet101", "resnet152", "resnext101_32x8d") else "A"
    assert (resolved.shortcut, resolved.norm, resolved.weights, resolved.zero_init) == (shortcut, "bn", None, False)
    assert list(resolved.frozen_levels) == []


@pytest.mark.parametrize("name", BUILDERS)
def test_a_builder_is_found_where_its_name_says(name):
    builder = getattr(resnet, name)
    assert (builder.__module__, builder.__qualname__) == (resnet.__name__, name)
    depth = re.search(r"\d+", name)[0]
    assert re.match(rf"(Plain net of {depth} layers|ResNeX?t-{depth}\b)", builder.__doc__)
    assert not {kind.kind for kind in inspect.signature(builder).parameters.values()} & {
        inspect.Parameter.VAR_KEYWORD,
        inspect.Parameter.VAR_POSITIONAL,
    }


def test_options_are_given_by_name():
    resolved = parse("resnet50", stride_on="3x3", weights="IMAGENET1K_V1")
    assert (resolved.stride_on, resolved.weights, resolved.shortcut) == ("3x3", "IMAGENET1K_V1", "B")


@pytest.mark.parametrize(
    ("name", "options"),
    [("resnet50", {"stride_on": "5x5"}), ("resnet20", {"shortcut": "C"}), ("resnet18", {"stride_on": "3x3"})],
)
def test_an_option_that_a_network_lacks_is_refused(name, options):
    with pytest.raises(Exception, match=next(iter(options))):
        parse(name, **options)


def test_every_convolution_is_followed_by_a_norm_layer_and_has_no_bias():
    layers = [m for m in resnet.resnet50().modules() if isinstance(m, nn.Conv2d | nn.BatchNorm2d)]
    assert [type(layer) for layer in layers] == [nn.Conv2d, nn.BatchNorm2d] * (len(layers) // 2)
    assert all(layer.bias is None for layer in layers[::2])


def test_a_copy_of_a_frozen_network_stays_frozen():
    net = copy.deepcopy(resnet.resnet20(frozen_levels=[0])).eval().train()
    assert not net.stem.norm.training
    assert net.stages["1"][0].norm1.training


KINDS = pytest.mark.parametrize("build", [resnet.resnet20, resnet.resnet18, resnet.resnet50, resnet.plain20])


@KINDS
def test_channels_last_reaches_every_level(build):
    net = build().to(memory_format=torch.channels_last).train()
    features = net(torch.randn(2, 3, 64, 64).contiguous(memory_format=torch.channels_last))
    other = [level for level, map_ in features.items() if not map_.is_contiguous(memory_format=torch.channels_last)]
    assert other == []


def test_option_a_keeps_channels_last():
    x = torch.randn(2, 8, 6, 6).contiguous(memory_format=torch.channels_last)
    assert blocks.PadShortcut(8, 16, 2, "end")(x).is_contiguous(memory_format=torch.channels_last)


@KINDS
def test_layers_in_place_leave_the_input_alone(build):
    images = torch.randn(2, 3, 32, 32)
    before = images.clone()
    build().train()(images)
    assert torch.equal(images, before)


@KINDS
def test_the_coarsest_level_needs_every_parameter(build):
    # A classifier uses it alone, and DDP runs with find_unused_parameters=False.
    net = build().train()
    net(torch.randn(2, 3, 32, 32))[max(net.channels)].square().sum().backward()
    assert [name for name, parameter in net.named_parameters() if parameter.grad is None] == []
