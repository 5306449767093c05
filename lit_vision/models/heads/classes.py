"""What stands between a classifier's last map and its class scores: what every such head says, and the ResNets'."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from lit_vision.errors import InputError


class ClassHead(nn.Module, ABC):
    """Class scores of whole maps, or of every window of them.

    Attributes:
        scores: Name within the head of the layer with one output per class; empty where the head is that layer.
        window: Side of the maps that it is trained on, in cells: 7 where images of 224 pixels meet a stride of 32.
    """

    scores: ClassVar[str]
    window: int

    @abstractmethod
    def forward(self, maps: Tensor) -> Tensor:
        """Scores of whole maps.

        Args:
            maps: Of the backbone's coarsest level, [B, C, H, W].

        Returns:
            Logits [B, K].
        """

    @abstractmethod
    def dense(self, maps: Tensor) -> Tensor:
        """The head as convolutions: scores of every window of the size that it is trained on.

        Args:
            maps: [B, C, H, W].

        Returns:
            Logits [B, K, H - window + 1, W - window + 1]; each is what `forward` says of that window.

        Raises:
            InputError: The maps are smaller than a window.
        """

    def windows(self, maps: Tensor) -> tuple[int, int]:
        """How many windows there are below and beside each other.

        Raises:
            InputError: None.
        """
        height, width = (side - self.window + 1 for side in maps.shape[-2:])
        if height < 1 or width < 1:
            raise InputError(
                f"a map of {maps.shape[-2]} x {maps.shape[-1]} cells holds no window of {self.window} x {self.window}, "
                "which the head is trained on;\n"
                "test at larger scales (protocol.scales), or set model.network.head.window"
            )
        return height, width


MakeHead = Callable[[int, int], ClassHead]
"""A head from channels and number of classes."""


class GlobalAverage(ClassHead, nn.Linear):
    """The average of the map and one fully connected layer (ResNet paper, 1512.03385, Section 3.3).

    Args:
        channels: Of the map.
        num_classes: K.
        window: See `ClassHead`; it matters to `dense` alone.
    """

    scores = ""

    def __init__(self, channels: int, num_classes: int, window: int = 7) -> None:
        super().__init__(channels, num_classes)
        self.window = window
        # Neither paper states it for one layer after an average pool. A small Gaussian starts with near-uniform
        # probabilities, as the fc layers of 1502.01852 (Section 2.2) do.
        nn.init.normal_(self.weight, std=0.01)
        nn.init.zeros_(self.bias)

    def forward(self, maps: Tensor) -> Tensor:
        """See `ClassHead`."""
        return F.linear(maps.mean((2, 3)), self.weight, self.bias)

    def dense(self, maps: Tensor) -> Tensor:
        """See `ClassHead`; the windows' averages, then the layer as a 1x1 convolution."""
        self.windows(maps)
        averages = F.avg_pool2d(maps, self.window, 1)
        return F.conv2d(averages, self.weight[:, :, None, None], self.bias)
