"""Three fully connected layers behind spatial pyramid pooling (1502.01852, Table 3) or the map as it is (VGG)."""

from collections.abc import Sequence
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lit_vision.errors import InputError
from lit_vision.models.activation import Rectified
from lit_vision.models.heads.classes import ClassHead

# Standard deviations of the three layers (1502.01852, Section 2.2): smaller than the rule for convolutions, because
# pixels in 0..255 keep their variance to the end, and the softmax would overflow.
STDS = (0.01, 0.01, 0.001)


class SPP(ClassHead):
    """Maxima of n x n bins for several n, two rectified layers with dropout, and one layer of scores.

    Bins are those of SPP-net: on a map of `a` cells a side, windows of ceil(a / n) cells every floor(a / n) cells.

    Args:
        channels: Of the map.
        num_classes: K.
        bins: Bins per side of each level of the pyramid.
        window: See `ClassHead`.
        width: Units of the two hidden layers.
        dropout: Share of their units that training leaves out.

    Raises:
        InputError: A map of `window` cells has no such bins.
    """

    scores: ClassVar = "fc3"

    def __init__(
        self,
        channels: int,
        num_classes: int,
        bins: Sequence[int] = (7, 3, 2, 1),
        window: int = 14,
        width: int = 4096,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        self.channels = channels
        self.bins = tuple(bins)
        self.window = window
        for count in self.bins:
            bin_of(window, count)
        self.fc1 = Rectified(nn.Linear(channels * sum(count**2 for count in self.bins), width))
        self.fc2 = Rectified(nn.Linear(width, width))
        self.fc3 = nn.Linear(width, num_classes)
        self.dropout = nn.Dropout(dropout)
        for layer, std in zip((self.fc1.layer, self.fc2.layer, self.fc3), STDS, strict=True):
            nn.init.normal_(layer.weight, std=std)
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]

    def forward(self, maps: Tensor) -> Tensor:
        """See `ClassHead`; maps of any size that has the bins.

        Raises:
            InputError: The maps are too small for them.
        """
        pooled = torch.cat([_pool(maps, count).flatten(1) for count in self.bins], 1)
        hidden = self.dropout(self.fc1(pooled))
        scores: Tensor = self.fc3(self.dropout(self.fc2(hidden)))
        return scores

    def dense(self, maps: Tensor) -> Tensor:
        """See `ClassHead`. The first layer is a convolution of each level's maxima, dilated by the level's stride."""
        height, width = self.windows(maps)
        sums = []
        sizes = [self.channels * count**2 for count in self.bins]
        for count, weight in zip(self.bins, torch.split(self.fc1.layer.weight, sizes, 1), strict=True):
            side, stride = bin_of(self.window, count)
            kernel = weight.reshape(-1, self.channels, count, count)
            sums.append(F.conv2d(F.max_pool2d(maps, side, 1), kernel, dilation=stride)[:, :, :height, :width])
        hidden = self.fc1.act(sum(sums[1:], sums[0]) + self.fc1.layer.bias[:, None, None])  # type: ignore[index]
        hidden = self.fc2.act(_pointwise(hidden, self.fc2.layer))
        return _pointwise(hidden, self.fc3)


class Flat(SPP):
    """The map as it is before the three layers, as VGG's networks have it (1409.1556): one level of `window` bins.

    Args:
        channels: Of the map.
        num_classes: K.
        window: Side of the map, in cells.
        width: Units of the two hidden layers.
        dropout: Share of their units that training leaves out.
    """

    def __init__(
        self, channels: int, num_classes: int, window: int = 7, width: int = 4096, dropout: float = 0.5
    ) -> None:
        super().__init__(channels, num_classes, (window,), window, width, dropout)

    def forward(self, maps: Tensor) -> Tensor:
        """See `ClassHead`.

        Raises:
            InputError: The maps are of another size.
        """
        if maps.shape[-2:] != (self.window, self.window):
            raise InputError(
                f"the head takes maps of {self.window} x {self.window} cells, but these have "
                f"{maps.shape[-2]} x {maps.shape[-1]};\n"
                "give images of the size that it is trained on, or test by protocols.dense.Dense"
            )
        return super().forward(maps)


def bin_of(cells: int, count: int) -> tuple[int, int]:
    """Window and stride of a pyramid's level, in cells: ceil(a / n) and floor(a / n) (SPP-net, Section 3.1).

    Args:
        cells: a, of the map.
        count: n, bins per side.

    Raises:
        InputError: The rule does not give n bins: too few cells, or such as 6 bins on 17.
    """
    side, stride = -(-cells // count), cells // count
    if stride == 0 or (cells - side) // stride + 1 != count:
        raise InputError(
            f"SPP: {cells} cells have no {count} bins by SPP-net's rule (windows of {side}, every {stride});\n"
            "choose other bins (model.network.head.bins) or images of another size"
        )
    return side, stride


def _pool(maps: Tensor, count: int) -> Tensor:
    """Maxima of the bins of one level, [B, C, count, count]."""
    (high, down), (wide, right) = (bin_of(cells, count) for cells in maps.shape[-2:])
    return F.max_pool2d(maps, (high, wide), (down, right))


def _pointwise(maps: Tensor, layer: nn.Conv2d | nn.Linear) -> Tensor:
    """A fully connected layer at every position."""
    return F.conv2d(maps, layer.weight[:, :, None, None], layer.bias)
