"""Transforms that torchvision lacks; all take and give uint8 [3, H, W]."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torchvision.transforms.v2 import functional as transforms

# Principal components of ImageNet's RGB values in 0..1, as a public implementation uses them; the paper names the
# method only (fact sheet of the ResNet paper, Section 2.1).
_EIGENVALUES = (0.2175, 0.0188, 0.0045)
_EIGENVECTORS = ((-0.5675, 0.7192, 0.4009), (-0.5808, -0.0045, -0.8140), (-0.5836, -0.6948, 0.4203))


class RandomShortSide(nn.Module):
    """Resizes so that the short side is drawn uniformly from low..high (ResNet paper, Section 3.4).

    Args:
        low: Smallest short side.
        high: Largest short side.
    """

    def __init__(self, low: int = 256, high: int = 480) -> None:
        super().__init__()
        self.low, self.high = low, high

    def forward(self, image: Tensor) -> Tensor:
        """Draws a size and resizes."""
        side = int(torch.randint(self.low, self.high + 1, ()))
        resized: Tensor = transforms.resize(image, [side], antialias=True)
        return resized


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

    def forward(self, image: Tensor) -> Tensor:
        """Draws the factors and shifts all pixels by one colour."""
        shift = self.shift(torch.randn(3) * self.std) * 255
        return (image + shift[:, None, None]).round_().clamp_(0, 255).to(torch.uint8)
