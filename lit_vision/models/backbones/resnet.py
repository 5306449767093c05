"""Plain and residual networks of Deep Residual Learning for Image Recognition (1512.03385), ImageNet and CIFAR.

A recipe names a builder: `resnet50`, or `{class_path: …resnet.resnet50, init_args: {stride_on: 3x3}}`. Builders of one
family share their options, which are those of the function that they call; the default is the paper's choice:

- `imagenet_plain`: plain18, plain34
- `imagenet_basic`: resnet18, resnet34
- `imagenet_bottleneck`: resnet50, resnet101, resnet152
- `cifar_plain`: plain20 … plain110
- `cifar_basic`: resnet20 … resnet1202
"""

from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Literal

import torch.nn.functional as F  # noqa: N812  the name by which everyone knows it
from torch import Tensor, nn

from lit_vision.errors import InputError
from lit_vision.models import norm as norms
from lit_vision.models import weights as weight_files
from lit_vision.models.backbones.base import Backbone
from lit_vision.models.norm import MakeNorm, Norm
from lit_vision.ops import init
from lit_vision.types import Features

Shortcut = Literal["A", "B", "C"]
StrideOn = Literal["1x1", "3x3"]
Pool = Literal["pad", "ceil"]
Pad = Literal["end", "both"]
MakeShortcut = Callable[[int, int, int], nn.Module]
MakeBlock = Callable[[int, int, int], "Block"]


def conv_norm(
    inputs: int, outputs: int, kernel: int, stride: int, norm: MakeNorm
) -> OrderedDict[str, nn.Module]:
    """A convolution that keeps the size (up to its stride) and the norm layer that follows it; hence no bias."""
    conv = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)
    return OrderedDict(conv=conv, norm=norm(outputs))
