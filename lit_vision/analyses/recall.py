"""How many objects proposals find, over the overlap that is asked for (Faster R-CNN paper, 1506.01497, Figure 4)."""

import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from lit_vision.analyses import base, proposals
from lit_vision.analyses.base import Analysis, Findings, Subject
from lit_vision.data.formats import public_proposals, voc_file
from lit_vision.data.formats.proposals import Proposals
from lit_vision.errors import InputError
from lit_vision.experiment import figures as vocabulary
from lit_vision.metrics.recall import ProposalRecall
from lit_vision.ops import pixels
from lit_vision.types import Batch, Detections, Target

OURS = "network"


class Recall(Analysis):
    """Recall of the test split's objects over IoU 0.5 to 1, for some numbers of proposals, ours and those of files.

    Labels are not looked at. Of the network's proposals the best are taken, as many as are asked for, whatever limit it
    was tested with. Files are in any layout of `data/formats/public_proposals.py`; their images are found by number, or
    by name as VOC and COCO name them. Figures of a file have its label behind them: `proposal_ar300/SS`.

    Args:
        proposals: Best proposals of an image that count, ascending; a panel of the plot for each.
        files: Files by label, such as `{SS: selective_search.mat}`.
        ours: Whether the network's own proposals are looked at; false for one that needs given regions.

    Raises:
        InputError: Nothing to look at, a label that is taken or cannot stand in a figure's name, a file that does not
            read, or `proposals` that do not ascend.
    """

    logs: ClassVar = vocabulary.RECALL

    def __init__(
        self, proposals: Sequence[int] = (300, 1000, 2000), files: Mapping[str, str] | None = None, ours: bool = True
    ) -> None:
        self.counts = ProposalRecall(proposals).protocol.max_detections
        self.ours = ours
        for label in files or {}:
            if label == OURS or not re.fullmatch(r"[\w .+-]+", label):
                raise InputError(f"analysis.files: {label!r} is no label; use letters and digits, and not {OURS!r}")
        self.files = {label: public_proposals.read(Path(file)) for label, file in (files or {}).items()}
        if not (self.files or ours):
            raise InputError("analysis Recall has nothing to look at: name analysis.files, or set analysis.ours")

    @torch.no_grad()
    def look(self, subjects: Sequence[Subject]) -> Findings:
        """Arrays `iou` [T] and, for each source and count, `<source> <count>` [T] in percent.

        Raises:
            InputError: The network proposes no regions, or a file has none for an image.
        """
        subject = base.only(subjects, self)
        network = subject.network()
        sources = ([OURS] if self.ours else []) + list(self.files)
        recalls = {source: ProposalRecall(self.counts) for source in sources}
        given = {label: _by_number(found) for label, found in self.files.items()}
        with self._keeping(network) if self.ours else nullcontext():
            for batch in subject.batches():
                targets = [Target(*(value.cpu() for value in target)) for target in batch.targets]
                if self.ours:
                    recalls[OURS].update(_proposed(network, batch, targets), targets)
                for label, boxes in given.items():
                    recalls[label].update([_of(boxes, target, self.files[label]) for target in targets], targets)
        return self._findings(recalls)

    def _keeping(self, network: nn.Module) -> AbstractContextManager[None]:
        """The network with as many proposals as are looked at."""
        part = proposals.part_of(network, self, "; set analysis.ours to false")
        return proposals.keeping(part, self.counts[-1])

    def _findings(self, recalls: Mapping[str, ProposalRecall]) -> Findings:
        figures: dict[str, float] = {}
        arrays = {}
        for source, metric in recalls.items():
            average, curve = metric.compute(), metric.curve()
            arrays["iou"] = curve.pop("iou").numpy()
            end = "" if source == OURS else f"/{source}"
            for count in self.counts:
                line = curve[f"proposal_recall{count}"].numpy()
                arrays[f"{source} {count}"] = line
                figures[f"proposal_ar{count}{end}"] = float(average[f"proposal_ar{count}"])
                figures[f"proposal_recall50_{count}{end}"] = float(line[0])
        return Findings(figures, arrays)

    def draw(self, findings: Findings, title: str) -> Figure:
        """A panel for each number of proposals, a line for each source, as in the paper."""
        figure = Figure(figsize=(4.0 * len(self.counts), 3.6), layout="constrained")
        panels = np.atleast_1d(figure.subplots(1, len(self.counts), sharey=True))
        for axes, count in zip(panels, self.counts, strict=True):
            for name, line in findings.arrays.items():
                if name.endswith(f" {count}"):
                    axes.plot(findings.arrays["iou"], line, marker=".", label=name.rpartition(" ")[0])
            axes.set_title(f"{count} proposals")
            axes.set_xlabel("IoU")
            axes.set_ylim(-2, 102)
            axes.grid(alpha=0.3)
        panels[0].set_ylabel("recall, %")
        panels[0].legend()
        figure.suptitle(title)
        return figure


def _proposed(network: Any, batch: Batch[Any], targets: Sequence[Target]) -> list[Detections]:
    """The network's proposals of a batch in original pixels, the best first."""
    features = network.extract(batch.images, batch.sizes)
    image_size = batch.images.shape[-2:]
    if hasattr(network, "propose"):
        regions = network.propose(features, image_size, batch.sizes)
    else:
        found = network.select(network.candidates(features, image_size, batch.sizes))
        regions = [one.boxes for one in found]
    ranked = [_ranked(boxes.float().cpu()) for boxes in regions]
    return [
        pixels.to_original(one, size, target.original_size)
        for one, size, target in zip(ranked, batch.sizes.cpu(), targets, strict=True)
    ]


def _ranked(boxes: Tensor) -> Detections:
    """Boxes [P, 4] in order, with scores that say no more than the order."""
    return Detections(boxes, -torch.arange(len(boxes)).float(), torch.zeros(len(boxes), dtype=torch.int64))


def _by_number(found: Proposals) -> dict[int, Tensor]:
    """The boxes of each image by its number, for files that name images too."""
    plain = [re.sub(r"^COCO_[a-z0-9]+_", "", re.sub(r"\.\w+$", "", name)) for name in found.names]
    numbers = map(int, found.names) if found.by_id else voc_file.numbers(plain)
    return {number: found.of(name) for number, name in zip(numbers, found.names, strict=True)}


def _of(boxes: Mapping[int, Tensor], target: Target, found: Proposals) -> Detections:
    number = int(target.image_id)
    if number not in boxes:
        raise InputError(
            f"{found.source}: image {number} of the test split has no proposals; is it another split's file?"
        )
    return _ranked(boxes[number])
