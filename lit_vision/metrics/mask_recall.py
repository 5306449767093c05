"""Recall of class-agnostic mask proposals, averaged over overlaps of masks as COCO's AR."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from pycocotools import mask as coco
from torch import Tensor

from lit_vision.errors import InputError
from lit_vision.experiment import figures
from lit_vision.metrics import backends, cocoeval, detections, recall
from lit_vision.metrics.detections import DetectionMetric, Integers
from lit_vision.ops import mask
from lit_vision.types import Detections, Target

SIZES = ("", "_s", "_m", "_l")


class MaskRecall(DetectionMetric):
    """Average recall in percent over IoU 0.5 to 0.95 of masks: `mask_ar100`, and by size `mask_ar_s100`, `_m`, `_l`.

    COCO's AR of segmentations with `useCats=0` (FPN, Table 6), as `ProposalRecall` is that of boxes. Masks are matched
    image by image when they are found, and only how many objects were found is remembered: recall adds up, and a
    thousand masks of each of 5000 images would not fit. NaN without objects.

    Args:
        max_proposals: Best proposals of an image that count, ascending; a name for each.
        kwargs: Options of `torchmetrics.Metric`.

    Raises:
        InputError: `max_proposals` do not ascend.
    """

    logs: ClassVar = figures.MASKS

    def __init__(self, max_proposals: Sequence[int] = (100, 1000), **kwargs: Any) -> None:
        # Before the states, whose widths depend on it.
        self.protocol = backends.Protocol(backends.IOUS, cocoeval.ascending("max_proposals", max_proposals))
        super().__init__(**kwargs)

    @property
    def empty(self) -> Mapping[str, Tensor]:
        """No image, and how many objects of each were found at each overlap, size and limit."""
        shape = (0, len(backends.IOUS), len(backends.AREAS), len(self.protocol.max_detections))
        return {
            "image_ids": torch.zeros(0, dtype=torch.int64),
            "found": torch.zeros(shape, dtype=torch.int64),
            "objects": torch.zeros(0, len(backends.AREAS), dtype=torch.int64),
        }

    def rows(self, found: Sequence[Detections], targets: Sequence[Target]) -> Mapping[str, Tensor]:
        """How many objects of each image were found.

        Raises:
            InputError: There are no masks, or a score or box is not finite.
        """
        counted = [_match(*of_image, self.protocol) for of_image in zip(found, targets, strict=True)]
        return {
            "image_ids": torch.tensor([int(target.image_id) for target in targets]),
            "found": torch.from_numpy(np.stack([hits for hits, _ in counted])),
            "objects": torch.from_numpy(np.stack([objects for _, objects in counted])),
        }

    def compute(self) -> dict[str, Tensor]:
        """AR in percent for each number of proposals and size, float64 [] each."""
        rows = self._rows()
        detections.refuse_duplicates(np.sort(rows["image_ids"].numpy()))
        objects = rows["objects"].sum(0).double()[:, None]
        average = 100 * rows["found"].sum(0).double().mean(0) / objects  # 0 / 0 is NaN
        return {
            f"mask_ar{size}{count}": average[area, index]
            for index, count in enumerate(self.protocol.max_detections)
            for area, size in enumerate(SIZES)
        }


def _match(found: Detections, target: Target, protocol: backends.Protocol) -> tuple[Integers, Integers]:
    """Objects of an image that were found, [T, A, M], and that there are, [A]."""
    _check(found, target)
    best = found.scores.argsort(descending=True, stable=True)[: protocol.max_detections[-1]]
    found = Detections(*(values[best] for values in found))
    kept = ~target.difficult
    evidence = detections.arrange(detections.flat([found], [target]))
    part = cocoeval.select(evidence, np.arange(len(best)), np.flatnonzero(kept.numpy()), len(best))
    objects = recall.count(part)
    if not objects[0]:
        none = np.zeros((len(protocol.ious), len(objects), len(protocol.max_detections)), dtype=np.int64)
        return none, objects.astype(np.int64)
    size = target.original_size.tolist()
    truth = mask.run_lengths(target.original_masks[kept], *size)
    outlines = mask.encode(found.masks, found.windows, *size)
    table = coco.iou(outlines, truth, part.truth_crowd.astype(int).tolist()) if outlines else []
    _, share = backends.accumulate(part, protocol, [[table]])
    # A count divided by `objects`, -1 where there are none: back to the count.
    return np.rint(np.maximum(share, 0) * objects[:, None]).astype(np.int64), objects.astype(np.int64)


def _check(found: Detections, target: Target) -> None:
    if len(found.masks) != len(found.scores):
        raise InputError(
            "MaskRecall compares masks, and the network or its protocol found boxes alone; "
            "test models.mask_proposals.MaskProposals without a protocol"
        )
    if len(target.original_masks) != len(target.labels):
        raise InputError("MaskRecall compares masks, and the data keep none; set data.masks to true")
