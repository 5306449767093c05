"""How many anchors an image has (Feature Pyramid Networks, 1612.03144, Tables 1a to 1f). No weights, no images."""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import torch
from matplotlib.figure import Figure

from lit_vision.analyses.base import Analysis, Findings, Subject, only
from lit_vision.errors import InputError
from lit_vision.experiment import figures as vocabulary
from lit_vision.models.faster_rcnn import FasterRCNN
from lit_vision.models.rpn import RPN


class AnchorCount(Analysis):
    """Anchors of one image, in thousands, those beyond its border too; counted on shapes alone.

    Args:
        height: Of the image, in pixels; the paper's counts are those of 800 x 1000.
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
        """Arrays `level` and `anchors`, the count of each level.

        Raises:
            InputError: The network has no region proposals.
        """
        network, _ = only(subjects, self).skeleton()
        if not isinstance(network, RPN | FasterRCNN):
            raise InputError(f"analysis AnchorCount looks at proposals, and {type(network).__name__} makes none")
        features = network.eval().pyramid(torch.empty((1, 3, *self.size), device="meta"))
        anchors = network.proposals.anchors
        cells = {level: feature.shape[-2] * feature.shape[-1] for level, feature in sorted(features.items())}
        counts = np.array(list(cells.values())) * anchors.per_location
        return Findings({"anchors": counts.sum() / 1e3}, {"level": np.array(list(cells)), "anchors": counts})

    def draw(self, findings: Findings, title: str) -> Figure:
        """Anchors of each level as bars, on a logarithmic axis."""
        figure = Figure(figsize=(4.8, 3.2), layout="constrained")
        axes = figure.subplots()
        axes.bar([f"level {level}" for level in findings.arrays["level"]], findings.arrays["anchors"])
        axes.set_yscale("log")
        axes.set_ylabel("anchors")
        figure.suptitle(f"{title}\n{findings.figures['anchors']:.0f} thousand anchors")
        return figure
