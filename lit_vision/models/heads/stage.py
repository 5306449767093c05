"""The last stage of a ResNet as the head of Fast R-CNN (1512.03385, Appendix A; 1612.03144, Table 2, row a)."""

from torch import Tensor

from lit_vision.errors import InputError
from lit_vision.models.backbones.base import Backbone
from lit_vision.models.heads.box import RegionHead


class StageHead(RegionHead):
    """A backbone's stages above one level, run on each region, and their average, before the outputs.

    Regions are pooled before the first of these stages, whose stride halves the pooled cells: 14 become 7 (FPN's Table
    2; the ResNet paper names no size).

    Args:
        channels: Of the pooled features.
        size: Cells per side of the pooled features.
        num_classes: See `RegionHead`.
        backbone: Whose stages above the level are taken; what leads to it is dropped. One with ImageNet's weights
            gives the head those of its stages.
        level: That regions are pooled from, 4 in C4.
        context: See `RegionHead`.

    Raises:
        InputError: The backbone has no such level or nothing above it, or the level has another number of channels.
    """

    def __init__(
        self, channels: int, size: int, num_classes: int, backbone: Backbone, level: int = 4, context: bool = False
    ) -> None:
        super().__init__(num_classes, context)
        self.stages = backbone.above(level)
        if channels != backbone.channels[level]:
            raise InputError(
                f"the head's {type(backbone).__name__} has {backbone.channels[level]} channels at level {level}, "
                f"the pooled features {channels}; give regions.head.backbone the backbone of the pyramid"
            )
        self._end(backbone.channels[max(backbone.channels)])
        self._initialise()

    def vectors(self, pooled: Tensor) -> Tensor:
        """See `RegionHead`."""
        averaged: Tensor = self.stages(pooled).mean((2, 3))
        return averaged
