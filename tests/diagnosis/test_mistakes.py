"""Kinds of mistakes and what each costs, on cases worked by hand: boxes of 10 x 10 pixels, overlaps beside them."""

import numpy as np
import pytest

from lit_vision.diagnosis import assignment, mistakes, oracles
from lit_vision.diagnosis.assignment import NONE
from lit_vision.metrics import detections
from lit_vision.metrics.coco import CocoAP
from tests.metrics import scenes

NAMES = ["cat", "dog"]
HERE = [0, 0, 10, 10]
HALF = [5, 0, 15, 10]  # shares 5 x 10 of 150: 1/3
NEAR = [2, 0, 12, 10]  # shares 8 x 10 of 120: 2/3
FAR = [50, 50, 60, 60]
ELSEWHERE = [80, 80, 90, 90]


def judge(images, **truth):
    """Evidence and errors of images given as (objects, labels, found boxes, scores, labels)."""
    found = [scenes.found(*image[2:]) for image in images]
    targets = [scenes.truth(number, *image[:2], **truth) for number, image in enumerate(images)]
    evidence = assignment.best(detections.arrange(detections.flat(found, targets)), mistakes.MOST)
    return evidence, mistakes.judge(evidence, assignment.overlapping(evidence, mistakes.LOW))


def kinds(found):
    words = {mistakes.RIGHT: "right", mistakes.IGNORED: "ignored"}
    return [words.get(kind) or mistakes.KINDS[kind] for kind in found.kinds.tolist()]


def costs(evidence, found):
    """AP50, and the kinds that occur or cost something."""
    entry = oracles.breakdown(evidence, found, NAMES)["all"]
    told = {
        name: (values.get("count"), pytest.approx(values["delta"]))
        for name, values in entry.items()
        if name != "ap50" and (values.get("count") or abs(values["delta"]) > 1e-9)
    }
    return entry["ap50"], told


def test_a_perfect_detector_has_zero_of_everything():
    evidence, found = judge([([HERE, FAR], [0, 1], [HERE, FAR], [0.9, 0.8], [0, 1])])
    assert kinds(found) == ["right", "right"]
    assert costs(evidence, found) == (100.0, {})


# Each alone: one cat at HERE in the first image, found last, after what is wrong. With the wrong one ranked first the
# precision is 1/2 at all 101 recalls, and 1 without it.
@pytest.mark.parametrize(
    ("kind", "objects", "labels", "box", "label"),
    [
        ("both", [HERE, ELSEWHERE], [0, 1], [75, 80, 85, 90], 0),  # 1/3 with a dog
        ("background", [HERE], [0], FAR, 0),
        ("background", [HERE], [0], [9, 0, 19, 10], 0),  # shares 10 of 190: 0.05
    ],
)
def test_what_goes_when_it_is_mended(kind, objects, labels, box, label):
    more = [ELSEWHERE] if len(objects) > 1 else []
    image = (objects, labels, [box, HERE, *more], [0.9, 0.8, 0.7][: 2 + len(more)], [label, 0, 1][: 2 + len(more)])
    evidence, found = judge([image])
    assert kinds(found)[:2] == [kind, "right"]
    classes = len(set(labels))  # the dogs' AP is 100 before and after
    gain = 50 / classes
    assert costs(evidence, found) == (100 - gain, {kind: (1, gain), "false_positive": (None, gain)})


def test_duplicate():
    """Two cats; the first is found twice before the second: precision 1 up to recall 1/2, then 2/3."""
    evidence, found = judge([([HERE, FAR], [0, 0], [HERE, NEAR, FAR], [0.9, 0.8, 0.7])])
    assert kinds(found) == ["right", "duplicate", "right"]
    ap50 = 100 * (51 + 50 * 2 / 3) / 101
    gain = 100 - ap50
    assert costs(evidence, found) == (pytest.approx(ap50), {"duplicate": (1, gain), "false_positive": (None, gain)})


