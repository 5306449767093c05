"""Whether signals or gradients vanish in deep networks with BatchNorm (ResNet paper, 1512.03385, Section 4.1)."""

import copy
from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from torch import Tensor

from lit_vision.analyses import responses
from lit_vision.analyses.base import Analysis, Array, Findings, Subject, by_row
from lit_vision.analyses.responses import Recorder
from lit_vision.errors import InputError
from lit_vision.experiment import figures as vocabulary


class Signals(Analysis):
    """Variance of the response of each 3x3 layer, and norm of the loss's gradient for its weights.

    The network runs as in training, on statistics of the batch, for one batch of the test split. Both numbers are of
    the layer after its normalisation and before the nonlinearity, as in `Responses`. `gradient_slope` is the
    least-squares slope of log2 norm per layer, counted from the last layer to the first: negative where gradients
    vanish on their way back.

    Args:
        images: How many images at most; the first batch may have fewer.
    """

    logs: ClassVar = vocabulary.SIGNALS

    def __init__(self, images: int = 128) -> None:
        if images < 2:
            raise InputError(f"analysis.images is {images}; statistics of a batch need at least 2")
        self.images = images

    def look(self, subjects: Sequence[Subject]) -> Findings:
        """Arrays `variance` and `gradient` by layer in the order of execution.

        Raises:
            InputError: A network has no 3x3 layer.
        """
        found = {subject.name: self._measured(subject) for subject in subjects}
        return Findings(by_row({row: _figures(each) for row, each in found.items()}), by_row(found))

    def _measured(self, subject: Subject) -> dict[str, Array]:
        network = copy.deepcopy(subject.network()).train()  # what BatchNorm keeps of the batch goes with the copy
        batch = next(responses.first(subject.batches(), self.images))
        with Recorder(network) as recorder:
            scores: Tensor = network(batch.images, batch.sizes)
        if not recorder.sums:
            raise InputError(f"analysis Signals looks at 3x3 convolutions, and {type(network).__name__} has none")
        loss = F.cross_entropy(scores, batch.targets.to(scores.device))
        weights = [network.get_parameter(f"{name}.weight") for name in recorder.sums]
        gradients = torch.autograd.grad(loss, weights)
        return {
            "variance": np.array(list(recorder.deviations().values())) ** 2,
            "gradient": np.array([float(gradient.norm()) for gradient in gradients]),
        }

    def draw(self, findings: Findings, title: str) -> Figure:
        """Variance above; gradients below, by powers of ten."""
        figure = Figure(figsize=(6.4, 5.0), layout="constrained")
        panels = figure.subplots(2, 1, sharex=True)
        for axes, name, label in zip(
            panels, ("variance", "gradient"), ("variance of the response", "norm of the gradient"), strict=True
        ):
            for row, values in findings.series(name).items():
                axes.plot(range(1, len(values) + 1), values, marker=".", label=row)
            axes.set_ylabel(label)
            axes.grid(alpha=0.3)
        panels[0].set_ylim(bottom=0)
        panels[1].set_yscale("log")
        panels[1].set_xlabel("layer index")
        if len(findings.series("variance")) > 1:
            panels[0].legend()
        figure.suptitle(title)
        return figure


def _figures(measured: Mapping[str, Array]) -> dict[str, float]:
    gradient = measured["gradient"]
    # Counted along their way, as Equation 13 of the rectifiers paper multiplies.
    slope = np.polyfit(np.arange(len(gradient)), np.log2(gradient[::-1]), 1)[0] if (gradient > 0).all() else -np.inf
    return {
        "smallest_variance": float(measured["variance"].min()),
        "smallest_gradient": float(gradient.min()),
        "gradient_slope": float(slope),
    }
