"""Plain and residual networks of Deep Residual Learning for Image Recognition (1512.03385), ImageNet and CIFAR.

A recipe names a builder: `resnet50`, or `{class_path: …resnet.resnet50, init_args: {stride_on: 3x3}}`. Builders of one
family share its options; the default is the paper's choice:

- `imagenet_basic`: plain18, plain34, resnet18, resnet34
- `imagenet_bottleneck`: resnet50, resnet101, resnet152, and resnext101_32x8d of a later paper
- `cifar`: plain20 … plain110, resnet20 … resnet1202
"""

import inspect
from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal, ParamSpec

from torch import nn

from lit_vision.models import norm as norms
from lit_vision.models.backbones import blocks
from lit_vision.models.backbones.blocks import Basic, Bottleneck, Groups, Pad, Shortcut, StrideOn
from lit_vision.models.backbones.residual import ResNet, Stem
from lit_vision.models.norm import MakeNorm, Norm
from lit_vision.models.weights import cifar as public_cifar
from lit_vision.models.weights import classifiers as weight_files
from lit_vision.models.weights import torchvision_resnet
from lit_vision.models.weights.layout import Public

Pool = Literal["pad", "ceil"]
CifarShortcut = Literal["A", "B"]
P = ParamSpec("P")


def imagenet_basic(
    depths: Sequence[int],
    residual: bool,
    shortcut: Shortcut = "A",
    pool: Pool = "pad",
    pad: Pad = "end",
    norm: Norm = "bn",
    zero_init: bool = False,
    frozen_levels: Sequence[int] = (),
    weights: str | None = None,
) -> ResNet:
    """18 and 34 layers of Table 1, levels 2 to 5.

    Args:
        depths: Blocks per stage.
        residual: Whether there are shortcuts.
        shortcut: `A` (Table 2), `B` or `C` (Table 3).
        pool: `pad` pools with padding 1, `ceil` is Caffe's (no padding, ceiling of sizes). The maps have equal sizes
            where the stem's convolution leaves an even number of pixels, as at 224; else `ceil` has one pixel less.
        pad: Where option A puts its zero channels.
        norm: `bn`, `sync`, `frozen` or `gn`.
        zero_init: See `ResNet`.
        frozen_levels: Levels that are not trained.
        weights: File, or torchvision name for residual nets with option B; see `models/weights`.
    """
    make_norm = norms.make(norm)
    make_shortcut = blocks.shortcuts(shortcut, pad, make_norm)
    block = partial(Basic, norm=make_norm, shortcut=make_shortcut if residual else None)
    unfit = "" if residual and shortcut == "B" else "theirs are residual with shortcut: B"
    public = _torchvision(2 + 2 * sum(depths), unfit, pool=pool)
    net = ResNet(_stem(make_norm, pool), block, depths, (64, 64, 128, 256, 512), 2, public, zero_init)
    return _finish(net, frozen_levels, weights)


def imagenet_bottleneck(
    depths: Sequence[int],
    groups: Groups,
    shortcut: Shortcut = "B",
    stride_on: StrideOn = "1x1",
    pool: Pool = "pad",
    pad: Pad = "end",
    norm: Norm = "bn",
    zero_init: bool = False,
    frozen_levels: Sequence[int] = (),
    weights: str | None = None,
) -> ResNet:
    """50, 101 and 152 layers of Table 1, levels 2 to 5.

    Args:
        depths: Blocks per stage.
        groups: Of the 3x3 convolutions; one in this paper.
        shortcut: `B` (the paper's), `A` or `C`.
        stride_on: Convolution that halves the resolution: the first `1x1` (the paper's), or the `3x3` ("v1.5", as in
            torchvision, whose weights need it).
        pool: As in `imagenet_basic`.
        pad: Where option A puts its zero channels.
        norm: `bn`, `sync`, `frozen` or `gn`.
        zero_init: See `ResNet`.
        frozen_levels: Levels that are not trained.
        weights: File, or torchvision name with shortcut B and the stride on the 3x3; see `models/weights`.
    """
    blocks.refuse_unknown("stride_on", stride_on, StrideOn)
    make_norm = norms.make(norm)
    make_shortcut = blocks.shortcuts(shortcut, pad, make_norm)
    block = partial(Bottleneck, norm=make_norm, shortcut=make_shortcut, stride_on=stride_on, groups=groups)
    unfit = "" if shortcut == "B" and stride_on == "3x3" else "theirs have shortcut: B and stride_on: 3x3"
    public = _torchvision(2 + 3 * sum(depths), unfit, groups, pool=pool, stride_on=stride_on)
    net = ResNet(_stem(make_norm, pool), block, depths, (64, 256, 512, 1024, 2048), 2, public, zero_init)
    return _finish(net, frozen_levels, weights)


