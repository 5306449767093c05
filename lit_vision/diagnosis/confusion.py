"""Which classes a classifier takes for which, and where it is wrong with most confidence."""

import numpy as np

from lit_vision.metrics.detections import Floats, Integers


def cells(truth: Integers, predicted: Integers, num_classes: int) -> list[list[int]]:
    """The confusion matrix without its zeros: truth, prediction and count, row by row.

    Args:
        truth: [N], 0..K-1.
        predicted: [N], 0..K-1.
        num_classes: K.
    """
    both, counts = np.unique(truth * num_classes + predicted, return_counts=True)
    columns = zip((both // num_classes).tolist(), (both % num_classes).tolist(), counts.tolist(), strict=True)
    return [list(cell) for cell in columns]


def by_class(truth: Integers, predicted: Integers, num_classes: int) -> tuple[Integers, Floats]:
    """Images of each class, [K], and percent of them that are taken for another, [K]; NaN without any."""
    count = np.bincount(truth, minlength=num_classes)
    wrong = np.bincount(truth[truth != predicted], minlength=num_classes)
    return count, np.divide(100 * wrong, count, out=np.full(num_classes, np.nan), where=count > 0)


def most_confident(truth: Integers, predicted: Integers, scores: Floats, most: int) -> Integers:
    """Rows of the wrong predictions with the highest scores, best-scored first, the first of equals."""
    wrong = np.flatnonzero(truth != predicted)
    return wrong[np.argsort(-scores[wrong], kind="stable")[:most]]
