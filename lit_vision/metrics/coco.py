"""COCO's average precision and recall of boxes: the twelve figures, and those of each class."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from lit_vision.experiment import figures
from lit_vision.metrics import backends, cocoeval
from lit_vision.metrics.detections import Floats
from lit_vision.metrics.matches import ClassMetric, Interpolation, Matches
from lit_vision.types import Detections


class CocoAP(ClassMetric):
    """COCO's twelve figures in percent: `ap, ap50, ap75, ap_s, ap_m, ap_l, ar1, ar10, ar100, ar_s, ar_m, ar_l`.

    The numbers are those of `pycocotools.cocoeval.COCOeval` with `iouType="bbox"`, to 1e-9 by either backend.
    A figure without any object to find (pycocotools prints -1) is NaN. `difficult` is VOC's flag and not looked at.

    Args:
        backend: `official` computes with pycocotools, `fast` with faster-coco-eval's compiled core.
        max_detections: Best detections of an image and class that count, ascending: `ar1`, `ar10`, `ar100` are named
            after them; AP and the figures by size count the most.
        num_classes: Classes, K; None takes the highest label seen.
        kwargs: Options of `torchmetrics.Metric`.

    Raises:
        InputError: `max_detections` do not ascend, or an unknown backend.
    """

    logs: ClassVar = figures.COCO
    interpolation: Interpolation = "101point"

    def __init__(
        self,
        backend: backends.Backend = "official",
        max_detections: Sequence[int] = (1, 10, 100),
        num_classes: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(num_classes, **kwargs)
        backends.check_backend(backend)
        self.backend = backend
        self.protocol = backends.Protocol(backends.IOUS, cocoeval.ascending("max_detections", max_detections))

    def compute(self) -> dict[str, Tensor]:
        """The twelve figures in percent, float64 [] each."""
        evidence = self.evidence()
        scores = cocoeval.evaluate(evidence, self.count_classes(evidence), self.protocol, self.backend)
        self._by_class = by_class(scores)
        figures = precisions(scores) | recalls(scores, self.protocol.max_detections)
        return {name: torch.tensor(value, dtype=torch.float64) for name, value in figures.items()}

    def matches(self) -> dict[str, list[Matches]]:
        """Matches of pycocotools over all sizes: of `ap` at IoU 0.5 to 0.95, of `ap50` at 0.5."""
        evidence = self.evidence()
        found = cocoeval.matches(evidence, self.count_classes(evidence), self.protocol)
        return {"ap": found, "ap50": found[:1]}


def precisions(scores: cocoeval.Scores) -> dict[str, float]:
    """AP over IoU 0.5 to 0.95, at 0.5, at 0.75, and by size."""
    most = scores.precision[..., -1]
    return {
        "ap": mean(most[..., 0]),
        "ap50": mean(most[0, ..., 0]),
        "ap75": mean(most[5, ..., 0]),
        "ap_s": mean(most[..., 1]),
        "ap_m": mean(most[..., 2]),
        "ap_l": mean(most[..., 3]),
    }


def recalls(scores: cocoeval.Scores, max_detections: Sequence[int]) -> dict[str, float]:
    """AR over IoU 0.5 to 0.95, by number of detections and by size."""
    by_count = {f"ar{count}": mean(scores.recall[:, :, 0, index]) for index, count in enumerate(max_detections)}
    return by_count | {f"ar_{size}": mean(scores.recall[:, :, area, -1]) for area, size in enumerate("sml", 1)}


def mean(values: Floats) -> float:
    """Percent of the values that exist; NaN where none does."""
    known = values[values > -1]
    return 100 * float(known.mean()) if len(known) else float("nan")


def by_class(scores: cocoeval.Scores) -> dict[str, Tensor]:
    """AP and AP50 of each class in percent, [K]; NaN without objects."""
    precision = scores.precision[:, :, :, 0, -1]
    known = np.where(precision > -1, 100 * precision, np.nan)
    return {"ap": torch.from_numpy(known.mean((0, 1))), "ap50": torch.from_numpy(known[0].mean(0))}


def results(image_id: int, found: Detections, category_ids: Sequence[int]) -> list[dict[str, object]]:
    """One image's entries of a COCO result file, which `COCO.loadRes` and the test server read.

    Args:
        image_id: The data set's number for the image.
        found: Detections in original pixels.
        category_ids: The file's own id of each class, [K].
    """
    boxes = cocoeval.xywh(found.boxes.cpu().numpy()).tolist()
    rows = zip(boxes, found.scores.tolist(), found.labels.tolist(), strict=True)
    return [
        {"image_id": image_id, "category_id": category_ids[label], "bbox": box, "score": score}
        for box, score, label in rows
    ]
