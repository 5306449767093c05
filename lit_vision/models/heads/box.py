"""Head of Fast R-CNN on a pyramid: two fully connected layers (FPN, Section 4.2)."""

from torch import Tensor, nn


class BoxHead(nn.Module):
    """Class scores and class-specific box offsets of pooled regions.

    Args:
        channels: Of the pooled features.
        size: Cells per side of the pooled features.
        num_classes: K; background is a further class, the last one.
        width: Units of the two hidden layers.
    """

    def __init__(self, channels: int, size: int, num_classes: int, width: int = 1024) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.fc1 = nn.Linear(channels * size**2, width)
        self.fc2 = nn.Linear(width, width)
        self.relu = nn.ReLU(inplace=True)
        self.cls = nn.Linear(width, num_classes + 1)
        # Background has offsets too, which nothing reads: the layer sizes are those of the paper.
        self.box = nn.Linear(width, 4 * (num_classes + 1))
        for layer in (self.fc1, self.fc2):
            # Not in the paper; its authors' code draws uniformly with variance 1 / fan-in ("Xavier").
            nn.init.kaiming_uniform_(layer.weight, a=1)
            nn.init.zeros_(layer.bias)
        for layer, std in ((self.cls, 0.01), (self.box, 0.001)):  # Fast R-CNN, Section 2.3
            nn.init.normal_(layer.weight, std=std)
            nn.init.zeros_(layer.bias)

    def forward(self, pooled: Tensor) -> tuple[Tensor, Tensor]:
        """Predict for pooled features [R, C, size, size].

        Returns:
            Logits [R, K + 1] and offsets [R, K + 1, 4].
        """
        hidden = self.relu(self.fc2(self.relu(self.fc1(pooled.flatten(1)))))
        return self.cls(hidden), self.box(hidden).unflatten(1, (-1, 4))
