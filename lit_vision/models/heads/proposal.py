"""Head of a region proposal network (1506.01497, Section 3.1)."""

from typing import Literal, get_args

import torch
from torch import Tensor, nn

from lit_vision.errors import InputError
from lit_vision.models.heads.dense import by_anchor
from lit_vision.types import Features

Answer = Literal["logistic", "softmax"]


class ProposalHead(nn.Module):
    """A 3x3 convolution and two sibling 1x1 convolutions, with the same weights at all levels (FPN, Section 4.1).

    Args:
        channels: Of each level.
        anchors: Per location.
        width: Channels between the 3x3 convolution and the two others; None for as many as come in. 256 on ZF and 512
            on VGG-16 (Section 3.1), 256 on a pyramid.
        answer: How it is said whether an anchor holds an object: `softmax` of two outputs per anchor, the paper's, or
            `logistic` regression by one, which its Section 3.1.1 names as an alternative.

    Raises:
        InputError: `answer` is neither.
    """

    def __init__(self, channels: int, anchors: int, width: int | None = None, answer: Answer = "logistic") -> None:
        super().__init__()
        if answer not in get_args(Answer):
            raise InputError(f"answer: {answer!r} is unknown; choose one of {', '.join(get_args(Answer))}")
        width = width or channels
        self.answer = answer
        self.conv = nn.Conv2d(channels, width, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)
        # Of a softmax: background's scores of all anchors, then the objects', as in the authors' code.
        self.cls = nn.Conv2d(width, anchors * (2 if answer == "softmax" else 1), 1)
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
        logits = torch.cat([by_anchor(self._objectness(level), 1) for level in hidden], 1)
        deltas = torch.cat([by_anchor(self.box(level), 4) for level in hidden], 1)
        return logits, deltas

    def _objectness(self, hidden: Tensor) -> Tensor:
        """Logits of an object, [B, A_cell, H, W]."""
        scores: Tensor = self.cls(hidden)
        if self.answer == "logistic":
            return scores
        background, objects = scores.chunk(2, 1)
        # The softmax of two scores is the logistic function of their difference, and so is its log loss.
        return objects - background