def test_localisation_is_right_in_a_better_place():
    """Two cats, one found with an overlap of 1/3 only: recall 1/2, 51 of 101 recalls; the box mended, all of them."""
    evidence, found = judge([([HERE, FAR], [0, 0], [FAR, HALF], [0.9, 0.8])])
    assert kinds(found) == ["right", "localisation"]
    assert found.objects.tolist() == [1, 0]
    half = 100 * 51 / 101
    # Not missed: a detection knew of it. Without objects that were not found, its false positive costs nothing.
    rest = {"localisation": (1, 100 - half), "false_negative": (None, 100 - half)}
    assert costs(evidence, found) == (pytest.approx(half), rest)


def test_classification_gives_back_to_both_classes():
    """A cat and a dog, both called cat, the dog with more confidence: cats 50, dogs 0; mended, 100 and 100."""
    evidence, found = judge([([HERE, FAR], [0, 1], [FAR, HERE], [0.9, 0.8], [0, 0])])
    assert kinds(found) == ["classification", "right"]
    ap50, told = costs(evidence, found)
    assert ap50 == 25
    # False negatives: the dog is no longer to be found, and nothing is called dog. False positives: cats only.
    assert told == {"classification": (1, 75.0), "false_positive": (None, 25.0), "false_negative": (None, 50.0)}
    by_class = oracles.breakdown(evidence, found, NAMES)["by_class"]
    assert (by_class["cat"]["ap50"], by_class["cat"]["classification"]) == (50, {"count": 1, "delta": 50})
    assert (by_class["dog"]["ap50"], by_class["dog"]["classification"]) == (0, {"count": 0, "delta": 100})


def test_missed():
    """Two cats, one found: 51 of 101 recalls. No detection is wrong."""
    evidence, found = judge([([HERE, FAR], [0, 0], [HERE], [0.9])])
    assert found.missed.tolist() == [False, True]
    half = 100 * 51 / 101
    told = {"missed": (1, 100 - half), "false_negative": (None, 100 - half)}
    assert costs(evidence, found) == (pytest.approx(half), told)


@pytest.mark.parametrize(("wrong", "given_back"), [(0, 100), (1, 0)])
def test_a_class_that_is_missed_whole(wrong, given_back):
    """Nothing is left to find: perfect if nothing wrong was found either, else worth nothing."""
    evidence, found = judge([([HERE], [0], [FAR] * wrong, [0.9] * wrong)])
    entry = oracles.breakdown(evidence, found, NAMES)["all"]
    assert (entry["ap50"], entry["missed"]) == (0, {"count": 1, "delta": given_back})


@pytest.mark.parametrize(
    ("kind", "objects", "labels", "found"),
    [
        # 1/3 with a cat and 2/3 with a dog, called cat: the box could be better, and so could the class.
        ("localisation", [[5, 0, 15, 10], [-2, 0, 8, 10]], [0, 1], [HERE]),
        # Two cats called cat at the cat, with a dog 2/3 beneath: the second is its duplicate and the dog's.
        ("classification", [HERE, NEAR], [0, 1], [HERE, HERE]),
        # 1/3 with a dog is no worse than 0.05 with a cat.
        ("both", [[9, 0, 19, 10], HALF], [0, 1], [HERE]),
    ],
)
def test_which_comes_first_where_two_fit(kind, objects, labels, found):
    _, judged = judge([(objects, labels, found, [0.9, 0.8][: len(found)], [0] * len(found))])
    assert kinds(judged)[-1] == kind


def test_of_several_detections_of_one_object_the_surest_stays():
    """A cat in two poor places: the surer gets a better box. A cat in a poor place, surer than in the right one."""
    evidence, found = judge([([HERE], [0], [[4, 0, 14, 10], HALF], [0.8, 0.9])])
    answer = oracles.mend(evidence, found, "localisation")
    assert answer.kept.tolist() == [False, True]
    assert answer.objects.tolist() == [NONE, 0]
    evidence, found = judge([([HERE, FAR], [0, 0], [HALF, HERE, FAR], [0.9, 0.8, 0.7])])
    answer = oracles.mend(evidence, found, "localisation")
    assert answer.kept.tolist() == [True, False, True]
    assert answer.objects[[0, 2]].tolist() == [0, 1]
    # Less sure than what found the cat, it goes.
    evidence, found = judge([([HERE, FAR], [0, 0], [HALF, HERE, FAR], [0.6, 0.8, 0.7])])
    assert oracles.mend(evidence, found, "localisation").kept.tolist() == [False, True, True]


