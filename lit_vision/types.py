"""The nouns that travel between the rooms. Named tuples, because they pass through pin-memory and device transfer.

Shapes use one alphabet everywhere: `B` images, `G` objects, `A` anchors, `R` regions, `K` classes, `H W` pixels.
"""

from typing import NamedTuple

from torch import Tensor

Features = dict[int, Tensor]
"""Feature maps by level: level `l` has nominal stride `2**l` (FPN paper, Section 3)."""


class Sample(NamedTuple):
    """One image between the reader and the collate function.

    Attributes:
        image: uint8 [3, H, W], RGB.
        target: Class index, 0..K-1.
    """

    image: Tensor
    target: int


class Batch(NamedTuple):
    """What a loader yields and a task consumes.

    Attributes:
        images: uint8 [B, 3, H, W], RGB.
        sizes: int64 [B, 2], height and width of each image without its padding.
        targets: int64 [B], class indices.
    """

    images: Tensor
    sizes: Tensor
    targets: Tensor
