"""The fast network of Zeiler and Fergus, as Faster R-CNN uses it (1506.01497, Section 3.1): five convolutions.

conv1 is level 1, conv2 level 3 and conv5 level 4 with stride 16, on which Faster R-CNN stands (`OneLevel`, level 4).
As a classifier of images of 224 pixels its head is `heads.spp.SPP` with `bins: [6]`, the 6 x 6 cells of Faster R-CNN's
head.
"""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from lit_vision.models.backbones.chain import Chain, conv
from lit_vision.models.weights import classifiers as weight_files
from lit_vision.models.weights.layout import Public


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


def zf(frozen_levels: Sequence[int] = (), weights: str | None = None) -> Chain:
    """Five convolutions, with the head eight layers.

    Maps have half of the pixels behind a pool, rounded up; Caffe's rounding gives one more where they are even.

    Args:
        frozen_levels: Levels that are not trained: none, or all in the last steps of the alternating training.
        weights: File of a classifier on this backbone; torchvision has none.
    """
    net = Chain(
        {
            1: [conv(3, 96, 7, stride=2)],
            3: [*_pool(), conv(96, 256, 5, stride=2)],
            4: [*_pool(), conv(256, 384, 3), conv(384, 384, 3), conv(384, 256, 3)],
        },
        Public(unfit="it has none of ZF"),
    )
    if weights is not None:
        net.expects = weight_files.load(weights, net)
    if frozen_levels:
        net.freeze(frozen_levels)
    return net


def _pool() -> list[nn.Module]:
    """Normalisation and pool behind a convolution."""
    return [LocalNorm(), nn.MaxPool2d(3, 2, 1)]
