"""Features of several scales, each region from the one that brings it nearest to 224 pixels a side."""

from collections.abc import Sequence
from typing import ClassVar

from lit_vision.protocols.image_pyramid import ImagePyramid


class NearestScale(ImagePyramid):
    """Image pyramid of SPP-net and Fast R-CNN, which the one-stage systems of Faster R-CNN's Table 10 have too.

    Args:
        sides: Short sides of the scales. The paper gives their number alone; 480, 576, 688, 864 and 1200 are SPP-net's.
        cap: Longest long side.
        proposed_at: See `ImagePyramid`.
        ideal: See `ImagePyramid`.

    Raises:
        InputError: There is no scale, or a number is not positive.
    """

    count: ClassVar = 1

    def __init__(
        self,
        sides: Sequence[int] = (480, 576, 688, 864, 1200),
        cap: int = 2000,
        proposed_at: int | None = None,
        ideal: int = 224,
    ) -> None:
        super().__init__(sides, cap, proposed_at, ideal)
