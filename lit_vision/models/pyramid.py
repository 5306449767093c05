"""Feature Pyramid Networks for Object Detection (1612.03144), Section 3, and RetinaNet's two coarser levels."""

from collections.abc import Iterator, Sequence
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lit_vision.errors import InputError
from lit_vision.models.backbones.base import Backbone
from lit_vision.types import Features

Top = Literal["pool", "conv"]
TopInput = Literal["C5", "P5"]
Lateral = Literal["conv", "residual", "none"]


class Pyramid(nn.Module):
    """Semantically strong maps at every level, by a top-down pathway with lateral connections (Figure 3).

    Only what the wanted levels need is built. There is no non-linearity between these layers (Section 3), but in
    residual blocks.

    Args:
        backbone: Its levels from the lowest wanted one to its coarsest are merged.
        levels: Wanted levels: 2 to 6 for FPN, 3 to 7 for RetinaNet.
        channels: Channels of every level, d in Section 3.
        top: How levels coarser than the backbone's are made: `pool` takes every second pixel of the level below (FPN,
            Section 4.1), `conv` convolves with stride 2, behind a ReLU from the second on (RetinaNet, Section 4).
        top_input: What the first such convolution sees: the backbone's coarsest map (`C5`, the paper's), or the
            pyramid's (`P5`, torchvision's). Of no effect with `pool`.
        top_down: Whether coarser maps are added to finer ones; without, each level sees its own map alone (Table 1, d).
        lateral: What joins a backbone's level to the pathway: a 1x1 `conv`; a `residual` block behind it (Section 3
            tries such blocks and draws none; this one has two 3x3 convolutions with a ReLU between them); or `none`,
            so that finer levels are the coarsest one enlarged (Table 1, e).
        frozen: Whether neither these layers nor the backbone's are trained, as in the last two of four steps.

    Attributes:
        channels: {level: channels} of what `forward` returns.

    Raises:
        InputError: There are no levels, the backbone does not go down to the lowest, the lateral connections are of no
            kind, or there is neither a pathway nor a lateral connection.
    """

    def __init__(
        self,
        backbone: Backbone,
        levels: Sequence[int],
        channels: int = 256,
        top: Top = "pool",
        top_input: TopInput = "C5",
        top_down: bool = True,
        lateral: Lateral = "conv",
        frozen: bool = False,
    ) -> None:
        super().__init__()
        _check_connections(top_down, lateral)
        self.backbone = backbone
        self.levels = sorted(set(levels))
        self.channels = dict.fromkeys(self.levels, channels)
        self.top_down = top_down
        merged = self._merged_levels()
        self.highest = merged[-1]
        extra = range(self.highest + 1, self.levels[-1] + 1)
        self.top_input = top_input if top == "conv" else "P5"
        smoothed = set(self.levels) | ({self.highest} if extra and self.top_input == "P5" else set())
        self.merged = [level for level in merged if top_down or level in smoothed]
        connected = self.merged if lateral != "none" else [self.highest]
        connect = _ResidualLateral if lateral == "residual" else _convolve
        self.lateral = nn.ModuleDict({str(level): connect(backbone.channels[level], channels) for level in connected})
        self.smooth = nn.ModuleDict(
            {str(level): nn.Conv2d(channels, channels, 3, padding=1) for level in merged if level in smoothed}
        )
        self.top = nn.ModuleDict()
        inputs = backbone.channels[self.highest] if self.top_input == "C5" else channels
        for level in extra:
            self.top[str(level)] = _top(top, inputs, channels, rectify=level > extra[0])
            inputs = channels
        self._initialise()
        if frozen:
            backbone.freeze(backbone.parts())
            self.requires_grad_(False)

    def forward(self, images: Tensor) -> Features:
        """Maps of the wanted levels, ascending, of normalised images [B, 3, H, W]."""
        features = self.backbone(images)
        made = {
            level: self.smooth[str(level)](merged)
            for level, merged in self._merge(features)
            if str(level) in self.smooth
        }
        below = features[self.highest] if self.top_input == "C5" else made.get(self.highest)
        for name, top in self.top.items():
            made[int(name)] = below = top(below)
        return {level: made[level] for level in self.levels}

    def _merge(self, features: Features) -> Iterator[tuple[int, Tensor]]:
        """Levels and their maps before they are smoothed, from the coarsest on."""
        coarse: Tensor | None = None
        for level in reversed(self.merged):
            lateral = self.lateral[str(level)](features[level]) if str(level) in self.lateral else None
            coarse = _add(lateral, coarse if self.top_down else None, features[level].shape[-2:])
            yield level, coarse

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


def _add(lateral: Tensor | None, coarse: Tensor | None, size: torch.Size) -> Tensor:
    """A level's own map, and the coarser one at its size; one of them may be missing."""
    if coarse is None:
        assert lateral is not None
        return lateral
    # To the level's exact size: where that is odd, the coarser map is not exactly half of it.
    enlarged = F.interpolate(coarse, size=size, mode="nearest")
    return enlarged if lateral is None else lateral + enlarged


def _convolve(inputs: int, outputs: int) -> nn.Module:
    return nn.Conv2d(inputs, outputs, 1)


class _ResidualLateral(nn.Module):
    """A 1x1 convolution, and a residual block on what it gives."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.project = nn.Conv2d(inputs, outputs, 1)
        self.first = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        projected: Tensor = self.project(x)
        residual: Tensor = self.second(F.relu(self.first(projected)))
        return projected + residual


def _check_connections(top_down: bool, lateral: str) -> None:
    if lateral not in get_args(Lateral):
        raise InputError(f"pyramid: lateral is {lateral!r}; choose one of {', '.join(get_args(Lateral))}")
    if lateral == "none" and not top_down:
        raise InputError(
            "pyramid: without lateral connections finer levels come from the top-down pathway alone; "
            "set top_down to true, or lateral to conv"
        )
