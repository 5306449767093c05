"""How many anchors an image has (FPN paper, Table 1; Faster R-CNN paper, Section 3.3). No weights, no images."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from matplotlib.figure import Figure

from lit_vision.analyses import proposals
from lit_vision.analyses.base import Analysis, Findings, Subject, only
from lit_vision.errors import InputError
from lit_vision.experiment import figures as vocabulary
from lit_vision.ops import box


class AnchorCount(Analysis):
    """Anchors of one image in thousands, all of them and those that lie in it; counted on shapes alone.

    Args:
        height: Of the image, in pixels; FPN's counts are those of 800 x 1000, Faster R-CNN's of 600 x 1000.
        width: Of the image, in pixels.

    Raises:
        InputError: The image has no pixel.
    """

    logs: ClassVar = vocabulary.ANCHORS

    def __init__(self, height: int = 800, width: int = 1000) -> None:
        if min(height, width) < 1:
            raise InputError(f"analysis: the image of AnchorCount is {height} x {width}; give at least one pixel")
        self.size = height, width

    @torch.no_grad()
    def look(self, subjects: Sequence[Subject]) -> Findings:
        """Arrays `level`, `anchors` and `anchors_inside`, the counts of each level.

        Raises:
            InputError: The network has no region proposals.
        """
        network: Any = only(subjects, self).skeleton()[0]
        part = proposals.part_of(network, self)
        features = network.eval().pyramid(torch.empty((1, 3, *self.size), device="meta"))
        # Maps without channels: places are all that anchors are made from.
        places = {level: torch.empty(1, 0, *feature.shape[-2:]) for level, feature in features.items()}
        anchors, counts = part.anchors(places, self.size)
        inside = torch.split(box.inside(anchors, torch.tensor(self.size)), list(counts))
        found = {"anchors": np.array(counts), "anchors_inside": np.array([int(each.sum()) for each in inside])}
        figures = {name: count.sum() / 1e3 for name, count in found.items()}
        return Findings(figures, {"level": np.array(sorted(places))} | found)

    def draw(self, findings: Findings, title: str) -> Figure:
        """Anchors of each level as bars, on a logarithmic axis."""
        figure = Figure(figsize=(4.8, 3.2), layout="constrained")
        axes = figure.subplots()
        levels = [f"level {level}" for level in findings.arrays["level"]]
        axes.bar(levels, findings.arrays["anchors"], alpha=0.4, label="all")
        axes.bar(levels, findings.arrays["anchors_inside"], label="inside the image")
        axes.set_yscale("log")
        axes.set_ylabel("anchors")
        axes.legend()
        figure.suptitle(f"{title}\n{findings.figures['anchors']:.0f} thousand anchors")
        return figure
