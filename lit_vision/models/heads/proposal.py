"""Head of a region proposal network (1506.01497, Section 3.1)."""

import torch
from torch import Tensor, nn

from lit_vision.models.heads.dense import by_anchor
from lit_vision.types import Features


class ProposalHead(nn.Module):
    """A 3x3 convolution and two sibling 1x1 convolutions, with the same weights at all levels (FPN, Section 4.1).

    One logit says object or not, the logistic regression that Section 3.1.1 names as an alternative to a two-way
    softmax.

    Args:
        channels: Of each level.
        anchors: Per location.
        width: Channels between the 3x3 convolution and the two others; None for as many as come in. 256 on ZF and 512
            on VGG-16 (Section 3.1), 256 on a pyramid.
    """

    def __init__(self, channels: int, anchors: int, width: int | None = None) -> None:
        super().__init__()
        width = width or channels
        self.conv = nn.Conv2d(channels, width, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)
        self.cls = nn.Conv2d(width, anchors, 1)
        self.box = nn.Conv2d(width, anchors * 4, 1)
        for layer in (self.conv, self.cls, self.box):
            nn.init.normal_(layer.weight, std=0.01)  # Section 3.1.3
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]

    def forward(self, features: Features) -> tuple[Tensor, Tensor]:
        """Predict for {level: [B, C, H_l, W_l]}.

        Returns:
            Logits [B, A, 1] and offsets [B, A, 4]; levels ascending, cells by rows, anchors of a cell together.
        """
        hidden = [self.relu(self.conv(features[level])) for level in sorted(features)]
        logits = torch.cat([by_anchor(self.cls(level), 1) for level in hidden], 1)
        deltas = torch.cat([by_anchor(self.box(level), 4) for level in hidden], 1)
        return logits, deltas
