"""Localisation error in percent, as ILSVRC counts it (ResNet paper, Tables 13 and 14)."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from lit_vision.errors import InputError
from lit_vision.experiment import figures
from lit_vision.metrics import cocoeval
from lit_vision.metrics.detections import DetectionMetric, Evidence, Flags, Integers
from lit_vision.metrics.voc import best_objects


class LocalisationError(DetectionMetric):
    """Share of the images whose object is not found: `loc_error` with one guess, `loc_error5` with five.

    A guess is a class and the best box of that class; classes are ranked by that box's score. A guess is right if the
    image has an object of the class that the box overlaps by `iou` or more, whichever object that is. `loc_error_given`
    looks at the best box of the image's own class alone, whatever its score ("LOC error on GT class"). Images without
    an object are not counted; NaN if no image has one.

    Args:
        guesses: Numbers of guesses, ascending.
        iou: Least overlap, 0 to 1.
        kwargs: Options of `torchmetrics.Metric`.

    Raises:
        InputError: `guesses` do not ascend, or an overlap outside (0, 1].
    """

    logs: ClassVar = figures.LOCALISATION
    higher_is_better = False

    def __init__(self, guesses: Sequence[int] = (1, 5), iou: float = 0.5, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not 0 < iou <= 1:
            raise InputError(f"LocalisationError iou is {iou}; give an overlap above 0 and at most 1")
        self.guesses = cocoeval.ascending("guesses", guesses)
        self.iou = iou

    def compute(self) -> dict[str, Tensor]:
        """The errors in percent, float64 [] each."""
        evidence = self.evidence()
        counted = np.bincount(evidence.truth_images, minlength=len(evidence.image_ids)) > 0
        order = guesses_of(evidence)
        right = best_objects(evidence, order)[1] >= self.iou
        images = evidence.found_images[order]
        found = {
            "loc_error" if most == 1 else f"loc_error{most}": right & (_rank(images) < most) for most in self.guesses
        }
        own = _of_own_class(evidence, order)
        found["loc_error_given"] = np.zeros_like(right)
        found["loc_error_given"][own] = right[own] & (_rank(images[own]) < 1)
        return {name: _error(images[hits], counted) for name, hits in found.items()}


def guesses_of(evidence: Evidence) -> Integers:
    """Rows of the best box of each image and class, by image and then by descending score."""
    order = np.lexsort((-evidence.found_scores, evidence.found_images))
    pairs = np.stack([evidence.found_images, evidence.found_labels], 1)[order]
    first = np.unique(pairs, axis=0, return_index=True)[1] if len(pairs) else np.zeros(0, dtype=np.int64)
    best: Integers = order[np.sort(first)]
    return best


def _of_own_class(evidence: Evidence, rows: Integers) -> Flags:
    """Which of some detections name the class of an object of their image."""
    classes = 1 + max(evidence.truth_labels.max(initial=0), evidence.found_labels.max(initial=0))
    truth = evidence.truth_images * classes + evidence.truth_labels
    own: Flags = np.isin(evidence.found_images[rows] * classes + evidence.found_labels[rows], truth)
    return own


def _rank(images: Integers) -> Integers:
    """Position of each row among those of its image; images ascend."""
    place: Integers = np.arange(len(images)) - np.searchsorted(images, images)
    return place


def _error(found: Integers, counted: Flags) -> Tensor:
    right = np.zeros_like(counted)
    right[found] = True
    share = 1 - right[counted].mean() if counted.any() else np.nan
    return torch.tensor(100 * share, dtype=torch.float64)
