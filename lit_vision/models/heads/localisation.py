"""Head of a region proposal network with proposals of each class (ResNet paper, 1512.03385, Appendix C)."""

import torch
from torch import Tensor, nn

from lit_vision.models.heads.dense import by_anchor
from lit_vision.types import Features


class LocalisationHead(nn.Module):
    """Two sibling 1x1 convolutions: a logit and four offsets of each anchor for each class.

    Each logit is a logistic regression of its own, object of the class or not; no class competes with another.

    Args:
        channels: Of each level.
        anchors: Per location.
        num_classes: K.
    """

    def __init__(self, channels: int, anchors: int, num_classes: int) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.cls = nn.Conv2d(channels, anchors * num_classes, 1)
        self.box = nn.Conv2d(channels, anchors * num_classes * 4, 1)
        for layer in (self.cls, self.box):
            nn.init.normal_(layer.weight, std=0.01)  # as Faster R-CNN's new layers; the paper does not say
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]

    def forward(self, features: Features) -> tuple[Tensor, Tensor]:
        """Predict for {level: [B, C, H_l, W_l]}.

        Returns:
            Logits [B, A, K] and offsets [B, A, K, 4]; levels ascending, cells by rows, anchors of a cell together.
        """
        levels = [features[level] for level in sorted(features)]
        logits = torch.cat([by_anchor(self.cls(level), self.num_classes) for level in levels], 1)
        deltas = torch.cat([by_anchor(self.box(level), self.num_classes * 4) for level in levels], 1)
        return logits, deltas.reshape(*logits.shape, 4)