@pytest.mark.parametrize("flag", ["crowd", "difficult"])
def test_what_is_not_counted_causes_no_mistake(flag):
    """Both detections of it are neither right nor wrong; it is not missed; what is near it is background."""
    flags = {flag: [True]}
    evidence, found = judge(
        [([HERE], [0], [HERE, NEAR, [8, 8, 18, 18], HERE], [0.9, 0.8, 0.7, 0.6], [0, 0, 0, 1])], **flags
    )
    assert kinds(found) == ["ignored", "ignored", "background", "background"]
    assert not found.positives.any()
    assert not found.missed.any()
    entry = oracles.breakdown(evidence, found, NAMES)["all"]
    assert np.isnan(entry["ap50"])
    assert entry["background"]["count"] == 2


def test_a_crowd_swallows_what_lies_within_it():
    """A detection's own area decides: a small box inside a crowd overlaps it by 1, a difficult object by 0.01."""
    inside = [2, 2, 12, 12]
    image = ([[0, 0, 100, 100]], [0], [inside], [0.9])
    assert kinds(judge([image], crowd=[True])[1]) == ["ignored"]
    assert kinds(judge([image], difficult=[True])[1]) == ["background"]


def test_only_the_best_hundred_of_an_image_and_class_are_looked_at():
    count = 130
    boxes = [HERE, *[FAR] * (count - 1)]
    scores = [0.01, *np.linspace(0.9, 0.1, count - 1)]
    evidence, found = judge([([HERE], [0], boxes, scores), ([HERE], [0], [HERE], [0.5])])
    assert len(evidence.found_scores) == 101
    assert found.missed.tolist() == [True, False]  # its detection came as the 130th


def test_counts_and_gains_by_size():
    """A small cat is missed, a large one found after a large false alarm and a small one."""
    large, alarm = [0, 0, 100, 100], [200, 200, 300, 300]
    image = ([large, FAR], [0, 0], [alarm, ELSEWHERE, large], [0.9, 0.8, 0.7])
    entry = oracles.breakdown(*judge([image]), NAMES)["by_size"]
    assert (entry["small"]["ap50"], entry["large"]["ap50"]) == (0, 50)
    assert np.isnan(entry["medium"]["ap50"])
    assert entry["large"]["background"] == {"count": 1, "delta": 50}
    assert entry["small"]["background"] == {"count": 1, "delta": 0}
    assert (entry["small"]["missed"]["count"], entry["large"]["missed"]["count"]) == (1, 0)


@pytest.mark.parametrize("seed", range(4))
def test_classes_average_to_all_and_gains_are_never_negative(seed):
    found, targets = scenes.random(seed=seed, crowds=0.2, scores=8)
    evidence = detections.arrange(detections.flat(found, targets))
    judged = mistakes.judge(evidence, assignment.overlapping(evidence, mistakes.LOW))
    report = oracles.breakdown(evidence, judged, ["a", "b", "c"])
    assert report["all"]["ap50"] == pytest.approx(float(scenes.measure(CocoAP(), found, targets)["ap50"]), abs=1e-9)
    for name in oracles.ORACLES:
        gains = [entry[name]["delta"] for entry in report["by_class"].values()]
        assert min(gains) >= -1e-9
        assert report["all"][name]["delta"] == pytest.approx(np.mean(gains))
        if name in mistakes.KINDS:
            counts = [entry[name]["count"] for entry in report["by_class"].values()]
            assert report["all"][name]["count"] == sum(counts)
    wrong = sum(report["all"][name]["count"] for name in mistakes.FALSE_POSITIVES)
    assert wrong + (judged.kinds < 0).sum() == len(judged.kinds)


def test_no_image_no_object_no_detection():
    for images in ([], [([], [], [], [])], [([], [], [HERE], [0.9])]):
        evidence, found = judge(images) if images else _nothing()
        entry = oracles.breakdown(evidence, found, NAMES)["all"]
        assert np.isnan(entry["ap50"])
        assert entry["background"]["count"] == len(evidence.found_scores)


def _nothing():
    evidence = detections.arrange(detections.join([]))
    return evidence, mistakes.judge(evidence, assignment.overlapping(evidence, mistakes.LOW))