def cifar(
    blocks_per_stage: int,
    residual: bool,
    shortcut: CifarShortcut = "A",
    pad: Pad = "end",
    norm: Norm = "bn",
    zero_init: bool = False,
    frozen_levels: Sequence[int] = (),
    weights: str | None = None,
) -> ResNet:
    """6n + 2 layers of Section 4.2, levels 0 to 2 (32, 16 and 8 pixels for CIFAR).

    Args:
        blocks_per_stage: n.
        residual: Whether there are shortcuts.
        shortcut: `A` (the paper's) or `B`.
        pad: Where option A puts its zero channels; the public CIFAR files need `both`.
        norm: `bn`, `sync`, `frozen` or `gn`.
        zero_init: See `ResNet`.
        frozen_levels: Levels that are not trained.
        weights: File; see `models/weights`.
    """
    blocks.refuse_unknown("shortcut", shortcut, CifarShortcut)
    make_norm = norms.make(norm)
    make_shortcut = blocks.shortcuts(shortcut, pad, make_norm)
    block = partial(Basic, norm=make_norm, shortcut=make_shortcut if residual else None)
    options = {"pad": pad} if residual and shortcut == "A" else {}
    public = Public((public_cifar.LAYOUT,), unfit="it has none for CIFAR", options=options)
    stem = Stem(16, 3, 1, make_norm, None)
    net = ResNet(stem, block, (blocks_per_stage,) * 3, (16, 16, 32, 64), 0, public, zero_init)
    return _finish(net, frozen_levels, weights)


def _torchvision(depth: int, unfit: str, groups: Groups = blocks.WHOLE, **options: str) -> Public:
    """What torchvision has for one of its depths, and the options that its files do not show."""
    if depth not in (18, 34, 50, 101, 152):
        return Public((torchvision_resnet.LAYOUT,), "", f"torchvision has none of {depth} layers", options)
    name = f"ResNet{depth}" if groups == blocks.WHOLE else f"ResNeXt{depth}_{groups.number}X{groups.width}D"
    return Public((torchvision_resnet.LAYOUT,), f"{name}_Weights", unfit, options)


def _stem(norm: MakeNorm, pool: Pool) -> Stem:
    blocks.refuse_unknown("pool", pool, Pool)
    padded = nn.MaxPool2d(3, 2, padding=1)
    return Stem(64, 7, 2, norm, padded if pool == "pad" else nn.MaxPool2d(3, 2, ceil_mode=True))


def _finish(net: ResNet, frozen_levels: Sequence[int], weights: str | None) -> ResNet:
    if weights is not None:
        net.expects = weight_files.load(weights, net)
    if frozen_levels:
        net.freeze(frozen_levels)
    return net


def _named(name: str, doc: str, family: Callable[P, ResNet]) -> Callable[P, ResNet]:
    """A builder of this module with the options of a family whose size is given.

    Recipes name it, so it needs what a written function has: name, module, and a signature that tools can read.
    """

    def build(*args: P.args, **options: P.kwargs) -> ResNet:
        return family(*args, **options)

    build.__name__ = build.__qualname__ = name
    build.__doc__ = doc
    build.__signature__ = inspect.signature(family)  # type: ignore[attr-defined]
    return build


plain18 = _named("plain18", "Plain net of 18 layers (Table 2).", partial(imagenet_basic, (2, 2, 2, 2), False))
plain34 = _named("plain34", "Plain net of 34 layers (Tables 2, 3).", partial(imagenet_basic, (3, 4, 6, 3), False))
resnet18 = _named("resnet18", "ResNet-18 (Table 1).", partial(imagenet_basic, (2, 2, 2, 2), True))
resnet34 = _named("resnet34", "ResNet-34 (Table 1).", partial(imagenet_basic, (3, 4, 6, 3), True))

resnet50 = _named("resnet50", "ResNet-50 (Table 1).", partial(imagenet_bottleneck, (3, 4, 6, 3), blocks.WHOLE))
resnet101 = _named("resnet101", "ResNet-101 (Table 1).", partial(imagenet_bottleneck, (3, 4, 23, 3), blocks.WHOLE))
resnet152 = _named("resnet152", "ResNet-152 (Table 1).", partial(imagenet_bottleneck, (3, 8, 36, 3), blocks.WHOLE))
resnext101_32x8d = _named(
    "resnext101_32x8d",
    "ResNeXt-101 of 32 groups of 8 channels, the largest backbone of RetinaNet (1708.02002, Table 2).",
    partial(imagenet_bottleneck, (3, 4, 23, 3), Groups(32, 8)),
)

plain20 = _named("plain20", "Plain net of 20 layers for CIFAR (Figure 6, left).", partial(cifar, 3, False))
plain32 = _named("plain32", "Plain net of 32 layers for CIFAR (Figure 6, left).", partial(cifar, 5, False))
plain44 = _named("plain44", "Plain net of 44 layers for CIFAR (Figure 6, left).", partial(cifar, 7, False))
plain56 = _named("plain56", "Plain net of 56 layers for CIFAR (Figures 1 and 6, left).", partial(cifar, 9, False))
plain110 = _named("plain110", "Plain net of 110 layers for CIFAR (Figure 6, left).", partial(cifar, 18, False))
resnet20 = _named("resnet20", "ResNet-20 for CIFAR (Table 6).", partial(cifar, 3, True))
resnet32 = _named("resnet32", "ResNet-32 for CIFAR (Table 6).", partial(cifar, 5, True))
resnet44 = _named("resnet44", "ResNet-44 for CIFAR (Table 6).", partial(cifar, 7, True))
resnet56 = _named("resnet56", "ResNet-56 for CIFAR (Table 6).", partial(cifar, 9, True))
resnet110 = _named("resnet110", "ResNet-110 for CIFAR (Table 6).", partial(cifar, 18, True))
resnet1202 = _named("resnet1202", "ResNet-1202 for CIFAR (Table 6).", partial(cifar, 200, True))
