"""What a detector makes of each single image, at the score from which on detections are shown."""

from typing import NamedTuple

import numpy as np

from lit_vision.diagnosis import mistakes
from lit_vision.diagnosis.mistakes import Errors
from lit_vision.metrics.detections import Evidence, Flags, Floats, Integers

SHOWN_SCORE = 0.5


class ByImage(NamedTuple):
    """Counts of N images, [N] each, at an overlap of 0.5; crowds, difficult objects and what took them are left out.

    Attributes:
        objects: Objects to find.
        right: Shown detections that found one.
        wrong: Shown detections that did not.
    """

    objects: Integers
    right: Integers
    wrong: Integers

    @property
    def found(self) -> Integers:
        """Shown detections."""
        return self.right + self.wrong

    @property
    def missed(self) -> Integers:
        """Objects without one."""
        return self.objects - self.right

    @property
    def f1(self) -> Floats:
        """Harmonic mean of precision and recall, 0 to 1; NaN where nothing is to be found and nothing was."""
        sums = 2 * self.right + self.wrong + self.missed
        f1: Floats = np.divide(2 * self.right, sums, out=np.full(len(sums), np.nan), where=sums > 0)
        return f1

    def worst(self, most: int) -> Integers:
        """Images with a mistake, lowest F1 first, of equal ones those with most mistakes, at most so many."""
        mistakes = self.wrong + self.missed
        order = np.lexsort((-mistakes, self.f1))
        return order[mistakes[order] > 0][:most]


def shown(evidence: Evidence) -> Flags:
    """Detections with a score of at least one half, [D]: objects are theirs, whatever else was found."""
    return evidence.found_scores >= SHOWN_SCORE


def count(evidence: Evidence, found: Errors) -> ByImage:
    """Counts of each image.

    Args:
        evidence: All images.
        found: Their detections and objects, judged.
    """
    images, confident = len(evidence.image_ids), shown(evidence)

    def of(owners: Integers, chosen: Flags) -> Integers:
        return np.bincount(owners[chosen], minlength=images)

    return ByImage(
        of(evidence.truth_images, found.positives),
        of(evidence.found_images, confident & (found.kinds == mistakes.RIGHT)),
        of(evidence.found_images, confident & (found.kinds >= 0)),
    )


def shown_found(evidence: Evidence, found: Errors) -> Flags:
    """Objects that a shown detection found, [G]."""
    rows = np.flatnonzero(shown(evidence) & (found.kinds == mistakes.RIGHT))
    flags = np.zeros(len(found.positives), dtype=np.bool_)
    flags[found.objects[rows]] = True
    return flags
