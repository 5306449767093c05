"""Heads of Fast R-CNN: two fully connected layers (FPN, Section 4.2), the last two of VGG-16 and ZF among them."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from lit_vision.models.weights import fully_connected


class RegionHead(nn.Module, ABC):
    """Class scores and class-specific box offsets of pooled regions, from one vector of each region.

    With context (ResNet paper, 1512.03385, Appendix B), each whole image is pooled as one more region, and its vector
    comes from the same layers. The outputs are computed from a region's vector with its image's behind it.

    Args:
        num_classes: K; background is a further class, the last one.
        context: Whether the outputs see the whole image, too.

    Attributes:
        cls: Layer of the K + 1 scores.
        box: Layer of the 4 (K + 1) offsets. Background has offsets too, which nothing reads: the layer sizes are those
            of the papers.
    """

    cls: nn.Linear
    box: nn.Linear

    def __init__(self, num_classes: int, context: bool = False) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.context = context

    @abstractmethod
    def vectors(self, pooled: Tensor) -> Tensor:
        """What the outputs are computed from, [R, width], of pooled features [R, C, size, size]."""

    def forward(self, pooled: Tensor, counts: Sequence[int] = ()) -> tuple[Tensor, Tensor]:
        """Predict for pooled features [R, C, size, size].

        Args:
            pooled: Of regions; with context, those of each image end with the whole image's.
            counts: How many are of each image, the whole one included; for a head with context.

        Returns:
            Logits [R, K + 1] and offsets [R, K + 1, 4], of regions alone.
        """
        hidden = self.vectors(pooled)
        if self.context:
            hidden = torch.cat([_beside_the_last(image) for image in torch.split(hidden, list(counts))])
        return self.cls(hidden), self.box(hidden).unflatten(1, (-1, 4))

    def _end(self, width: int) -> None:
        """Makes the two output layers on vectors of that width, or on two of them."""
        width *= 2 if self.context else 1
        self.cls = nn.Linear(width, self.num_classes + 1)
        self.box = nn.Linear(width, 4 * (self.num_classes + 1))

    def _initialise(self, hidden: Iterable[nn.Linear] = ()) -> None:
        for layer in hidden:
            # Not in the paper; its authors' code draws uniformly with variance 1 / fan-in ("Xavier").
            nn.init.kaiming_uniform_(layer.weight, a=1)
            nn.init.zeros_(layer.bias)
        for layer, std in ((self.cls, 0.01), (self.box, 0.001)):  # Fast R-CNN, Section 2.3
            nn.init.normal_(layer.weight, std=std)
            nn.init.zeros_(layer.bias)


def _beside_the_last(vectors: Tensor) -> Tensor:
    """Each of the vectors [R + 1, width] but the last, and the last behind each: [R, 2 width]."""
    return torch.cat([vectors[:-1], vectors[-1:].expand(len(vectors) - 1, -1)], 1)


class BoxHead(RegionHead):
    """Two rectified fully connected layers before the outputs: of 1024 units in FPN, fc6 and fc7 in Faster R-CNN.

    Args:
        channels: Of the pooled features.
        size: Cells per side of the pooled features.
        num_classes: See `RegionHead`.
        width: Units of the two hidden layers: 1024, or the 4096 of VGG-16 and ZF.
        dropout: Share of their units that training leaves out; 0.5 behind both in Faster R-CNN on VOC.
        context: See `RegionHead`.
        weights: Classifier that the two layers start from, `IMAGENET1K_V1` for torchvision's VGG-16, or a file.

    Raises:
        InputError: The weights cannot be found, read or matched.
    """

    def __init__(
        self,
        channels: int,
        size: int,
        num_classes: int,
        width: int = 1024,
        dropout: float = 0.0,
        weights: str | None = None,
        context: bool = False,
    ) -> None:
        super().__init__(num_classes, context)
        self.fc1 = nn.Linear(channels * size**2, width)
        self.fc2 = nn.Linear(width, width)
        self.relu = nn.ReLU(inplace=True)
        self.dropout = nn.Dropout(dropout)
        self._end(width)
        self._initialise((self.fc1, self.fc2))
        if weights is not None:
            fully_connected.load(weights, self.fc1, self.fc2)

    def vectors(self, pooled: Tensor) -> Tensor:
        """See `RegionHead`."""
        hidden: Tensor = self.dropout(self.relu(self.fc1(pooled.flatten(1))))
        hidden = self.dropout(self.relu(self.fc2(hidden)))
        return hidden
