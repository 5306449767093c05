"""Plain and residual networks of Deep Residual Learning for Image Recognition (1512.03385), ImageNet and CIFAR.

A recipe names a builder: `resnet50`, or `{class_path: …resnet.resnet50, init_args: {stride_on: 3x3}}`. Builders of one
family share their options, which are those of the function that they call; the default is the paper's choice:

- `imagenet_basic`: plain18, plain34, resnet18, resnet34
- `imagenet_bottleneck`: resnet50, resnet101, resnet152
- `cifar`: plain20 … plain110, resnet20 … resnet1202
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, get_args

import torch.nn.functional as F
from torch import Tensor, nn

from lit_vision.errors import InputError
from lit_vision.models import norm as norms
from lit_vision.models.backbones.base import Backbone
from lit_vision.models.norm import MakeNorm, Norm
from lit_vision.models.weights import classifiers as weight_files
from lit_vision.ops import init
from lit_vision.types import Features

Shortcut = Literal["A", "B", "C"]
StrideOn = Literal["1x1", "3x3"]
Pool = Literal["pad", "ceil"]
Pad = Literal["end", "both"]
CifarShortcut = Literal["A", "B"]
MakeShortcut = Callable[[int, int, int], nn.Module]
MakeBlock = Callable[[int, int, int], "Block"]


class PadShortcut(nn.Module):
    """Option A: every `stride`-th pixel of the identity, and zeros for the channels it lacks (Section 3.3).

    Args:
        inputs: Channels coming in.
        outputs: Channels going out.
        stride: Step of the subsampling.
        pad: Where the zeros go, which the paper leaves open: at the `end`, or on `both` sides as in the public CIFAR
            files, which pad planes // 4 on each (for a doubled width, half of the missing channels).
    """

    def __init__(self, inputs: int, outputs: int, stride: int, pad: Pad) -> None:
        super().__init__()
        _refuse_unknown("pad", pad, Pad)
        missing = outputs - inputs
        before = missing // 2 if pad == "both" else 0
        self.stride = stride
        self.channels = (0, 0, 0, 0, before, missing - before)

    def forward(self, x: Tensor) -> Tensor:
        """Subsamples and pads, [B, outputs, ceil(H / stride), ceil(W / stride)]."""
        return F.pad(x[:, :, :: self.stride, :: self.stride], self.channels)


class Block(nn.Module):
    """What is common to all blocks: a branch of convolutions, a shortcut or none, ReLU after the addition (Eq. 2).

    Args:
        layers: Convolutions and norm layers by name, `conv1, norm1, conv2, …`; ReLU follows each pair but the last.
        shortcut: Added to the branch; None in a plain net.
    """

    def __init__(self, layers: Sequence[tuple[nn.Conv2d, nn.Module]], shortcut: nn.Module | None) -> None:
        super().__init__()
        self.length = len(layers)
        for number, (conv, norm) in enumerate(layers, 1):
            self.add_module(f"conv{number}", conv)
            self.add_module(f"norm{number}", norm)
        self.shortcut = shortcut
        self.relu = nn.ReLU(inplace=True)

    @property
    def last_norm(self) -> nn.Module:
        """The norm layer before the addition."""
        return self.get_submodule(f"norm{self.length}")

    def forward(self, x: Tensor) -> Tensor:
        """Branch plus shortcut, rectified."""
        y = x
        for number in range(1, self.length + 1):
            y = self._modules[f"norm{number}"](self._modules[f"conv{number}"](y))  # type: ignore[misc]
            if number < self.length:
                y = self.relu(y)
        rectified: Tensor = self.relu(y if self.shortcut is None else y + self.shortcut(x))
        return rectified


class Stem(nn.Sequential):
    """First convolution, norm, ReLU, and the pool of the ImageNet nets."""

    def __init__(self, channels: int, kernel: int, stride: int, norm: MakeNorm, pool: nn.Module | None) -> None:
        layers: OrderedDict[str, nn.Module] = OrderedDict(
            conv=conv(3, channels, kernel, stride), norm=norm(channels), relu=nn.ReLU(inplace=True)
        )
        if pool is not None:
            layers["pool"] = pool
        super().__init__(layers)


class ResNet(Backbone):
    """Stages of blocks behind a stem; each stage is a level.

    Args:
        stem: Leads to the resolution of the first level.
        block: Makes a block from input channels, output channels and stride.
        depths: Blocks per stage.
        widths: Channels that go into the first stage, then the output channels of each stage.
        first_level: Level of the first stage; the first block of every later one halves the resolution.
        zero_init: Whether the last norm of each block starts at zero, so that the block starts as its shortcut. Not in
            the paper: from Goyal et al. (1706.02677), Section 5.1. Plain nets and `norm: frozen` refuse it: no shortcut
            to start as, and a scale that nothing would train.
        published: torchvision's weight enumeration that fits, or the reason why there is none.
    """

    def __init__(
        self,
        stem: nn.Module,
        block: MakeBlock,
        depths: Sequence[int],
        widths: Sequence[int],
        first_level: int,
        zero_init: bool = False,
        published: str = "",
    ) -> None:
        super().__init__()
        self.stem = stem
        self.first_level = first_level
        self.published = published
        self.stages = nn.ModuleDict()
        for number, (depth, inputs, outputs) in enumerate(zip(depths, widths[:-1], widths[1:], strict=True)):
            first = block(inputs, outputs, 1 if number == 0 else 2)
            rest = [block(outputs, outputs, 1) for _ in range(depth - 1)]
            self.stages[str(first_level + number)] = nn.Sequential(first, *rest)
        self.channels = {first_level + number: channels for number, channels in enumerate(widths[1:])}
        self._initialise(zero_init)

    def forward(self, images: Tensor) -> Features:
        """Feature maps of all stages, by level."""
        x = self.stem(images)
        features: Features = {}
        for level, stage in self.stages.items():
            features[int(level)] = x = stage(x)
        return features

    def parts(self) -> Mapping[int, Iterable[nn.Module]]:
        """Stages by level; the lowest includes the stem, which is also the level below on its own."""
        parts: dict[int, Iterable[nn.Module]] = {int(level): [stage] for level, stage in self.stages.items()}
        parts[self.first_level] = [self.stem, self.stages[str(self.first_level)]]
        return {self.first_level - 1: [self.stem]} | parts

    def cut(self, level: int) -> None:
        """Drop the stages above a level."""
        for above in [each for each in self.channels if each > level]:
            del self.stages[str(above)], self.channels[above]

    def torchvision_enum(self) -> str:
        """The enumeration whose files fit, options included."""
        if not self.published.endswith("_Weights"):
            raise InputError(f"weights: no torchvision release fits this network: {self.published}")
        return self.published

    @classmethod
    def example(cls) -> "ResNet":
        """A ResNet-20."""
        return resnet20()

    def _initialise(self, zero_init: bool) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                # The paper cites 1502.01852 without naming the form; its large models used the fan-out form (Eq. 14).
                init.he_normal_(module.weight, mode="fan_out")
            elif zero_init and isinstance(module, Block):
                _refuse_dead(module)
                nn.init.zeros_(module.last_norm.weight)  # type: ignore[arg-type]


def conv(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    """A convolution that keeps the size up to its stride; without bias, because a norm layer follows."""
    return nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)


def shortcuts(option: Shortcut, pad: Pad, norm: MakeNorm) -> MakeShortcut:
    """Factory of shortcuts by option A, B or C (Section 4.1).

    Raises:
        InputError: Option or pad are none of the choices.
    """
    _refuse_unknown("shortcut", option, Shortcut)
    _refuse_unknown("pad", pad, Pad)

    def make(inputs: int, outputs: int, stride: int) -> nn.Module:
        same = inputs == outputs and stride == 1
        if same and option != "C":
            return nn.Identity()
        if option == "A":
            return PadShortcut(inputs, outputs, stride, pad)
        return nn.Sequential(OrderedDict(conv=conv(inputs, outputs, 1, stride), norm=norm(outputs)))

    return make


def basic(norm: MakeNorm, shortcut: MakeShortcut | None) -> MakeBlock:
    """Factory of two 3x3 convolutions (Figure 5, left); plain without shortcut."""

    def make(inputs: int, outputs: int, stride: int) -> Block:
        layers = [
            (conv(inputs, outputs, 3, stride), norm(outputs)),
            (conv(outputs, outputs, 3), norm(outputs)),
        ]
        return Block(layers, shortcut and shortcut(inputs, outputs, stride))

    return make


def bottleneck(norm: MakeNorm, shortcut: MakeShortcut, stride_on: StrideOn) -> MakeBlock:
    """Factory of 1x1, 3x3 and 1x1 convolutions (Figure 5, right); the width inside is a quarter of the output.

    Raises:
        InputError: `stride_on` is none of the choices.
    """
    _refuse_unknown("stride_on", stride_on, StrideOn)

    def make(inputs: int, outputs: int, stride: int) -> Block:
        width = outputs // 4
        first, second = (stride, 1) if stride_on == "1x1" else (1, stride)
        layers = [
            (conv(inputs, width, 1, first), norm(width)),
            (conv(width, width, 3, second), norm(width)),
            (conv(width, outputs, 1), norm(outputs)),
        ]
        return Block(layers, shortcut(inputs, outputs, stride))

    return make


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
    make_shortcut = shortcuts(shortcut, pad, make_norm)
    block = basic(make_norm, make_shortcut if residual else None)
    fits = residual and shortcut == "B"
    published = f"ResNet{2 + 2 * sum(depths)}_Weights" if fits else "theirs are residual with shortcut: B"
    net = ResNet(_stem(make_norm, pool), block, depths, (64, 64, 128, 256, 512), 2, zero_init, published)
    return _finish(net, frozen_levels, weights)


def imagenet_bottleneck(
    depths: Sequence[int],
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
    make_norm = norms.make(norm)
    block = bottleneck(make_norm, shortcuts(shortcut, pad, make_norm), stride_on)
    fits = shortcut == "B" and stride_on == "3x3"
    published = f"ResNet{2 + 3 * sum(depths)}_Weights" if fits else "theirs have shortcut: B and stride_on: 3x3"
    net = ResNet(_stem(make_norm, pool), block, depths, (64, 256, 512, 1024, 2048), 2, zero_init, published)
    return _finish(net, frozen_levels, weights)


def cifar(
    blocks: int,
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
        blocks: Blocks per stage, n.
        residual: Whether there are shortcuts.
        shortcut: `A` (the paper's) or `B`.
        pad: Where option A puts its zero channels; the public CIFAR files need `both`.
        norm: `bn`, `sync`, `frozen` or `gn`.
        zero_init: See `ResNet`.
        frozen_levels: Levels that are not trained.
        weights: File; see `models/weights`.
    """
    _refuse_unknown("shortcut", shortcut, CifarShortcut)
    make_norm = norms.make(norm)
    make_shortcut = shortcuts(shortcut, pad, make_norm)
    block = basic(make_norm, make_shortcut if residual else None)
    stem = Stem(16, 3, 1, make_norm, None)
    net = ResNet(stem, block, (blocks,) * 3, (16, 16, 32, 64), 0, zero_init, "it has none for CIFAR")
    return _finish(net, frozen_levels, weights)


