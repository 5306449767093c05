"""How much AP50 each kind of mistake costs: the AP with that kind mended, less the AP as it is (TIDE, Section 2.3).

Each kind is mended alone, with all others left as they are:

- classification, localisation: the detections get the class, or the box, of their object and are right; of several
  detections of one object, whether mended or right before, the best-scored stays and the others go;
- both, duplicate, background: the detections go;
- missed: the objects are no longer to be found;
- false positive: all wrong detections go, whatever their kind;
- false negative: all objects that were not found are no longer to be found.

AP is COCO's, read off at 101 recalls and averaged over the classes with objects. Where a mended class has nothing left
to find, its AP is 100 if nothing wrong is left either, else 0.

The authors' toolbox (tidecv 1.0.1) departs from the paper in two points: where an object was found, it lets the mended
detection go though it may be the better-scored, and it lets a classification mistake go unmended where a better-scored
localisation mistake is about the same object, or the reverse. Apart from these, and from the last digit of its 101
recalls, it gives the same figures.
"""

from typing import Any, NamedTuple

import numpy as np

from lit_vision.diagnosis import assignment, mistakes
from lit_vision.diagnosis.assignment import NONE
from lit_vision.diagnosis.mistakes import Errors
from lit_vision.metrics.backends import AREAS
from lit_vision.metrics.detections import Evidence, Flags, Floats, Integers
from lit_vision.metrics.matches import Matches, average_precision

ORACLES = (*mistakes.KINDS, "false_positive", "false_negative")


class Answer(NamedTuple):
    """Detections and objects to find, as they are or mended.

    Attributes:
        kept: [D], detections that count.
        labels: [D].
        objects: [D], row of the object found, or `NONE`.
        positives: [G], objects to find.
    """

    kept: Flags
    labels: Integers
    objects: Integers
    positives: Flags


def as_is(evidence: Evidence, found: Errors) -> Answer:
    """What the detector says."""
    right = found.kinds == mistakes.RIGHT
    objects = np.where(right, found.objects, NONE)
    return Answer(right | (found.kinds >= 0), evidence.found_labels, objects, found.positives)


def mend(evidence: Evidence, found: Errors, oracle: str) -> Answer:
    """What it would say without one kind of mistake, of `ORACLES`."""
    answer = as_is(evidence, found)
    if oracle == "missed":
        return answer._replace(positives=answer.positives & ~found.missed)
    if oracle == "false_negative":
        return answer._replace(positives=found.found)
    if oracle == "false_positive":
        return answer._replace(kept=found.kinds == mistakes.RIGHT)
    wrong = found.kinds == mistakes.KINDS.index(oracle)
    answer = answer._replace(kept=answer.kept & ~wrong)
    return _turned(evidence, found, wrong, answer) if oracle in ("classification", "localisation") else answer


def _turned(evidence: Evidence, found: Errors, wrong: Flags, answer: Answer) -> Answer:
    """The answer with the wrong detections made right, and of all right ones the best of each object."""
    right = found.kinds == mistakes.RIGHT
    rows = np.flatnonzero(wrong | right)
    order = rows[np.argsort(-evidence.found_scores[rows], kind="stable")]
    about, first = np.unique(found.objects[order], return_index=True)
    chosen = order[first]
    kept, labels, objects = answer.kept & ~right, answer.labels.copy(), answer.objects.copy()
    kept[chosen], labels[chosen], objects[chosen] = True, evidence.truth_labels[about], about
    return Answer(kept, labels, objects, answer.positives)


