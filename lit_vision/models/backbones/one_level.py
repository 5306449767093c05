"""One level of a backbone, for detectors without a pyramid: C4 in Faster R-CNN (1506.01497, Section 3.1)."""

from collections.abc import Iterable, Mapping

from torch import Tensor, nn

from lit_vision.errors import InputError
from lit_vision.models.backbones import resnet
from lit_vision.models.backbones.base import Backbone
from lit_vision.types import Features


class OneLevel(Backbone):
    """A backbone up to one of its levels, which alone it returns; what lies above is not built into it.

    Args:
        backbone: Cut behind the level, in place.
        level: Which.
        frozen: Whether none of its layers is trained, as in the last two of four steps (Section 3.2).

    Raises:
        InputError: The backbone has no such level, or cannot be cut there.
    """

    def __init__(self, backbone: Backbone, level: int, frozen: bool = False) -> None:
        super().__init__()
        if level not in backbone.channels:
            offered = sorted(backbone.channels)
            raise InputError(f"one level: {type(backbone).__name__} offers levels {offered}, not {level}")
        backbone.cut(level)
        self.backbone = backbone
        self.level = level
        self.channels = {level: backbone.channels[level]}
        self.public = backbone.public
        if frozen:
            backbone.freeze(backbone.parts())

    def forward(self, images: Tensor) -> Features:
        """The level's map, {level: [B, C, H_l, W_l]}."""
        return {self.level: self.backbone(images)[self.level]}

    def parts(self) -> Mapping[int, Iterable[nn.Module]]:
        """The backbone's, of which the one level is the whole."""
        return {**self.backbone.parts(), self.level: [self.backbone]}

    @classmethod
    def example(cls) -> "OneLevel":
        """C4 of a ResNet-18."""
        return cls(resnet.resnet18(), 4)
