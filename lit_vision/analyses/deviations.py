"""Why a constant standard deviation stalls deep networks (rectifiers paper, 1502.01852, Section 2.2). No network."""

import math
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from matplotlib.figure import Figure

from lit_vision.analyses.base import Analysis, Findings, Subject
from lit_vision.errors import InputError
from lit_vision.experiment import figures as vocabulary
from lit_vision.ops import init


class Deviations(Analysis):
    """The standard deviations that keep a gradient's variance (Eq. 14), beside a constant one.

    `std/<filters>` is sqrt(2 / n) of a layer with so many filters, n its fan-out. `attenuation` is how many times
    smaller the gradient that reaches the second layer is with the constant one: the product, over all layers but the
    first, of their deviations by the constant.

    Args:
        filters: Of each layer, first to last.
        kernel: Height and width of the filters.
        constant: The same deviation in all layers.
    """

    logs: ClassVar = vocabulary.DEVIATIONS

    def __init__(self, filters: list[int], kernel: int = 3, constant: float = 0.01) -> None:
        if len(filters) < 2 or min(filters) < 1 or kernel < 1 or constant <= 0:
            raise InputError("analysis Deviations needs two layers or more, and positive numbers")
        self.filters = filters
        self.kernel = kernel
        self.constant = constant

    def look(self, subjects: Sequence[Subject]) -> Findings:
        """Arrays `filters` and `std` by layer; the subjects are not looked at."""
        std = [init.he_deviation(self.kernel**2 * count) for count in self.filters]
        figures = {f"std/{count}": value for count, value in zip(self.filters, std, strict=True)}
        figures["attenuation"] = math.prod(value / self.constant for value in std[1:])
        return Findings(figures, {"filters": np.array(self.filters), "std": np.array(std)})

    def draw(self, findings: Findings, title: str) -> Figure:
        """Deviations above, and how far the gradient has shrunk on its way back below."""
        std = findings.arrays["std"]
        layers = range(1, len(std) + 1)
        shrunk = np.cumprod((self.constant / std[1:])[::-1])[::-1]
        figure = Figure(figsize=(6.4, 5.0), layout="constrained")
        above, below = figure.subplots(2, 1, sharex=True)
        above.plot(layers, std, marker="o", label="sqrt(2 / n), n of the fan-out")
        above.axhline(self.constant, color="C1", label=f"{self.constant:g} in all layers")
        above.set_ylabel("standard deviation")
        above.set_ylim(bottom=0)
        above.legend()
        below.semilogy(layers[1:], shrunk, marker="o", color="C1")
        below.set_ylabel("gradient by that of sqrt(2 / n)")
        below.set_xlabel("layer")
        for axes in (above, below):
            axes.grid(alpha=0.3)
        figure.suptitle(title)
        return figure
