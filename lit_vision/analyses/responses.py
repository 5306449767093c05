"""How strongly the layers of a network respond (ResNet paper, 1512.03385, Figure 7)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from lit_vision.analyses.base import Analysis, Array, Findings, Subject, by_row
from lit_vision.errors import InputError
from lit_vision.experiment import figures as vocabulary
from lit_vision.types import Batch


class Responses(Analysis):
    """Standard deviation of the output of each 3x3 layer, after its normalisation, before nonlinearity and addition.

    One number per layer, over all images, channels and positions, without unit. The paper does not say on which images
    it measures: here, on the first of the test split. A layer that no normalisation follows is taken as it is.

    Of several networks, `weaker/<row>` is the share of layers, in percent, that respond less than the same layer of the
    first network with as many layers: of a residual net, less than the plain net of its depth.

    Args:
        images: How many images at most.
    """

    logs: ClassVar = vocabulary.RESPONSES

    def __init__(self, images: int = 1000) -> None:
        if images < 1:
            raise InputError(f"analysis.images is {images}; it must be at least 1")
        self.images = images

    def look(self, subjects: Sequence[Subject]) -> Findings:
        """Arrays `std` in the order of execution with `layers`, their names, and `sorted`, descending.

        Raises:
            InputError: A network has no 3x3 layer.
        """
        found = {subject.name: self._deviations(subject) for subject in subjects}
        std = {row: np.array(list(layers.values())) for row, layers in found.items()}
        arrays = {
            row: {"std": std[row], "sorted": np.sort(std[row])[::-1], "layers": np.array(list(layers))}
            for row, layers in found.items()
        }
        figures = by_row({row: _figures(values) for row, values in std.items()}) | _weaker(std)
        return Findings(figures, by_row(arrays))

    @torch.no_grad()
    def _deviations(self, subject: Subject) -> dict[str, float]:
        network = subject.network()
        with Recorder(network) as recorder:
            for batch in first(subject.batches(), self.images):
                network(batch.images, batch.sizes)
        found = recorder.deviations()
        if not found:
            raise InputError(f"analysis Responses looks at 3x3 convolutions, and {type(network).__name__} has none")
        return found

    def draw(self, findings: Findings, title: str) -> Figure:
        """Original order above, descending order below, as in the paper; one curve per network."""
        figure = Figure(figsize=(6.4, 5.0), layout="constrained")
        panels = figure.subplots(2, 1, sharey=True)
        for axes, name, label in zip(
            panels, ("std", "sorted"), ("layer index (original)", "layer index (sorted by magnitude)"), strict=True
        ):
            for row, values in findings.series(name).items():
                axes.plot(range(1, len(values) + 1), values, marker=".", label=row)
            axes.set_xlabel(label)
            axes.set_ylabel("std")
            axes.set_ylim(bottom=0)
            axes.grid(alpha=0.3)
        if len(findings.series("std")) > 1:
            panels[0].legend()
        figure.suptitle(title)
        return figure


def _figures(std: Array) -> dict[str, float]:
    return {
        "median_std": float(np.median(std)),
        "mean_std": float(std.mean()),
        "largest_std": float(std.max()),
        "layers": float(len(std)),
    }


def _weaker(std: Mapping[str, Array]) -> dict[str, float]:
    """Share of layers below those of the first network with as many layers, by row, in percent."""
    found: dict[str, float] = {}
    firsts: dict[int, Array] = {}
    for row, values in std.items():
        other = firsts.setdefault(len(values), values)
        if other is not values:
            found[f"weaker/{row}"] = 100 * float((values < other).mean())
    return found


def first(batches: Iterable[Batch[Any]], images: int) -> Iterator[Batch[Any]]:
    """Batches of so many images and no more; the last one is cut."""
    left = images
    for batch in batches:
        yield batch if len(batch.images) <= left else Batch(*(part[:left] for part in batch))
        left -= len(batch.images)
        if left <= 0:
            return


class Recorder:
    """Sums up what 3x3 layers answer while a network is called; a context, which leaves no hook behind."""

    def __init__(self, network: nn.Module) -> None:
        self.network = network
        self.sums: dict[str, Tensor] = {}  # count, sum and sum of squares by layer, float64
        self._waiting: tuple[str, Tensor] | None = None  # a layer whose normalisation may come next

    def __enter__(self) -> "Recorder":
        self._hooks = [self.network.register_forward_hook(lambda *_: self._settle())]
        for name, module in self.network.named_modules():
            if isinstance(module, nn.Conv2d) and tuple(module.kernel_size) == (3, 3):
                self._hooks.append(module.register_forward_hook(self._answered(name)))
            elif not list(module.children()) and not isinstance(module, nn.Conv2d):
                self._hooks.append(module.register_forward_pre_hook(self._next))
                self._hooks.append(module.register_forward_hook(self._normalised))
        return self

    def __exit__(self, *_: Any) -> None:
        for hook in self._hooks:
            hook.remove()

    def deviations(self) -> dict[str, float]:
        """Standard deviation by layer, in the order of execution."""
        found = {}
        for name, (count, total, squares) in ((name, each.tolist()) for name, each in self.sums.items()):
            found[name] = max(0.0, squares / count - (total / count) ** 2) ** 0.5
        return found

    def _answered(self, name: str) -> Any:
        def hook(module: nn.Module, inputs: Any, output: Tensor) -> None:
            self._settle()
            self._waiting = (name, output)

        return hook

    def _next(self, module: nn.Module, inputs: tuple[Any, ...]) -> None:
        """What comes next is no normalisation of the waiting layer: its own answer counts, before it is changed."""
        if self._waiting and not (is_norm(module) and inputs and inputs[0] is self._waiting[1]):
            self._settle()

    def _normalised(self, module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        if self._waiting and is_norm(module) and inputs and inputs[0] is self._waiting[1]:
            self._waiting = (self._waiting[0], output)
            self._settle()

    def _settle(self) -> None:
        """Adds the waiting layer's answer to its sums."""
        if self._waiting is None:
            return
        name, output = self._waiting
        self._waiting = None
        values = output.detach().double()
        count = torch.tensor(values.numel(), dtype=torch.float64, device=values.device)
        sums = torch.stack([count, values.sum(), values.square().sum()])
        self.sums[name] = self.sums[name] + sums if name in self.sums else sums


def is_norm(module: nn.Module) -> bool:
    """Whether a layer normalises: batch, group and frozen ones."""
    return hasattr(module, "eps") and hasattr(module, "weight")
