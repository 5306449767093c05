"""Feature Pyramid Networks for Object Detection (1612.03144), Section 3, and RetinaNet's two coarser levels."""

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lit_vision.errors import InputError
from lit_vision.models.backbones.base import Backbone
from lit_vision.types import Features

Top = Literal["pool", "conv"]
TopInput = Literal["C5", "P5"]


class Pyramid(nn.Module):
    """Semantically strong maps at every level, by a top-down pathway with lateral connections (Figure 3).

    Only what the wanted levels need is built. There is no non-linearity between these layers (Section 3).

    Args:
        backbone: Its levels from the lowest wanted one to its coarsest are merged.
        levels: Wanted levels: 2 to 6 for FPN, 3 to 7 for RetinaNet.
        channels: Channels of every level, d in Section 3.
        top: How levels coarser than the backbone's are made: `pool` takes every second pixel of the level below (FPN,
            Section 4.1), `conv` convolves with stride 2, behind a ReLU from the second on (RetinaNet, Section 4).
        top_input: What the first such convolution sees: the backbone's coarsest map (`C5`, the paper's), or the
            pyramid's (`P5`, torchvision's). Of no effect with `pool`.

    Attributes:
        channels: {level: channels} of what `forward` returns.

    Raises:
        InputError: There are no levels, or the backbone does not go down to the lowest.
    """

    def __init__(
        self,
        backbone: Backbone,
        levels: Sequence[int],
        channels: int = 256,
        top: Top = "pool",
        top_input: TopInput = "C5",
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.levels = sorted(set(levels))
        self.channels = dict.fromkeys(self.levels, channels)
        merged = self._merged_levels()
        self.highest = merged[-1]
        extra = range(self.highest + 1, self.levels[-1] + 1)
        self.top_input = top_input if top == "conv" else "P5"
        smoothed = set(self.levels) | ({self.highest} if extra and self.top_input == "P5" else set())
        self.lateral = nn.ModuleDict({str(level): nn.Conv2d(backbone.channels[level], channels, 1) for level in merged})
        self.smooth = nn.ModuleDict(
            {str(level): nn.Conv2d(channels, channels, 3, padding=1) for level in merged if level in smoothed}
        )
        self.top = nn.ModuleDict()
        inputs = backbone.channels[self.highest] if self.top_input == "C5" else channels
        for level in extra:
            self.top[str(level)] = _top(top, inputs, channels, rectify=level > extra[0])
            inputs = channels
        self._initialise()

    def forward(self, images: Tensor) -> Features:
        """Maps of the wanted levels, ascending, of normalised images [B, 3, H, W]."""
        features = self.backbone(images)
        made: Features = {}
        coarse: Tensor | None = None
        for level in range(self.highest, self.highest - len(self.lateral), -1):
            coarse = _merge(self.lateral[str(level)](features[level]), coarse)
            if str(level) in self.smooth:
                made[level] = self.smooth[str(level)](coarse)
        below = features[self.highest] if self.top_input == "C5" else made.get(self.highest)
        for name, top in self.top.items():
            made[int(name)] = below = top(below)
        return {level: made[level] for level in self.levels}

    def _merged_levels(self) -> list[int]:
        offered = sorted(self.backbone.channels)
        if not self.levels or self.levels[0] not in offered:
            raise InputError(
                f"pyramid: levels {self.levels} have to start at a level of the backbone; "
                f"{type(self.backbone).__name__} offers {offered}"
            )
        return list(range(self.levels[0], offered[-1] + 1))

    def _initialise(self) -> None:
        for layers in (self.lateral, self.smooth, self.top):
            for layer in layers.modules():
                if isinstance(layer, nn.Conv2d):
                    # Not in the paper; its authors' code draws uniformly with variance 1 / fan-in ("Xavier").
                    nn.init.kaiming_uniform_(layer.weight, a=1)
                    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]


class _Halving(nn.Conv2d):
    """A 3x3 convolution with stride 2."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 3, stride=2, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[-1] == 1 and x.device.type == "cpu":
            # PyTorch's CPU kernel for bfloat16 leaves part of the weight's gradient unwritten where a map is one pixel
            # wide (seen in 2.14.1): whatever was in that memory, often NaN.
            with torch.autocast("cpu", enabled=False):
                return super().forward(x.float())
        return super().forward(x)


class _ReluHalving(_Halving):
    """Rectifies what comes in, out of place: the map is a level of the pyramid too."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(F.relu(x))


def _top(kind: Top, inputs: int, outputs: int, rectify: bool) -> nn.Module:
    if kind == "pool":
        return nn.MaxPool2d(1, 2)
    return _ReluHalving(inputs, outputs) if rectify else _Halving(inputs, outputs)


def _merge(lateral: Tensor, coarse: Tensor | None) -> Tensor:
    if coarse is None:
        return lateral
    # To the lateral's exact size: where that is odd, the coarser map is not exactly half of it.
    return lateral + F.interpolate(coarse, size=lateral.shape[-2:], mode="nearest")
