"""The slopes that rectifiers have learned (Delving Deep into Rectifiers, 1502.01852, Table 1)."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from matplotlib.figure import Figure
from torch import nn

from lit_vision.analyses.base import Analysis, Findings, Subject, only
from lit_vision.errors import InputError
from lit_vision.experiment import figures as vocabulary
from lit_vision.models.activation import Rectified
from lit_vision.models.backbones.chain import Chain
from lit_vision.models.classifier import Classifier


class Slopes(Analysis):
    """The learned slope of each layer's PReLU below zero, channel-wise ones averaged over the channels, as in Table 1.

    Figures are `slope/<layer>` by the paper's names: `conv1`, `conv2_1`, …, `fc1`, `fc2`. Of stages with several layers
    there is the layers' mean, too: `slope/conv2`, …, `slope/fc`. No image is looked at.
    """

    logs: ClassVar = vocabulary.LEARNED

    def look(self, subjects: Sequence[Subject]) -> Findings:
        """Arrays `slope`, `lowest` and `highest` of each layer's channels, in the order of execution, with `layers`.

        Raises:
            InputError: The network has no PReLU, or its layers have no names in the paper.
        """
        network = only(subjects, self).network()
        slopes = {name: layer.act.weight for name, layer in layers(network).items() if isinstance(layer.act, nn.PReLU)}
        if not slopes:
            raise InputError("analysis Slopes looks at PReLU, and this network has none; set model.network.activation")
        values = {name: slope.detach().cpu().double().numpy() for name, slope in slopes.items()}
        means = {name: float(each.mean()) for name, each in values.items()}
        arrays = {
            "slope": np.array(list(means.values())),
            "lowest": np.array([each.min() for each in values.values()]),
            "highest": np.array([each.max() for each in values.values()]),
            "layers": np.array(list(means)),
        }
        return Findings({f"slope/{name}": mean for name, mean in (means | _of_stages(means)).items()}, arrays)

    def draw(self, findings: Findings, title: str) -> Figure:
        """The mean of each layer, and the range of its channels."""
        arrays = findings.arrays
        places = range(1, len(arrays["slope"]) + 1)
        figure = Figure(figsize=(6.4, 3.6), layout="constrained")
        axes = figure.subplots()
        axes.fill_between(places, arrays["lowest"], arrays["highest"], alpha=0.2, label="range of the channels")
        axes.plot(places, arrays["slope"], marker=".", label="mean")
        axes.axhline(0, color="black", linewidth=0.5)
        axes.set_xticks(places, arrays["layers"], rotation=90)
        axes.set_ylabel("slope below zero")
        axes.grid(alpha=0.3)
        axes.legend()
        figure.suptitle(title)
        return figure


def layers(network: nn.Module) -> dict[str, Rectified]:
    """Rectified layers by the paper's names, in the order of execution.

    Raises:
        InputError: It is no classifier of layers in a row.
    """
    if not isinstance(network, Classifier) or not isinstance(network.backbone, Chain):
        raise InputError(
            "analysis Slopes names the layers of the rectifier and VGG networks (lit_vision.models.backbones.rectifier "
            f"and vgg), and this {type(network).__name__} has others"
        )
    found: dict[str, Rectified] = {}
    stages = [_rectified(stage) for stage in network.backbone.stages.values()]
    for number, stage in enumerate(stages, 1):
        numbered = [f"conv{number}_{place}" for place in range(1, len(stage) + 1)]
        found |= dict(zip(numbered if len(stage) > 1 else [f"conv{number}"], stage, strict=False))
    return found | {f"fc{number}": layer for number, layer in enumerate(_rectified(network.fc), 1)}


def _rectified(part: nn.Module) -> list[Rectified]:
    return [module for module in part.modules() if isinstance(module, Rectified)]


def _of_stages(means: Mapping[str, float]) -> dict[str, Any]:
    """Mean of the layers of each stage that has several."""
    stages: dict[str, list[float]] = {}
    for name, mean in means.items():
        stages.setdefault("fc" if name.startswith("fc") else name.partition("_")[0], []).append(mean)
    return {stage: float(np.mean(each)) for stage, each in stages.items() if len(each) > 1}
