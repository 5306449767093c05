"""What every backbone promises: feature maps by level, and levels that can be frozen."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Mapping
from typing import Self

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from lit_vision.errors import InputError
from lit_vision.models.weights.layout import Public
from lit_vision.models.weights.preprocessing import Preprocessing
from lit_vision.types import Features


class Backbone(nn.Module, ABC):
    """A network that turns images into feature maps, keyed by level.

    The map of level `l` has stride `2**l`; its size is the ceiling of the image's divided by the stride. Contract tests
    find every subclass through `example`.

    Attributes:
        channels: Number of channels of each level that `forward` returns.
        public: What public weights fit; none unless a network says so.
        expects: What the weights that it was filled from were trained with; None where nothing is known.
    """

    channels: dict[int, int]
    public: Public = Public(unfit="torchvision has none; give the path of a file instead")
    expects: Preprocessing | None = None

    def __init__(self) -> None:
        super().__init__()
        self._frozen: list[nn.Module] = []

    @abstractmethod
    def forward(self, images: Tensor) -> Features:
        """Compute the feature maps of normalised float images [B, 3, H, W]: {level: [B, channels[level], H_l, W_l]}."""

    @abstractmethod
    def parts(self) -> Mapping[int, Iterable[nn.Module]]:
        """Modules by the level they lead to; those below the lowest level belong to it, and may also have their own."""

    @classmethod
    @abstractmethod
    def example(cls) -> "Backbone":
        """Build a small instance for the contract tests."""

    def freeze(self, levels: Collection[int]) -> None:
        """Stop training some levels: no gradients, and norm layers that keep their statistics also in `train()`.

        Args:
            levels: Which; the lowest one includes the stem.

        Raises:
            InputError: The backbone has no such level.
        """
        parts = self.parts()
        unknown = sorted(set(levels) - set(parts))
        if unknown:
            raise InputError(f"cannot freeze level {unknown[0]}: {type(self).__name__} has levels {sorted(parts)}")
        self._frozen += [module for level in levels for module in parts[level]]
        for module in self._frozen:
            module.requires_grad_(False)
        self.train(self.training)

    def cut(self, level: int) -> None:
        """Drop what leads to higher levels than one; only that is left of `channels`, too.

        Raises:
            InputError: There is something above, and this kind of backbone cannot be cut.
        """
        above = [each for each in self.channels if each > level]
        if above:
            raise InputError(f"{type(self).__name__} cannot be cut: its levels {above} lie above {level}")

    def above(self, level: int) -> nn.Module:
        """What leads from the map of one level to that of the highest, as one module.

        Raises:
            InputError: The backbone has no such level, or no part of its own leads on from it.
        """
        raise InputError(
            f"nothing of {type(self).__name__} leads from level {level} to a higher one; it has {sorted(self.channels)}"
        )

    def train(self, mode: bool = True) -> Self:
        """Switch to training, except for the norm layers of frozen levels."""
        super().train(mode)
        for module in self._frozen:
            for layer in module.modules():
                if isinstance(layer, _BatchNorm):
                    layer.eval()
        return self
