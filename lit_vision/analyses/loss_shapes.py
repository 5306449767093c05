"""Shapes of classification losses (RetinaNet, 1708.02002, Figures 1, 5 and 6). No network, no images."""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from lit_vision.analyses.base import Analysis, Array, Findings, Subject
from lit_vision.errors import InputError
from lit_vision.experiment import figures as vocabulary
from lit_vision.models.losses import DenseLoss, FocalLoss

CROSS_ENTROPY = FocalLoss(gamma=0, alpha=None)
REACH, STEPS = 5.0, 200
COMPARED_AT = (50, 90)  # percent


class LossShapes(Analysis):
    """Losses of one right answer by their own code, over its probability or its logit, or their slopes by the logit.

    The figures `reduction50` and `reduction90` of each loss say how many times smaller it is, or its slope, than that
    of cross-entropy where the right answer has a probability of 50 and of 90 %.

    Args:
        losses: By label.
        over: What is on the plot's horizontal axis: the right answer's `probability`, or its `logit` x_t from -5 to 5.
        slope: Whether the derivative by the logit is drawn.

    Raises:
        InputError: There is no loss.
    """

    logs: ClassVar = vocabulary.REDUCTIONS

    def __init__(
        self,
        losses: Mapping[str, DenseLoss],
        over: Literal["probability", "logit"] = "probability",
        slope: bool = False,
    ) -> None:
        if not losses:
            raise InputError("analysis.losses needs one loss or more, by label")
        self.losses = dict(losses)
        self.over = over
        self.slope = slope

    def look(self, subjects: Sequence[Subject]) -> Findings:
        """Arrays `x`, and `loss` of each over it; the subjects are not looked at."""
        x, logits = self._axis()
        at = torch.tensor(COMPARED_AT, dtype=torch.float64) / 100
        plain = self._of(CROSS_ENTROPY, torch.logit(at))
        figures: dict[str, float] = {}
        for label, loss in self.losses.items():
            times = (plain / self._of(loss, torch.logit(at))).tolist()
            figures |= {f"reduction{percent}/{label}": value for percent, value in zip(COMPARED_AT, times, strict=True)}
        arrays: dict[str, Array] = {
            f"loss/{label}": self._of(loss, logits).numpy() for label, loss in self.losses.items()
        }
        return Findings(figures, {"x": x.numpy()} | arrays)

    def _axis(self) -> tuple[Tensor, Tensor]:
        """What is on the axis, and the logits."""
        if self.over == "logit":
            x = torch.linspace(-REACH, REACH, STEPS + 1, dtype=torch.float64)
            return x, x
        x = torch.linspace(0, 1, STEPS + 1, dtype=torch.float64)[1:]  # at 0 they are infinite
        return x, torch.logit(x)

    def _of(self, loss: DenseLoss, logits: Tensor) -> Tensor:
        """Its values, or slopes, for one class whose answer is yes."""
        x = logits[:, None].clone().requires_grad_()
        values = loss(x, torch.zeros(len(x), dtype=torch.int64))
        if not self.slope:
            return values.detach()
        (slopes,) = torch.autograd.grad(values.sum(), x)
        return slopes[:, 0]

    def draw(self, findings: Findings, title: str) -> Figure:
        """One line each; shaded where the right answer is the likelier one."""
        figure = Figure(figsize=(6.4, 4.4), layout="constrained")
        axes = figure.subplots()
        for label, values in findings.series("loss").items():
            axes.plot(findings.arrays["x"], values, linewidth=2, label=label)
        self._describe(axes)
        figure.suptitle(title)
        return figure

    def _describe(self, axes: Axes) -> None:
        left, middle, right = (0.0, 0.5, 1.0) if self.over == "probability" else (-REACH, 0.0, REACH)
        axes.axvspan(middle, right, color="green", alpha=0.08, label="well classified")
        axes.set_xlim(left, right)
        axes.set_xlabel(f"{self.over} of the right answer")
        axes.set_ylabel("derivative by the logit" if self.slope else "loss")
        axes.grid(alpha=0.3)
        axes.legend()
