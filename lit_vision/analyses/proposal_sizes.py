"""How large the proposals are that each kind of anchor makes (Faster R-CNN paper, 1506.01497, Table 1)."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from lit_vision.analyses import proposals
from lit_vision.analyses.base import Analysis, Array, Findings, Subject, only
from lit_vision.experiment import figures as vocabulary
from lit_vision.models.rpn import ProposalNetwork
from lit_vision.ops import selection
from lit_vision.ops.anchor import Anchors
from lit_vision.types import Batch


class ProposalSizes(Analysis):
    """Mean width and height of the test split's proposals, by the anchor that each was made from.

    The proposals are those of a test, after suppression, and their pixels those of the resized images. An anchor is
    named by its side and its ratio of width to height as papers print it: `proposal_width/128 2:1`. What no image has a
    proposal of has no figure.
    """

    logs: ClassVar = vocabulary.PROPOSAL_SIZES

    @torch.no_grad()
    def look(self, subjects: Sequence[Subject]) -> Findings:
        """Arrays `name` [A], `anchor` and `proposal` [A, 2], widths and heights in pixels, and `count` [A].

        Raises:
            InputError: The network makes no proposals.
        """
        subject = only(subjects, self)
        network: Any = subject.network()
        part = proposals.part_of(network, self)
        sums, levels = torch.zeros(0, 3, dtype=torch.float64), []
        for batch in subject.batches():
            features = network.extract(batch.images, batch.sizes)
            levels = sorted(features)
            kinds = len(levels) * part.anchors.per_location
            sizes, of_kind = _proposed(part, features, batch)
            rows = torch.cat([sizes, torch.ones(len(sizes), 1)], 1).double()
            sums = (sums if len(sums) else torch.zeros(kinds, 3).double()).index_add(0, of_kind, rows)
        return _findings(sums, part.anchors, levels)

    def draw(self, findings: Findings, title: str) -> Figure:
        """Each anchor dashed, its mean proposal solid, both around one centre; a panel for each anchor."""
        names = findings.arrays["name"].tolist()
        columns = min(3, len(names))
        figure = Figure(figsize=(2.4 * columns, 2.4 * -(-len(names) // columns)), layout="constrained")
        panels = np.atleast_1d(figure.subplots(-(-len(names) // columns), columns, sharex=True, sharey=True)).flat
        limit = 0.55 * float(np.nanmax([findings.arrays["anchor"], findings.arrays["proposal"]]))
        for axes, name, *sizes in zip(
            panels, names, findings.arrays["anchor"], findings.arrays["proposal"], strict=False
        ):
            for size, style in zip(sizes, ("--", "-"), strict=True):
                axes.add_patch(Rectangle(tuple(-size / 2), *size, fill=False, linestyle=style))
            axes.set(title=name, xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal")
        figure.suptitle(title)
        return figure


def _proposed(part: ProposalNetwork, features: dict[int, Tensor], batch: Batch[Any]) -> tuple[Tensor, Tensor]:
    """Width and height of a batch's proposals, [P, 2], and the kind of anchor behind each, int64 [P]; on the host."""
    limits = part.test_selection
    predictions = part.predict(features, batch.images.shape[-2:])
    anchors, levels = part.ranked(predictions, limits)
    # Kinds ride along as labels: what suppresses what is decided by level alone.
    kinds = levels * part.anchors.per_location + anchors % part.anchors.per_location
    candidates = part.candidates(predictions, batch.sizes, limits)
    kept = [
        selection.suppress(*one._replace(labels=kind), selection=limits)
        for one, kind in zip(candidates, kinds, strict=True)
    ]
    boxes = torch.cat([one.boxes for one in kept]).cpu()
    return boxes[:, 2:] - boxes[:, :2], torch.cat([one.labels for one in kept]).cpu()


def _findings(sums: Tensor, anchors: Anchors, levels: Sequence[int]) -> Findings:
    """Figures and arrays of sums [A, 3]: of widths, of heights, and the number of proposals."""
    cells = torch.cat([anchors.cell(level) for level in levels])
    names = [name for level in levels for name in anchors.names(level)]
    means = (sums[:, :2] / sums[:, 2:]).numpy()
    arrays: dict[str, Array] = {
        "name": np.array(names),
        "anchor": (cells[:, 2:] - cells[:, :2]).numpy(),
        "proposal": means,
        "count": sums[:, 2].long().numpy(),
    }
    figures = {
        f"proposal_{side}/{name}": float(value)
        for name, mean in zip(names, means, strict=True)
        for side, value in zip(("width", "height"), mean, strict=True)
    }
    return Findings(figures, arrays)