def _stem(norm: MakeNorm, pool: Pool) -> Stem:
    _refuse_unknown("pool", pool, Pool)
    padded = nn.MaxPool2d(3, 2, padding=1)
    return Stem(64, 7, 2, norm, padded if pool == "pad" else nn.MaxPool2d(3, 2, ceil_mode=True))


def _finish(net: ResNet, frozen_levels: Sequence[int], weights: str | None) -> ResNet:
    if weights is not None:
        weight_files.load(weights, net)
    if frozen_levels:
        net.freeze(frozen_levels)
    return net


def _refuse_unknown(key: str, value: str, choices: Any) -> None:
    """In a recipe the parser would refuse it; in plain Python it would be taken for another choice."""
    if value not in get_args(choices):
        raise InputError(f"{key}: {value!r} is unknown; choose one of {', '.join(get_args(choices))}")


def _refuse_dead(block: Block) -> None:
    """A scale of zero must have a shortcut beside it, and must be trained."""
    if block.shortcut is None:
        raise InputError("zero_init: a plain net has no shortcuts, so that its output would stay zero; leave it out")
    if not isinstance(block.last_norm.weight, nn.Parameter):
        raise InputError("zero_init: norm: frozen would never train the scales away from zero; leave zero_init out")


def plain18(**options: Any) -> ResNet:
    """Plain net of 18 layers (Table 2)."""
    return imagenet_basic((2, 2, 2, 2), False, **options)


