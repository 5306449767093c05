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
        if gamma < 0 or not _is_weight(alpha):
            raise InputError(f"loss: needs gamma >= 0 and alpha in 0..1 or null, got gamma {gamma} and alpha {alpha}")
        self.gamma = gamma
        self.alpha = alpha

    def __call__(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Focal loss summed over the K binary classifiers."""
        return losses.focal(logits, labels, self.gamma, self.alpha)

    def __repr__(self) -> str:
        return f"FocalLoss(gamma={self.gamma}, alpha={self.alpha})"


class FocalStarLoss(DenseLoss):
    """FL*, the focal loss's twin in RetinaNet's appendix: cross-entropy of `gamma x + beta`, divided by gamma.

    Args:
        gamma: How steep it is.
        beta: How far it is shifted.
        alpha: As for `FocalLoss`.

    Raises:
        InputError: `gamma` is not positive or `alpha` lies outside 0..1.
    """

    def __init__(self, gamma: float, beta: float, alpha: float | None = 0.25) -> None:
        if gamma <= 0 or not _is_weight(alpha):
            raise InputError(f"loss: needs gamma > 0 and alpha in 0..1 or null, got gamma {gamma} and alpha {alpha}")
        self.gamma = gamma
        self.beta = beta
        self.alpha = alpha

    def __call__(self, logits: Tensor, labels: Tensor) -> Tensor:
        """FL* summed over the K binary classifiers."""
        return losses.focal_star(logits, labels, self.gamma, self.beta, self.alpha)

    def __repr__(self) -> str:
        return f"FocalStarLoss(gamma={self.gamma}, beta={self.beta}, alpha={self.alpha})"


class HingeLoss(DenseLoss):
    """Hinge loss on the right answer's probability, which RetinaNet's authors tried and found unstable.

    Args:
        above: Probability from which the loss is zero.

    Raises:
        InputError: `above` is no probability.
    """

    def __init__(self, above: float) -> None:
        if not 0 < above <= 1:
            raise InputError(f"loss: needs a probability above 0 from which it is zero, got above {above}")
        self.above = above

    def __call__(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Hinge loss summed over the K binary classifiers."""
        return losses.hinge(logits, labels, self.above)

    def __repr__(self) -> str:
        return f"HingeLoss(above={self.above})"


def _is_weight(alpha: float | None) -> bool:
    return alpha is None or 0 <= alpha <= 1
