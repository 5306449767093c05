"""Stages of blocks behind a stem: what all plain and residual nets of 1512.03385 have in common."""

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from functools import partial

from torch import Tensor, nn

from lit_vision.errors import InputError
from lit_vision.models import norm as norms
from lit_vision.models.backbones import blocks
from lit_vision.models.backbones.base import Backbone
from lit_vision.models.backbones.blocks import Basic, Block, MakeBlock
from lit_vision.models.norm import MakeNorm
from lit_vision.models.weights.layout import Public
from lit_vision.ops import init
from lit_vision.types import Features


class Stem(nn.Sequential):
    """First convolution, norm, ReLU, and the pool of the ImageNet nets."""

    def __init__(self, channels: int, kernel: int, stride: int, norm: MakeNorm, pool: nn.Module | None) -> None:
        layers: OrderedDict[str, nn.Module] = OrderedDict(
            conv=blocks.conv(3, channels, kernel, stride), norm=norm(channels), relu=nn.ReLU(inplace=True)
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
        public: What public weights fit.
        zero_init: Whether the last norm of each block starts at zero, so that the block starts as its shortcut. Not in
            the paper: from Goyal et al. (1706.02677), Section 5.1. Plain nets and `norm: frozen` refuse it: no shortcut
            to start as, and a scale that nothing would train.
    """

    def __init__(
        self,
        stem: nn.Module,
        block: MakeBlock,
        depths: Sequence[int],
        widths: Sequence[int],
        first_level: int,
        public: Public,
        zero_init: bool = False,
    ) -> None:
        super().__init__()
        self.stem = stem
        self.first_level = first_level
        self.public = public
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

    def above(self, level: int) -> nn.Module:
        """The stages above a level."""
        higher = [stage for name, stage in self.stages.items() if int(name) > level]
        return nn.Sequential(*higher) if level in self.channels and higher else super().above(level)

    @classmethod
    def example(cls) -> "ResNet":
        """A residual net of eight layers."""
        norm = norms.make("bn")
        block = partial(Basic, norm=norm, shortcut=blocks.shortcuts("A", "end", norm))
        return cls(Stem(16, 3, 1, norm, None), block, (1, 1, 1), (16, 16, 32, 64), 0, Public())

    def _initialise(self, zero_init: bool) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                # The paper cites 1502.01852 without naming the form; its large models used the fan-out form (Eq. 14).
                init.he_normal_(module.weight, mode="fan_out")
            elif zero_init and isinstance(module, Block):
                _refuse_dead(module)
                nn.init.zeros_(module.last_norm.weight)  # type: ignore[arg-type]


def _refuse_dead(block: Block) -> None:
    """A scale of zero must have a shortcut beside it, and must be trained."""
    if block.shortcut is None:
        raise InputError("zero_init: a plain net has no shortcuts, so that its output would stay zero; leave it out")
    if not isinstance(block.last_norm.weight, nn.Parameter):
        raise InputError("zero_init: norm: frozen would never train the scales away from zero; leave zero_init out")