def plain34(**options: Any) -> ResNet:
    """Plain net of 34 layers (Tables 2 and 3)."""
    return imagenet_basic((3, 4, 6, 3), False, **options)


def resnet18(**options: Any) -> ResNet:
    """ResNet-18 (Table 1)."""
    return imagenet_basic((2, 2, 2, 2), True, **options)


def resnet34(**options: Any) -> ResNet:
    """ResNet-34 (Table 1)."""
    return imagenet_basic((3, 4, 6, 3), True, **options)


def resnet50(**options: Any) -> ResNet:
    """ResNet-50 (Table 1)."""
    return imagenet_bottleneck((3, 4, 6, 3), **options)


def resnet101(**options: Any) -> ResNet:
    """ResNet-101 (Table 1)."""
    return imagenet_bottleneck((3, 4, 23, 3), **options)


def resnet152(**options: Any) -> ResNet:
    """ResNet-152 (Table 1)."""
    return imagenet_bottleneck((3, 8, 36, 3), **options)


def plain20(**options: Any) -> ResNet:
    """Plain net of 20 layers for CIFAR (Figure 6, left)."""
    return cifar(3, False, **options)


def plain32(**options: Any) -> ResNet:
    """Plain net of 32 layers for CIFAR (Figure 6, left)."""
    return cifar(5, False, **options)


