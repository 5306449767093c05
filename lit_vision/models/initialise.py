"""How the weights of a network start, as objects that a recipe names (1502.01852, Section 2.2)."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Literal

from torch import Tensor, nn

from lit_vision.errors import InputError
from lit_vision.ops import init
from lit_vision.ops.init import Fan

First = Literal["rectified", "linear"]

STDS = (0.01, 0.01, 0.001)
"""Gaussians of three fully connected layers. They are narrower than the rule for convolutions on purpose: pixels in
0..255 keep their variance to the end, and the softmax would overflow."""


class Init(ABC):
    """Fills convolutions by a rule and fully connected layers by Gaussians; biases are zero.

    Args:
        fc: Standard deviation of each fully connected layer, from the first to the last; None fills them by the rule.
    """

    def __init__(self, fc: Sequence[float] | None = STDS) -> None:
        self.fc = fc

    @abstractmethod
    def rule(self, weight: Tensor, first: bool) -> Tensor:
        """Fills a weight in place.

        Args:
            weight: [outputs, inputs, …kernel].
            first: Whether it meets the image itself.
        """

    def fill(self, network: nn.Module) -> None:
        """Starts all convolutions and fully connected layers of a network afresh, in place.

        Raises:
            InputError: There are more or fewer fully connected layers than standard deviations.
        """
        layers = [module for module in network.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
        connected = [layer for layer in layers if isinstance(layer, nn.Linear)]
        if self.fc is not None and len(self.fc) != len(connected):
            raise InputError(
                f"init.fc has {len(self.fc)} standard deviations, but the network has {len(connected)} fully connected "
                "layers;\ngive one per layer, or null to fill them as convolutions are"
            )
        stds = dict(zip(map(id, connected), self.fc or (), strict=False))
        for number, layer in enumerate(layers):
            if id(layer) in stds:
                nn.init.normal_(layer.weight, std=stds[id(layer)])
            else:
                self.rule(layer.weight, first=number == 0)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


class He(Init):
    """Keeps the variance through rectified layers: Eq. 10 forward (`fan_in`), Eq. 14 backward (`fan_out`).

    Args:
        mode: Which.
        slope: Of the rectifiers below zero, as they start (Eq. 15): 0.25 for PReLU.
        first: `linear` takes into account that no rectifier stands before the first layer, n Var[w] = 1; the paper
            calls the factor 1/2 in a single layer harmless, and has it there too (`rectified`).
        fc: See `Init`.
    """

    def __init__(
        self,
        mode: Fan = "fan_out",
        slope: float = 0.0,
        first: First = "rectified",
        fc: Sequence[float] | None = STDS,
    ) -> None:
        super().__init__(fc)
        self.mode = mode
        self.slope = slope
        self.first = first

    def rule(self, weight: Tensor, first: bool) -> Tensor:
        """See `Init`."""
        linear = first and self.first == "linear"
        return init.he_normal_(weight, self.mode, 1.0 if linear else self.slope)  # Eq. 15 with a = 1


class Xavier(Init):
    """The paper's baseline of that name: Gaussian, one direction, n Var[w] = 1.

    Args:
        mode: Which n; the text gives the forward case, `fan_in`.
        fc: See `Init`.
    """

    def __init__(self, mode: Fan = "fan_in", fc: Sequence[float] | None = STDS) -> None:
        super().__init__(fc)
        self.mode = mode

    def rule(self, weight: Tensor, first: bool) -> Tensor:
        """See `Init`."""
        return init.xavier_gaussian_(weight, self.mode)


class Gaussian(Init):
    """One standard deviation for all convolutions, as networks started before (Section 2.2).

    Args:
        std: Standard deviation.
        fc: See `Init`.
    """

    def __init__(self, std: float = 0.01, fc: Sequence[float] | None = STDS) -> None:
        super().__init__(fc)
        if std <= 0:
            raise InputError(f"init.std is {std}; it must be positive")
        self.std = std

    def rule(self, weight: Tensor, first: bool) -> Tensor:
        """See `Init`."""
        return nn.init.normal_(weight, std=self.std)
