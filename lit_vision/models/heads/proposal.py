"""Head of a region proposal network (1506.01497, Section 3.1)."""

from collections.abc import Sequence
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from lit_vision.errors import InputError
from lit_vision.models.heads.dense import by_anchor
from lit_vision.types import Features

Answer = Literal["logistic", "softmax"]


class ProposalHead(nn.Module):
    """A 3x3 convolution and two sibling 1x1 convolutions, with the same weights at all levels (FPN, Section 4.1).

    Heads of their own for each level did as well there, and did not help a pyramid without a top-down pathway.

    Args:
        channels: Of each level.
        anchors: Per location.
        width: Channels between the 3x3 convolution and the two others; None for as many as come in. 256 on ZF and 512
            on VGG-16 (Section 3.1), 256 on a pyramid.
        answer: How it is said whether an anchor holds an object: `softmax` of two outputs per anchor, the paper's, or
            `logistic` regression by one, which its Section 3.1.1 names as an alternative.
        unshared: Levels, each of which has a head of its own; all levels of the pyramid, or none.

    Raises:
        InputError: `answer` is neither.
    """

    def __init__(
        self,
        channels: int,
        anchors: int,
        width: int | None = None,
        answer: Answer = "logistic",
        unshared: Sequence[int] = (),
    ) -> None:
        super().__init__()
        if answer not in get_args(Answer):
            raise InputError(f"answer: {answer!r} is unknown; choose one of {', '.join(get_args(Answer))}")
        self.of_level = nn.ModuleDict(
            {str(level): ProposalHead(channels, anchors, width, answer) for level in sorted(set(unshared))}
        )
        if not unshared:
            self._build(channels, anchors, width, answer)

    def _build(self, channels: int, anchors: int, width: int | None, answer: Answer) -> None:
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

        Raises:
            InputError: Heads are unshared, and the maps are of other levels than these.
        """
        self._check(features)
        logits, deltas = zip(*(self._head(level)._predict(features[level]) for level in sorted(features)), strict=True)
        return torch.cat(logits, 1), torch.cat(deltas, 1)

    def _check(self, features: Features) -> None:
        there, unshared = sorted(features), sorted(map(int, self.of_level))
        if unshared and unshared != there:
            raise InputError(f"proposals.head.unshared names levels {unshared}; the maps are of levels {there}")

    def _head(self, level: int) -> "ProposalHead":
        own: ProposalHead = self.of_level[str(level)] if self.of_level else self  # type: ignore[assignment]
        return own

    def _predict(self, feature: Tensor) -> tuple[Tensor, Tensor]:
        """Logits [B, A_l, 1] and offsets [B, A_l, 4] of one level."""
        hidden = self.relu(self.conv(feature))
        return by_anchor(self._objectness(hidden), 1), by_anchor(self.box(hidden), 4)

    def _objectness(self, hidden: Tensor) -> Tensor:
        """Logits of an object, [B, A_cell, H, W]."""
        scores: Tensor = self.cls(hidden)
        if self.answer == "logistic":
            return scores
        background, objects = scores.chunk(2, 1)
        # The softmax of two scores is the logistic function of their difference, and so is its log loss.
        return objects - background
