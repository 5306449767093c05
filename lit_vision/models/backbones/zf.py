"""The fast network of Zeiler and Fergus, as Faster R-CNN uses it (1506.01497, Section 3.1): five convolutions."""

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from lit_vision.models.backbones.base import Backbone
from lit_vision.models.weights import classifiers as weight_files
from lit_vision.ops import init
from lit_vision.types import Features

CHANNELS = {1: 96, 3: 256, 4: 256}


class LocalNorm(nn.Module):
    """Local response normalisation within channels, Caffe's `WITHIN_CHANNEL`.

    `y = x (1 + alpha m)**-beta`, where m is the mean square of a window of `size` x `size` pixels of the same channel,
    zeros beyond the border included.

    Args:
        size: Pixels per side of the window, odd.
        alpha: Weight of the mean square.
        beta: Exponent.
    """

    def __init__(self, size: int = 3, alpha: float = 5e-5, beta: float = 0.75) -> None:
        super().__init__()
        self.size = size
        self.alpha = alpha
        self.beta = beta

    def forward(self, x: Tensor) -> Tensor:
        """Normalises [B, C, H, W]."""
        energy = F.avg_pool2d(x.square(), self.size, 1, self.size // 2)
        return x * (1 + self.alpha * energy).pow(-self.beta)


class ZF(Backbone):
    """Levels 1, 3 and 4: what conv1, conv2 and conv5 make, each rectified.

    Pools are padded and cut, so that each map has half of the pixels, rounded up; Caffe's rounding gives one more where
    the pixels are an even number.

    Args:
        frozen_levels: Levels that are not trained; none in the paper, all in the last steps of its alternating training.
        weights: File of a classifier on this backbone; nobody publishes one for torch.

    Raises:
        InputError: A level that is not there, or weights that cannot be found, read or matched.
    """

    def __init__(self, frozen_levels: Sequence[int] = (), weights: str | None = None) -> None:
        super().__init__()
        self.channels = dict(CHANNELS)
        self.blocks = nn.ModuleDict(
            {
                "1": nn.Sequential(OrderedDict(_conv(1, 3, 96, 7, 2))),
                "3": nn.Sequential(OrderedDict([*_pool(1), *_conv(2, 96, 256, 5, 2)])),
                "4": nn.Sequential(
                    OrderedDict([*_pool(2), *_conv(3, 256, 384), *_conv(4, 384, 384), *_conv(5, 384, 256)])
                ),
            }
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                init.he_normal_(module.weight, mode="fan_in")
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]
        if weights is not None:
            self.expects = weight_files.load(weights, self)
        if frozen_levels:
            self.freeze(frozen_levels)

    def forward(self, images: Tensor) -> Features:
        """Maps of all levels that were not cut off."""
        features: Features = {}
        x = images
        for level, block in self.blocks.items():
            features[int(level)] = x = block(x)
        return features

    def parts(self) -> Mapping[int, Iterable[nn.Module]]:
        """Blocks by level."""
        return {int(level): [block] for level, block in self.blocks.items()}

    def cut(self, level: int) -> None:
        """Drop the blocks above a level."""
        for above in [each for each in self.channels if each > level]:
            del self.blocks[str(above)], self.channels[above]

    @classmethod
    def example(cls) -> "ZF":
        """The network itself."""
        return cls()


def _conv(number: int, inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> Iterable[tuple[str, nn.Module]]:
    yield f"conv{number}", nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2)
    yield f"relu{number}", nn.ReLU(inplace=True)


def _pool(number: int) -> Iterable[tuple[str, nn.Module]]:
    """Normalisation and pool behind a convolution."""
    yield f"norm{number}", LocalNorm()
    yield f"pool{number}", nn.MaxPool2d(3, 2, 1)
