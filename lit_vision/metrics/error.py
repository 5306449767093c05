"""Classification error in percent, as the papers print it."""

from typing import Any

from torch import Tensor
from torchmetrics.classification import MulticlassAccuracy


class ErrorRate(MulticlassAccuracy):
    """Top-k error in percent over all samples.

    Args:
        num_classes: Number of classes, K.
        top_k: A sample counts as right when its class is among the `top_k` best scores.
    """

    higher_is_better = False
    plot_upper_bound = 100.0

    def __init__(self, num_classes: int, top_k: int = 1, **kwargs: Any) -> None:
        super().__init__(num_classes, top_k=top_k, average="micro", validate_args=False, **kwargs)

    def compute(self) -> Tensor:
        """Percent of the samples seen so far whose class was missed."""
        accuracy: Tensor = super().compute()
        return 100 * (1 - accuracy)
