"""What kind of mistake each detection is, after TIDE (Bolya et al., ECCV 2020, arXiv 2008.08115, Section 2).

With `high` = 0.5 and `low` = 0.1, overlaps being those with counted objects of the detection's image, a detection that
found no object is

- localisation: an object of its class overlaps it by at least `low` and none of them by `high`;
- classification: an object of another class overlaps it by at least `high`;
- duplicate: an object of its class overlaps it by at least `high`, but a better-scored detection has found that one;
- background: no object overlaps it by `low`;
- both: all others, where an object of another class overlaps it by at least `low` and none by `high`.

The paper leaves open which comes first where several fit; the order above is that of the authors' toolbox. An object
is missed if no detection found it and none is a classification or localisation mistake about it, that is, has it as
the object of most overlap.

Objects that are not counted (COCO's crowds, VOC's difficult ones) cause no mistake: a detection that takes one is
neither right nor wrong, they are no objects to find, and no mistake is said to be about one. The best 100 detections of
each image and class are looked at, as in COCO's AP, so that the mistakes add up to what that AP lacks. (The toolbox
takes the best 100 of the image, which is the same for the detectors here.)
"""

from typing import NamedTuple

import numpy as np

from lit_vision.diagnosis import assignment
from lit_vision.diagnosis.assignment import NONE, Pairs
from lit_vision.metrics.detections import Evidence, Flags, Floats, Integers

HIGH, LOW = 0.5, 0.1
MOST = 100

FALSE_POSITIVES = ("classification", "localisation", "both", "duplicate", "background")
KINDS = (*FALSE_POSITIVES, "missed")

RIGHT, IGNORED = -1, -2
"""Kinds of detections that are no mistakes."""


class Errors(NamedTuple):
    """All detections and objects, judged.

    Attributes:
        kinds: [D], position in `FALSE_POSITIVES`, or `RIGHT`, or `IGNORED`.
        objects: [D], row of the object that was found, or that a classification or localisation mistake is about.
        positives: [G], objects to find.
        found: [G], objects that were found.
        missed: [G], those of which no detection knew.
    """

    kinds: Integers
    objects: Integers
    positives: Flags
    found: Flags
    missed: Flags


def judge(evidence: Evidence, pairs: Pairs) -> Errors:
    """The kind of each detection and object.

    Args:
        evidence: All images, limited to the detections that count.
        pairs: Of these images, all from an overlap of `LOW` on.
    """
    positives = ~assignment.ignored(evidence)
    objects = assignment.assign(evidence, pairs, HIGH)
    right = assignment.at(positives, objects)
    found = np.zeros(len(positives), dtype=np.bool_)
    found[objects[right]] = True
    kinds, about = _kinds(evidence, pairs.take(positives[pairs.truth]))
    kinds[right], kinds[(objects != NONE) & ~right] = RIGHT, IGNORED
    objects = np.where(right, objects, np.where(kinds >= 0, about, NONE))
    missed = positives & ~found
    missed[objects[(kinds >= 0) & (objects != NONE)]] = False
    return Errors(kinds, objects, positives, found, missed)


def _kinds(evidence: Evidence, pairs: Pairs) -> tuple[Integers, Integers]:
    """The kind that each detection is if it is wrong, and the object it is about, [D] each."""
    count = len(evidence.found_scores)
    same = evidence.found_labels[pairs.found] == evidence.truth_labels[pairs.truth]
    own, own_object = _most(pairs.take(same), count)
    other, other_object = _most(pairs.take(~same), count)
    tests = [(own >= LOW) & (own < HIGH), other >= HIGH, own >= HIGH, np.maximum(own, other) < LOW]
    names = ["localisation", "classification", "duplicate", "background"]
    kinds = np.select(tests, [KINDS.index(name) for name in names], KINDS.index("both"))
    about = np.select(tests[:2], [own_object, other_object], NONE)
    return kinds, about


def _most(pairs: Pairs, count: int) -> tuple[Floats, Integers]:
    """Largest overlap of each detection, 0 without any, and its object, the first of equals, [count] each."""
    order = np.lexsort((pairs.truth, -pairs.iou, pairs.found))
    found, first = np.unique(pairs.found[order], return_index=True)
    iou, truth = np.zeros(count), np.full(count, NONE)
    iou[found], truth[found] = pairs.iou[order[first]], pairs.truth[order[first]]
    return iou, truth
