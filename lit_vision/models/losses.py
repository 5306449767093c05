"""Classification losses of dense detectors, as objects that a recipe can name."""

from abc import ABC, abstractmethod

from torch import Tensor

from lit_vision.errors import InputError
from lit_vision.ops import losses


class DenseLoss(ABC):
    """A loss for each anchor; the detector leaves out the ignored ones and divides by the number of objects."""

    @abstractmethod
    def __call__(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Loss of each anchor, at least float32.

        Args:
            logits: [..., K].
            labels: int64 [...], 0..K-1, negative for background and for anchors that will be left out.

        Returns:
            [...].
        """


class FocalLoss(DenseLoss):
    """Focal loss (RetinaNet, Eq. 5); `gamma: 0` is the alpha-balanced cross-entropy of Table 1a.

    Args:
        gamma: How strongly well-classified examples are faded out.
        alpha: Weight of the positives, the negatives' is 1 - alpha; None for 1 and 1.

    Raises:
        InputError: `gamma` is negative or `alpha` lies outside 0..1.
    """

    def __init__(self, gamma: float = 2.0, alpha: float | None = 0.25) -> None:
        if gamma < 0 or not (alpha is None or 0 <= alpha <= 1):
            raise InputError(f"loss: needs gamma >= 0 and alpha in 0..1 or null, got gamma {gamma} and alpha {alpha}")
        self.gamma = gamma
        self.alpha = alpha

    def __call__(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Focal loss summed over the K binary classifiers."""
        return losses.focal(logits, labels, self.gamma, self.alpha)

    def __repr__(self) -> str:
        return f"FocalLoss(gamma={self.gamma}, alpha={self.alpha})"
