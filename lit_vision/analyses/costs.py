"""What networks cost (ResNet paper, Table 1, Figures 3 and 5; rectifiers paper, Table 3). No weights, no images."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lit_vision.analyses.base import Analysis, Array, Findings, Subject, only
from lit_vision.errors import InputError
from lit_vision.experiment import figures as vocabulary
from lit_vision.models import counts

_UNITS = {"multiply_adds": "e9", "parameters": "e6"}


class Costs(Analysis):
    """Multiply-adds for one image, in 1e9, and parameters, in millions; counted on shapes alone.

    Convolutions and fully connected layers count, as in the papers' tables; normalisation, activations and additions
    do not. Parameters are all weights and biases, those of normalisation too; where images have no fixed size, as a
    detector's, they alone are counted.

    Args:
        part: Dotted name of a module, to count it alone (`backbone.stages.2.1`); the whole network if empty.
    """

    logs: ClassVar = vocabulary.COSTS

    def __init__(self, part: str = "") -> None:
        self.part = part

    def look(self, subjects: Sequence[Subject]) -> Findings:
        """Arrays `multiply_adds`, or `parameters`, by layer in the order of execution, with `layers`, their names.

        Raises:
            InputError: There is no such part.
        """
        network, size = only(subjects, self).skeleton()
        try:
            part = network.get_submodule(self.part)
        except AttributeError:
            raise InputError(f"analysis.part: {type(network).__name__} has no module {self.part!r}") from None
        figures = {"parameters": counts.parameters(part) / 1e6}
        if size is None:
            return Findings(figures, _by_layer("parameters", counts.parameters_by_layer(part)))
        layers = {
            name: count for name, count in counts.by_layer(network, size).items() if f"{name}.".startswith(self._prefix)
        }
        figures["multiply_adds"] = sum(layers.values()) / 1e9
        return Findings(figures, _by_layer("multiply_adds", layers))

    @property
    def _prefix(self) -> str:
        return f"{self.part}." if self.part else ""

    def draw(self, findings: Findings, title: str) -> Figure:
        """Multiply-adds of each layer as bars, or its parameters."""
        name = "multiply_adds" if "multiply_adds" in findings.figures else "parameters"
        values = findings.arrays[name] / 1e6
        figure = Figure(figsize=(6.4, 3.6), layout="constrained")
        axes = figure.subplots()
        axes.bar(range(1, len(values) + 1), values)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel("layer, in the order of execution")
        axes.set_ylabel(f"million {name.replace('_', '-')}")
        axes.grid(axis="y", alpha=0.3)
        told = [f"{value:.3g}{_UNITS[each]} {each.replace('_', '-')}" for each, value in findings.figures.items()]
        figure.suptitle(f"{title}\n{', '.join(told)}")
        return figure


def _by_layer(name: str, layers: Mapping[str, int]) -> dict[str, Array]:
    """The arrays of counts by layer."""
    return {name: np.array(list(layers.values())), "layers": np.array(list(layers))}
