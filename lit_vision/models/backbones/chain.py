"""Convolutions in a row, each with its rectifier: the networks without shortcuts and norms of 1409.1556, 1502.01852."""

from collections.abc import Iterable, Mapping, Sequence

from torch import Tensor, nn

from lit_vision.models.activation import Rectified
from lit_vision.models.backbones.base import Backbone
from lit_vision.models.weights.layout import Public
from lit_vision.ops import init
from lit_vision.types import Features


class Chain(Backbone):
    """Stages of rectified convolutions, with a pool between two stages; each stage is a level.

    Convolutions start by He's rule in its fan-out form (1502.01852, Eq. 14), biases at zero.

    Args:
        stages: Layers of each level, in ascending order.
        public: What public weights fit.
    """

    def __init__(self, stages: Mapping[int, Sequence[nn.Module]], public: Public = Backbone.public) -> None:
        super().__init__()
        self.public = public
        self.stages = nn.ModuleDict({str(level): nn.Sequential(*layers) for level, layers in stages.items()})
        self.channels = {}
        for level, layers in stages.items():
            for layer in layers:
                if isinstance(layer, Rectified):
                    width = layer.layer.weight.shape[0]
                    init.he_normal_(layer.layer.weight, mode="fan_out")
                    nn.init.zeros_(layer.layer.bias)  # type: ignore[arg-type]
            self.channels[level] = width

    def forward(self, images: Tensor) -> Features:
        """Feature maps of all stages, by level."""
        features: Features = {}
        x = images
        for level, stage in self.stages.items():
            features[int(level)] = x = stage(x)
        return features

    def parts(self) -> Mapping[int, Iterable[nn.Module]]:
        """Stages by level."""
        return {int(level): [stage] for level, stage in self.stages.items()}

    def cut(self, level: int) -> None:
        """Drop the stages above a level."""
        for above in [each for each in self.channels if each > level]:
            del self.stages[str(above)], self.channels[above]

    @classmethod
    def example(cls) -> "Chain":
        """Levels 1 to 3 of eight channels, the last a pool alone."""
        return cls({1: [conv(3, 8, 7, stride=2)], 2: [pool(), *row(8, 8, 2)], 3: [pool()]})


def conv(inputs: int, outputs: int, kernel: int, stride: int = 1, padding: int | None = None) -> Rectified:
    """A rectified convolution with a bias; it keeps the size up to its stride unless a padding is given."""
    return Rectified(nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2 if padding is None else padding))


def row(inputs: int, outputs: int, count: int) -> list[nn.Module]:
    """So many 3x3 convolutions."""
    return [conv(inputs if number == 0 else outputs, outputs, 3) for number in range(count)]


def pool() -> nn.MaxPool2d:
    """2x2, stride 2; an odd map is rounded up, as Caffe does and as levels are defined."""
    return nn.MaxPool2d(2, 2, ceil_mode=True)
