"""RetinaNet's two subnets (1708.02002, Section 4)."""

import math

import torch
from torch import Tensor, nn

from lit_vision.types import Features


class DenseHead(nn.Module):
    """Class scores and box offsets of every anchor, with the same weights at all levels.

    The two subnets share no parameters (Section 4, Box Regression Subnet).

    Args:
        channels: Of each level.
        anchors: Per location, A.
        num_classes: K.
        depth: Hidden 3x3 convolutions of each subnet.
        prior: Probability of the rare class that every anchor starts with, pi in Section 4.1.
    """

    def __init__(self, channels: int, anchors: int, num_classes: int, depth: int = 4, prior: float = 0.01) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.cls = _subnet(channels, anchors * num_classes, depth)
        self.box = _subnet(channels, anchors * 4, depth)
        for subnet in (self.cls, self.box):
            for layer in subnet:
                if isinstance(layer, nn.Conv2d):
                    nn.init.normal_(layer.weight, std=0.01)
                    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
        # Every answer starts as `prior`, else the many negatives drown the first steps (Section 3.3).
        nn.init.constant_(self.cls[-1].bias, -math.log((1 - prior) / prior))  # type: ignore[arg-type]

    def forward(self, features: Features) -> tuple[Tensor, Tensor]:
        """Predict for {level: [B, C, H_l, W_l]}.

        Returns:
            Logits [B, A, K] and offsets [B, A, 4]; levels ascending, cells by rows, anchors of a cell together.
        """
        levels = [features[level] for level in sorted(features)]
        logits = torch.cat([by_anchor(self.cls(level), self.num_classes) for level in levels], 1)
        deltas = torch.cat([by_anchor(self.box(level), 4) for level in levels], 1)
        return logits, deltas


def by_anchor(maps: Tensor, values: int) -> Tensor:
    """Outputs of a convolution [B, A_cell * values, H, W], as [B, H * W * A_cell, values]."""
    return maps.permute(0, 2, 3, 1).reshape(len(maps), -1, values)


def _subnet(channels: int, outputs: int, depth: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for _ in range(depth):
        layers += [nn.Conv2d(channels, channels, 3, padding=1), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers, nn.Conv2d(channels, outputs, 3, padding=1))
