"""Shapes of activations (rectifiers paper, 1502.01852, Figure 1). No network, no images."""

from collections.abc import Sequence
from typing import ClassVar

import torch
from matplotlib.figure import Figure
from torch import nn

from lit_vision.analyses.base import Analysis, Array, Findings, Subject
from lit_vision.errors import InputError
from lit_vision.experiment import figures as vocabulary

REACH, POINTS = 3.0, 301


class Shapes(Analysis):
    """Each activation from -3 to 3 by its own code, with its slope below and above zero.

    Args:
        activations: Modules that act on single numbers. Their class names are the names of the figures, so that no
            class may stand here twice.
    """

    logs: ClassVar = vocabulary.RECTIFIERS

    def __init__(self, activations: list[nn.Module]) -> None:
        self.activations = {type(module).__name__: module for module in activations}
        if not activations or len(self.activations) < len(activations):
            raise InputError("analysis.activations needs one activation or more, each of a class of its own")

    def look(self, subjects: Sequence[Subject]) -> Findings:
        """Arrays `y` with the values of each activation, and `f` over them; the subjects are not looked at."""
        found = {name: _curve(module) for name, module in self.activations.items()}
        figures: dict[str, float] = {}
        for name, module in self.activations.items():
            below, above = _slopes(module)
            figures |= {f"slope_below/{name}": below, f"slope_above/{name}": above}
        return Findings(figures, {f"f/{name}": curve for name, curve in found.items()} | {"y": _inputs().numpy()})

    def draw(self, findings: Findings, title: str) -> Figure:
        """One panel per activation, with axes through zero."""
        curves = findings.series("f")
        figure = Figure(figsize=(3.2 * len(curves), 3.2), layout="constrained")
        for axes, (name, values) in zip(figure.subplots(1, len(curves), squeeze=False)[0], curves.items(), strict=True):
            axes.plot(findings.arrays["y"], values, linewidth=2)
            axes.axhline(0, color="black", linewidth=0.6)
            axes.axvline(0, color="black", linewidth=0.6)
            axes.set_ylim(-1.5, REACH)
            axes.set_title(f"{name}, slope {findings.figures[f'slope_below/{name}']:g} below zero")
            axes.set_xlabel("y")
            axes.set_ylabel("f(y)")
        figure.suptitle(title)
        return figure


def _inputs() -> torch.Tensor:
    return torch.linspace(-REACH, REACH, POINTS)


@torch.no_grad()
def _curve(module: nn.Module) -> Array:
    values: Array = module(_inputs()[None, None])[0, 0].numpy()  # one image of one channel, as PReLU asks for channels
    return values


def _slopes(module: nn.Module) -> tuple[float, float]:
    """The derivatives at -1 and 1 (Eq. 1)."""
    y = torch.tensor([[[-1.0, 1.0]]], requires_grad=True)
    (slopes,) = torch.autograd.grad(module(y).sum(), y)
    return float(slopes[0, 0, 0]), float(slopes[0, 0, 1])
