"""Classification error in percent, as the papers print it."""

from typing import Any, ClassVar

from torch import Tensor
from torchmetrics.classification import MulticlassAccuracy

from lit_vision.experiment import figures


class ErrorRate(MulticlassAccuracy):
    """Top-k error in percent over all samples, `error` or with several guesses `error5`.

    Args:
        num_classes: Number of classes, K; None is filled in by the task.
        top_k: A sample counts as right when its class is among the `top_k` best scores.
    """

    logs: ClassVar = figures.ERRORS

    higher_is_better = False
    plot_upper_bound = 100.0

    def __init__(self, num_classes: int | None = None, top_k: int = 1, **kwargs: Any) -> None:
        super().__init__(num_classes, top_k=top_k, average="micro", validate_args=False, **kwargs)

    @property
    def name(self) -> str:
        """The figure's name without its phase."""
        return "error" if self.top_k == 1 else f"error{self.top_k}"

    def compute(self) -> Tensor:
        """Percent of the samples seen so far whose class was missed."""
        accuracy: Tensor = super().compute()
        return 100 * (1 - accuracy)
