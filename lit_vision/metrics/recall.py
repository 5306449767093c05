"""Recall of class-agnostic proposals, averaged over overlaps as COCO's AR, and as a curve over the overlap."""

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from lit_vision.errors import InputError
from lit_vision.experiment import figures
from lit_vision.metrics import backends, cocoeval
from lit_vision.metrics.detections import DetectionMetric, Evidence, Floats, Integers

# 0.5 to 0.95, which the average runs over, and 1 for the end of the curve.
IOUS = np.array([*backends.IOUS, 1.0])
# Recall adds up over images, so 2000 proposals for each of 5000 images never are in memory as objects at once.
IMAGES = 64


class ProposalRecall(DetectionMetric):
    """Average recall in percent over IoU 0.5 to 0.95: `proposal_ar100`, and by size `proposal_ar_s100`, `_m`, `_l`.

    As COCO's AR with `useCats=0` (FPN, Table 1; Hosang et al., arXiv 1502.05082): labels are not looked at, and
    proposals take objects one by one in descending score. Crowd and difficult objects are not counted, and a proposal
    prefers a counted one, so they change nothing. Sizes go by the data set's own area. NaN without objects.

    Args:
        max_proposals: Best proposals of an image that count, ascending; a name for each.
        backend: `fast` computes with faster-coco-eval's compiled core, `official` with pycocotools, which takes
            minutes for a thousand proposals of a thousand images.
        kwargs: Options of `torchmetrics.Metric`.

    Raises:
        InputError: `max_proposals` do not ascend, or an unknown backend.
    """

    logs: ClassVar = figures.PROPOSALS
    remembered = ("_recall",)

    def __init__(
        self,
        max_proposals: Sequence[int] = (100, 300, 1000, 2000),
        backend: backends.Backend = "fast",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        backends.check_backend(backend)
        self.backend = backend
        self.protocol = backends.Protocol(IOUS, cocoeval.ascending("max_proposals", max_proposals))
        self._recall: Floats = np.zeros(0)

    def compute(self) -> dict[str, Tensor]:
        """AR in percent for each number of proposals and size, float64 [] each."""
        self._recall = 100 * recall(self.evidence(), self.protocol, self.backend)
        average = self._recall[: len(backends.IOUS)].mean(0)
        return {
            f"proposal_ar{size}{count}": torch.tensor(average[area, index], dtype=torch.float64)
            for index, count in enumerate(self.protocol.max_detections)
            for area, size in enumerate(["", "_s", "_m", "_l"])
        }

    def curve(self) -> dict[str, Tensor]:
        """Recall in percent over the overlap of all sizes: `iou` [T] and, for each count, `proposal_recall100` [T].

        Raises:
            InputError: `compute` was not called since the last `reset`.
        """
        if not len(self._recall):
            raise InputError("ProposalRecall.curve() tells the last result: call compute() before it")
        lines = zip(self.protocol.max_detections, self._recall[:, 0].T, strict=True)
        recalls = {f"proposal_recall{count}": torch.tensor(line) for count, line in lines}
        return {"iou": torch.from_numpy(IOUS)} | recalls

    def reset(self) -> None:
        """Forgets all images."""
        super().reset()
        self._recall = np.zeros(0)


def recall(evidence: Evidence, protocol: backends.Protocol, backend: backends.Backend) -> Floats:
    """Share of the objects found, [T, A, M], 0 to 1; NaN where there is none.

    Args:
        evidence: All images.
        protocol: Thresholds and counts.
        backend: See `ProposalRecall`.
    """
    shape = (len(protocol.ious), len(backends.AREAS), len(protocol.max_detections))
    found, objects = np.zeros(shape), np.zeros((len(backends.AREAS), 1))
    for part in _parts(evidence, protocol.max_detections[-1]):
        here = count(part)[:, None]
        _, share = backends.BACKENDS[backend](part, protocol)
        found += np.rint(np.maximum(share, 0) * here)  # a count divided by `here`: back to the count
        objects += here
    return np.where(objects > 0, found / np.maximum(objects, 1), np.nan)


def _parts(evidence: Evidence, most: int) -> Iterator[backends.Part]:
    """Some images with objects at a time."""
    counted = np.flatnonzero(~evidence.truth_difficult)
    edges: Integers = np.arange(0, len(evidence.image_ids) + IMAGES, IMAGES)
    found = np.searchsorted(evidence.found_images, edges)
    truth = np.searchsorted(evidence.truth_images[counted], edges)
    for run in range(len(edges) - 1):
        objects = counted[truth[run] : truth[run + 1]]
        if len(objects):
            yield cocoeval.select(evidence, np.arange(found[run], found[run + 1]), objects, most)


def count(part: backends.Part) -> Floats:
    """Objects to find of each size, [A]."""
    area = part.truth_area[~part.truth_crowd]
    return np.array([((low <= area) & (area <= high)).sum() for low, high in backends.AREAS.values()], dtype=np.float64)