def ap50(evidence: Evidence, answer: Answer, num_classes: int, size: str = "all") -> Floats:
    """AP of each class in percent, [K]; NaN where there is no object.

    Args:
        evidence: All images.
        answer: To them.
        num_classes: K.
        size: One of COCO's sizes: objects of other sizes are not counted, nor are detections that found one, nor wrong
            detections of another size. Objects are found once for all sizes, not again for each, as pycocotools does.
    """
    here, boxes = _of_size(evidence.truth_area, size), _of_size(_areas(evidence), size)
    in_size = np.where(answer.objects == NONE, boxes, assignment.at(here, answer.objects))
    rows = np.flatnonzero(answer.kept & in_size)
    rows = rows[np.lexsort((-evidence.found_scores[rows], answer.labels[rows]))]
    labels, hits = answer.labels[rows], answer.objects[rows] != NONE
    none, all_counted = np.zeros(len(rows), dtype=np.int64), np.ones(len(rows), dtype=np.bool_)
    counts = np.bincount(evidence.truth_labels[answer.positives & here], minlength=num_classes)
    matches = Matches(none, labels, hits, all_counted, counts[None])
    ap = 100 * average_precision(matches, np.ones((1, 1), dtype=np.int64), "101point")[0]
    nothing_found = np.bincount(labels, minlength=num_classes) == 0
    return np.where(np.isnan(ap), np.where(nothing_found, 100.0, 0.0), ap)


def breakdown(evidence: Evidence, found: Errors, class_names: list[str]) -> dict[str, Any]:
    """Counts of the mistakes and what mending each gives back: `all`, `by_class` and `by_size`.

    A wrong detection counts for the class it names and the size of its box, a missed object for its own. Each of the
    three holds `ap50` in percent, `{"count", "delta"}` by kind of mistake, and `{"delta"}` for all false positives and
    all false negatives, in points of AP50; NaN where there is no object. The classes' AP and gain average to those of
    `all`: a classification mistake that is mended also gives something back to the class that the object is of.
    """
    sizes = {size: _Size(evidence, found, len(class_names), size) for size in AREAS}
    everything = sizes.pop("all")
    return {
        "all": everything.mean(),
        "by_class": {name: everything.of_class(label) for label, name in enumerate(class_names)},
        "by_size": {size: part.mean() for size, part in sizes.items()},
    }


class _Size:
    """AP, gains and counts of every class at one size, [K] each."""

    def __init__(self, evidence: Evidence, found: Errors, num_classes: int, size: str) -> None:
        here = _of_size(evidence.truth_area, size)
        objects = np.bincount(evidence.truth_labels[found.positives & here], minlength=num_classes)
        self.ap = np.where(objects > 0, ap50(evidence, as_is(evidence, found), num_classes, size), np.nan)
        self.gain = {
            oracle: ap50(evidence, mend(evidence, found, oracle), num_classes, size) - self.ap for oracle in ORACLES
        }
        boxes = _of_size(_areas(evidence), size)
        self.count = {
            kind: np.bincount(evidence.found_labels[boxes & (found.kinds == number)], minlength=num_classes)
            for number, kind in enumerate(mistakes.FALSE_POSITIVES)
        }
        self.count["missed"] = np.bincount(evidence.truth_labels[found.missed & here], minlength=num_classes)

    def mean(self) -> dict[str, Any]:
        """Over the classes with objects; counts of all classes."""
        known = ~np.isnan(self.ap)
        entry: dict[str, Any] = {"ap50": _mean(self.ap[known])}
        for oracle, gain in self.gain.items():
            count = {"count": int(self.count[oracle].sum())} if oracle in self.count else {}
            entry[oracle] = count | {"delta": _mean(gain[known])}
        return entry

    def of_class(self, label: int) -> dict[str, Any]:
        """One class."""
        entry: dict[str, Any] = {"ap50": float(self.ap[label])}
        for oracle, gain in self.gain.items():
            count = {"count": int(self.count[oracle][label])} if oracle in self.count else {}
            entry[oracle] = count | {"delta": float(gain[label])}
        return entry


def _mean(values: Floats) -> float:
    return float(values.mean()) if len(values) else float("nan")


def _areas(evidence: Evidence) -> Floats:
    boxes = evidence.found_boxes.astype(np.float64)
    area: Floats = (boxes[:, 2:] - boxes[:, :2]).prod(1)
    return area


def _of_size(area: Floats, size: str) -> Flags:
    low, high = AREAS[size]
    return (low <= area) & (area <= high)
