"""Transforms that torchvision lacks; all take and give uint8 [3, H, W], some with boxes beside."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as transforms

from lit_vision.errors import InputError

Rounding = Literal["nearest", "floor"]

# Principal components of ImageNet's RGB values in 0..1, as a public implementation uses them; the paper names the
# method only (fact sheet of the ResNet paper, Section 2.1).
_EIGENVALUES = (0.2175, 0.0188, 0.0045)
_EIGENVECTORS = ((-0.5675, 0.7192, 0.4009), (-0.5808, -0.0045, -0.8140), (-0.5836, -0.6948, 0.4203))


class RandomShortSide(v2.Transform):  # type: ignore[misc]
    """Resizes images and their boxes to a short side drawn uniformly from low..high (ResNet paper, Section 3.4).

    Args:
        low: Smallest short side.
        high: Largest short side.
    """

    def __init__(self, low: int = 256, high: int = 480) -> None:
        super().__init__()
        refuse_below_one({"low": low, "high": high})
        if low > high:
            raise InputError(f"RandomShortSide: low {low} is above high {high}")
        self.low, self.high = low, high

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """Draws a size."""
        return {"size": [int(torch.randint(self.low, self.high + 1, ()))]}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Resizes an image or its boxes."""
        return transforms.resize(inpt, **params, antialias=True)


class ShortSide(v2.RandomShortestSize):  # type: ignore[misc]
    """Resizes images and their boxes to a short side drawn from some, the long side at most at its cap.

    Args:
        sides: Short sides; one is drawn per image.
        cap: Longest long side.
        rounding: How the sides become whole pixels. `nearest` is what the authors' code does by OpenCV; `floor` is
            torchvision's, which makes 799 of 800 pixels where `800 / 334 * 334` is a little less in floating point.
    """

    def __init__(self, sides: Sequence[int], cap: int, rounding: Rounding = "nearest") -> None:
        super().__init__(list(sides), max_size=cap, antialias=True)
        refuse_below_one({"short side": min(sides, default=0), "cap": cap})
        self.cap = cap
        self.rounding = rounding

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """Draws a side and computes the size of the image."""
        height, width = v2.query_size(flat_inputs)
        side = self.min_size[int(torch.randint(len(self.min_size), ()))]
        return {"size": self.size(height, width, side)}

    def size(self, height: int, width: int, side: int) -> tuple[int, int]:
        """Height and width of an image whose short side goes to `side`, or less by the cap; at least one pixel."""
        scale = min(side / min(height, width), self.cap / max(height, width))
        whole = round if self.rounding == "nearest" else int
        return max(1, whole(height * scale)), max(1, whole(width * scale))


def refuse_below_one(sizes: Mapping[str, int]) -> None:
    """Refuses sizes in pixels that are none.

    Raises:
        InputError: Names the first.
    """
    for name, size in sizes.items():
        if size < 1:
            raise InputError(f"the pipeline's {name} is {size}; it must be at least 1 pixel")


class PCALighting(nn.Module):
    """Adds noise along the principal components of colour (AlexNet, Section 4.1).

    Args:
        std: Standard deviation of the three factors, one draw per image.
        eigenvalues: Of the RGB covariance, pixels in 0..1.
        eigenvectors: Rows are R, G, B.
    """

    def __init__(
        self,
        std: float = 0.1,
        eigenvalues: Sequence[float] = _EIGENVALUES,
        eigenvectors: Sequence[Sequence[float]] = _EIGENVECTORS,
    ) -> None:
        super().__init__()
        self.std = std
        self.components = torch.tensor(eigenvectors) * torch.tensor(eigenvalues)

    def shift(self, factors: Tensor) -> Tensor:
        """Colour shift of three factors, [3] in 0..1."""
        return self.components @ factors

    def forward(self, image: Tensor, *others: Tensor) -> Any:
        """Draws the factors and shifts all pixels by one colour; what comes with the image stays as it is."""
        shift = self.shift(torch.randn(3) * self.std) * 255
        shifted = (image + shift[:, None, None]).round_().clamp_(0, 255).to(torch.uint8)
        return (shifted, *others) if others else shifted