def plain44(**options: Any) -> ResNet:
    """Plain net of 44 layers for CIFAR (Figure 6, left)."""
    return cifar(7, False, **options)


def plain56(**options: Any) -> ResNet:
    """Plain net of 56 layers for CIFAR (Figures 1 and 6, left)."""
    return cifar(9, False, **options)


def plain110(**options: Any) -> ResNet:
    """Plain net of 110 layers for CIFAR (Figure 6, left)."""
    return cifar(18, False, **options)


def resnet20(**options: Any) -> ResNet:
    """ResNet-20 for CIFAR (Table 6)."""
    return cifar(3, True, **options)


def resnet32(**options: Any) -> ResNet:
    """ResNet-32 for CIFAR (Table 6)."""
    return cifar(5, True, **options)


def resnet44(**options: Any) -> ResNet:
    """ResNet-44 for CIFAR (Table 6)."""
    return cifar(7, True, **options)


def resnet56(**options: Any) -> ResNet:
    """ResNet-56 for CIFAR (Table 6)."""
    return cifar(9, True, **options)


def resnet110(**options: Any) -> ResNet:
    """ResNet-110 for CIFAR (Table 6)."""
    return cifar(18, True, **options)


def resnet1202(**options: Any) -> ResNet:
    """ResNet-1202 for CIFAR (Table 6)."""
    return cifar(200, True, **options)
