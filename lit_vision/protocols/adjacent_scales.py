"""Multi-scale testing (ResNet paper, 1512.03385, Appendix B and Table 9)."""

from collections.abc import Sequence
from typing import ClassVar

from lit_vision.protocols.image_pyramid import ImagePyramid


class AdjacentScales(ImagePyramid):
    """Pools each region from two adjacent scales of an image pyramid and merges what is pooled by maxout.

    The second stage alone sees several scales. The paper does not say which two a region has: here those that bring it
    nearest to 224 x 224 pixels, the rule of `NearestScale`.

    To have no scale enlarged, let the pipeline hand over the largest (`data.pipeline.test: 1000`), and propose regions
    at the training's, `proposed_at: 600`.

    Args:
        sides: Short sides of the scales; those of the paper.
        cap: Longest long side, which the paper does not name.
        proposed_at: See `ImagePyramid`.
        ideal: See `ImagePyramid`.

    Raises:
        InputError: There are not two scales, or a number is not positive.
    """

    count: ClassVar = 2

    def __init__(
        self,
        sides: Sequence[int] = (200, 400, 600, 800, 1000),
        cap: int = 2000,
        proposed_at: int | None = None,
        ideal: int = 224,
    ) -> None:
        super().__init__(sides, cap, proposed_at, ideal)
