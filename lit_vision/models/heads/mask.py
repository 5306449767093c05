"""The small network that outlines the object in the middle of a window (1612.03144, Figure 4 and Table 6)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lit_vision.errors import InputError
from lit_vision.types import Features


class MaskHead(nn.Module):
    """Says of every cell of every level whether an object of that size is there, and outlines it.

    A convolution with a large window, then two sibling layers, one for the mask and one for the score; the same weights
    at all levels. Its non-linearity, a ReLU, and its start are not in the paper.

    Args:
        channels: Of each level.
        window: Cells per side that are looked at: 5, and 7 for objects half an octave larger.
        width: Outputs of the hidden layer.
        size: M, cells per side of a mask: 14, or 28 for twice the resolution.

    Raises:
        InputError: A window has no middle, or something is not positive.
    """

    def __init__(self, channels: int, window: int, width: int = 512, size: int = 14) -> None:
        super().__init__()
        if window < 1 or window % 2 == 0:
            raise InputError(f"mask head: a window needs an odd number of cells, from 1 on; got {window}")
        if width < 1 or size < 1:
            raise InputError(f"mask head: width is {width} and size {size}; both must be at least 1")
        self.window = window
        self.size = size
        self.conv = nn.Conv2d(channels, width, window, padding=window // 2)
        self.cls = nn.Conv2d(width, 1, 1)
        self.mask = nn.Conv2d(width, size**2, 1)
        for layer in (self.conv, self.cls, self.mask):
            nn.init.normal_(layer.weight, std=0.01)
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]

    def forward(self, features: Features) -> Tensor:
        """Logits of an object, [B, A]; levels ascending, cells by rows. A is their number of cells."""
        return torch.cat([self.cls(F.relu(self.conv(features[level]))).flatten(1) for level in sorted(features)], 1)

    def at(self, feature: Tensor, images: Tensor, cells: Tensor) -> tuple[Tensor, Tensor]:
        """The same for some cells of a level, with masks: all that a few samples of training need.

        Args:
            feature: [B, C, H, W].
            images: int64 [N], 0..B-1.
            cells: int64 [N], 0..H*W-1.

        Returns:
            Logits of an object [N], and of each cell of its mask [N, M, M].
        """
        seen = _patches(feature, images, cells, self.window)
        hidden = F.relu(F.linear(seen, self.conv.weight.flatten(1), self.conv.bias))
        scores = F.linear(hidden, self.cls.weight.flatten(1), self.cls.bias)
        masks = F.linear(hidden, self.mask.weight.flatten(1), self.mask.bias)
        return scores[:, 0], masks.reshape(-1, self.size, self.size)


def _patches(feature: Tensor, images: Tensor, cells: Tensor, window: int) -> Tensor:
    """What a padded convolution sees at some cells, [N, C * window**2]."""
    width, reach = feature.shape[-1], window // 2
    padded = F.pad(feature, (reach, reach, reach, reach))
    steps = torch.arange(window, device=feature.device)
    rows, columns = (cells // width)[:, None] + steps, (cells % width)[:, None] + steps
    seen = padded[images[:, None, None], :, rows[:, :, None], columns[:, None, :]]  # [N, window, window, C]
    return seen.permute(0, 3, 1, 2).flatten(1)
