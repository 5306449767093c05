"""The two building blocks of Deep Residual Learning (1512.03385, Figure 5), and their shortcuts (options A, B, C)."""

from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Literal, NamedTuple, get_args

import torch.nn.functional as F
from torch import Tensor, nn

from lit_vision.errors import InputError
from lit_vision.models.norm import MakeNorm

Shortcut = Literal["A", "B", "C"]
StrideOn = Literal["1x1", "3x3"]
Pad = Literal["end", "both"]
MakeShortcut = Callable[[int, int, int], nn.Module]
MakeBlock = Callable[[int, int, int], "Block"]


FIRST_STAGE = 256  # output channels of the first stage of bottlenecks


class Groups(NamedTuple):
    """Grouped 3x3 convolutions of bottlenecks (ResNeXt): 32 groups of 8 channels are written `32x8d`.

    Attributes:
        number: Of groups.
        width: Channels of a group in the first stage; later stages double them.
    """

    number: int
    width: int


WHOLE = Groups(1, 64)


class PadShortcut(nn.Module):
    """Option A: every `stride`-th pixel of the identity, and zeros for the channels it lacks (Section 3.3).

    Args:
        inputs: Channels coming in.
        outputs: Channels going out.
        stride: Step of the subsampling.
        pad: Where the zeros go, which the paper leaves open: at the `end`, or on `both` sides as in the public CIFAR
            files, which pad planes // 4 on each (for a doubled width, half of the missing channels).

    Raises:
        InputError: `pad` is none of the choices.
    """

    def __init__(self, inputs: int, outputs: int, stride: int, pad: Pad) -> None:
        super().__init__()
        refuse_unknown("pad", pad, Pad)
        missing = outputs - inputs
        before = missing // 2 if pad == "both" else 0
        self.stride = stride
        self.channels = (0, 0, 0, 0, before, missing - before)

    def forward(self, x: Tensor) -> Tensor:
        """Subsamples and pads, [B, outputs, ceil(H / stride), ceil(W / stride)]."""
        return F.pad(x[:, :, :: self.stride, :: self.stride], self.channels)


class Block(nn.Module, ABC):
    """A branch of convolutions, a shortcut or none, and ReLU after the addition (Eq. 2).

    Attributes:
        shortcut: Added to the branch; None in a plain net.
    """

    shortcut: nn.Module | None
    relu: nn.Module

    @property
    @abstractmethod
    def last_norm(self) -> nn.Module:
        """The norm layer before the addition."""

    @abstractmethod
    def branch(self, x: Tensor) -> Tensor:
        """The residual function F, up to its last norm layer."""

    def forward(self, x: Tensor) -> Tensor:
        """Branch plus shortcut, rectified; x [B, C, H, W]."""
        y = self.branch(x)
        rectified: Tensor = self.relu(y if self.shortcut is None else y + self.shortcut(x))
        return rectified


class Basic(Block):
    """Two 3x3 convolutions (Figure 5, left); the first one halves the resolution.

    Args:
        inputs: Channels coming in.
        outputs: Channels going out.
        stride: Step of the first convolution and of the shortcut.
        norm: Makes a norm layer from channels.
        shortcut: Makes the shortcut from inputs, outputs and stride; None for a plain net.
    """

    def __init__(self, inputs: int, outputs: int, stride: int, norm: MakeNorm, shortcut: MakeShortcut | None) -> None:
        super().__init__()
        self.conv1 = conv(inputs, outputs, 3, stride)
        self.norm1 = norm(outputs)
        self.conv2 = conv(outputs, outputs, 3)
        self.norm2 = norm(outputs)
        self.shortcut = shortcut and shortcut(inputs, outputs, stride)
        self.relu = nn.ReLU(inplace=True)

    @property
    def last_norm(self) -> nn.Module:
        """Behind the second convolution."""
        return self.norm2

    def branch(self, x: Tensor) -> Tensor:
        """Two convolutions, rectified between them."""
        y = self.relu(self.norm1(self.conv1(x)))
        summand: Tensor = self.norm2(self.conv2(y))
        return summand


class Bottleneck(Block):
    """Convolutions of 1x1, 3x3 and 1x1 (Figure 5, right); the width inside is a quarter of the output, or by groups.

    Args:
        inputs: Channels coming in.
        outputs: Channels going out.
        stride: Step of one convolution and of the shortcut.
        norm: Makes a norm layer from channels.
        shortcut: Makes the shortcut from inputs, outputs and stride.
        stride_on: Convolution that halves the resolution: the first `1x1` (the paper's) or the `3x3`.
        groups: Of the 3x3 convolution.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        stride: int,
        norm: MakeNorm,
        shortcut: MakeShortcut,
        stride_on: StrideOn,
        groups: Groups = WHOLE,
    ) -> None:
        super().__init__()
        width = groups.number * groups.width * outputs // FIRST_STAGE
        first, second = (stride, 1) if stride_on == "1x1" else (1, stride)
        self.conv1 = conv(inputs, width, 1, first)
        self.norm1 = norm(width)
        self.conv2 = conv(width, width, 3, second, groups.number)
        self.norm2 = norm(width)
        self.conv3 = conv(width, outputs, 1)
        self.norm3 = norm(outputs)
        self.shortcut = shortcut(inputs, outputs, stride)
        self.relu = nn.ReLU(inplace=True)

    @property
    def last_norm(self) -> nn.Module:
        """Behind the third convolution."""
        return self.norm3

    def branch(self, x: Tensor) -> Tensor:
        """Three convolutions, rectified between them."""
        y = self.relu(self.norm1(self.conv1(x)))
        y = self.relu(self.norm2(self.conv2(y)))
        summand: Tensor = self.norm3(self.conv3(y))
        return summand


def shortcuts(option: Shortcut, pad: Pad, norm: MakeNorm) -> MakeShortcut:
    """Factory of shortcuts by option A, B or C (Section 4.1).

    Raises:
        InputError: Option or pad are none of the choices.
    """
    refuse_unknown("shortcut", option, Shortcut)
    refuse_unknown("pad", pad, Pad)

    def make(inputs: int, outputs: int, stride: int) -> nn.Module:
        same = inputs == outputs and stride == 1
        if same and option != "C":
            return nn.Identity()
        if option == "A":
            return PadShortcut(inputs, outputs, stride, pad)
        return nn.Sequential(OrderedDict(conv=conv(inputs, outputs, 1, stride), norm=norm(outputs)))

    return make


def conv(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    """A convolution that keeps the size up to its stride; without bias, because a norm layer follows."""
    return nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, groups=groups, bias=False)


def refuse_unknown(key: str, value: str, choices: Any) -> None:
    """Refuse what is not among the choices: plain Python would take it for another one, unlike the recipes' parser.

    Args:
        key: The option's name.
        value: What was given.
        choices: A `Literal`.

    Raises:
        InputError: Names the choices.
    """
    if value not in get_args(choices):
        raise InputError(f"{key}: {value!r} is unknown; choose one of {', '.join(get_args(choices))}")
