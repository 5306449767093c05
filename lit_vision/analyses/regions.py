"""Which squares the masks of mask proposals cover (Feature Pyramid Networks, 1612.03144, Figure 4). No images."""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from matplotlib.figure import Figure

from lit_vision.analyses.base import Analysis, Findings, Subject, only
from lit_vision.errors import InputError
from lit_vision.experiment import figures as vocabulary
from lit_vision.models.mask_proposals import MaskProposals


class Regions(Analysis):
    """Side of the square of each window and level, in pixels, and of the objects that it is for."""

    logs: ClassVar = vocabulary.REGIONS

    def look(self, subjects: Sequence[Subject]) -> Findings:
        """Arrays `level`, and of each window `canonical` and `region`, sides by level.

        Raises:
            InputError: The network proposes no masks.
        """
        network, _ = only(subjects, self).skeleton()
        if not isinstance(network, MaskProposals):
            raise InputError(f"analysis Regions looks at mask proposals, and {type(network).__name__} makes none")
        levels, windows = sorted(network.pyramid.channels), network.windows
        figures: dict[str, float] = {}
        arrays = {"level": np.array(levels)}
        for cells in windows.cells:
            name = f"{cells}x{cells}"
            arrays[f"canonical/{name}"] = np.array([windows.canonical(cells, level) for level in levels])
            arrays[f"region/{name}"] = np.array([windows.region(cells, level) for level in levels])
            sides = zip(levels, arrays[f"region/{name}"].tolist(), strict=True)
            figures |= {f"region_p{level}/{name}": side for level, side in sides}
        return Findings(figures, arrays)

    def draw(self, findings: Findings, title: str) -> Figure:
        """Squares as marks over the levels, and below each the objects that it is for."""
        figure = Figure(figsize=(4.8, 3.6), layout="constrained")
        axes = figure.subplots()
        names = [f"P{level}" for level in findings.arrays["level"]]
        canonical = findings.series("canonical")
        for window, sides in findings.series("region").items():
            (line,) = axes.plot(names, sides, "s-", label=f"{window}: square of the mask")
            axes.plot(names, canonical[window], "o:", color=line.get_color(), label=f"{window}: objects")
        axes.set_yscale("log", base=2)
        axes.set_ylabel("side in pixels")
        axes.legend(fontsize="small")
        figure.suptitle(title)
        return figure
