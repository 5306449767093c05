"""Curves, calibration, confusion and counts of single images: by hand, and against pycocotools."""

import numpy as np
import pytest

from lit_vision.diagnosis import assignment, calibration, confusion, curves, images, mistakes
from lit_vision.diagnosis.assignment import NONE
from lit_vision.metrics import detections
from lit_vision.metrics.coco import CocoAP
from tests.metrics import scenes

HERE, FAR, ELSEWHERE = [0, 0, 10, 10], [50, 50, 60, 60], [80, 80, 90, 90]


def gather(found, targets):
    evidence = assignment.best(detections.arrange(detections.flat(found, targets)), mistakes.MOST)
    return evidence, assignment.overlapping(evidence, mistakes.LOW)


def test_precision_over_recall_by_hand():
    """Right, wrong, right of three objects: 1 up to a third, 2/3 up to two thirds, and no further."""
    curve = curves.along(np.array([True, False, True]), np.array([0.9, 0.8, 0.7]), 3)
    assert curve.precision[[0, 33, 34, 66, 67, 100]] == pytest.approx([1, 1, 2 / 3, 2 / 3, 0, 0])
    assert curve.score[[0, 33, 34, 66]].tolist() == [0.9, 0.9, 0.7, 0.7]
    assert np.isnan(curve.score[67:]).all()


def test_recall_falls_with_the_overlap():
    """Overlaps of 1 and 2/3: both up to 0.65, one beyond, and equal boxes still at 1."""
    evidence, pairs = gather([scenes.found([HERE, [52, 50, 62, 60]], [0.9, 0.8])], [scenes.truth(0, [HERE, FAR])])
    found = curves.of(evidence, pairs, 2)
    assert found.mean_recall().tolist() == [1, 1, 1, 1, *[0.5] * 7]
    assert found.ap50[0] == 100
    assert np.isnan(found.ap50[1])  # no object


@pytest.mark.parametrize("seed", range(6))
def test_all_curves_are_those_of_pycocotools(seed):
    found, targets = scenes.random(seed=seed, crowds=0.3, scores=None if seed % 2 else 6)
    metric = CocoAP(num_classes=4)
    figures = scenes.measure(metric, found, targets)
    ours = curves.of(*gather(found, targets), 4)
    assert ours.ap == pytest.approx(metric.per_class()["ap"].numpy(), abs=1e-9, nan_ok=True)
    assert ours.ap50 == pytest.approx(metric.per_class()["ap50"].numpy(), abs=1e-9, nan_ok=True)
    assert 100 * ours.mean_recall()[:10].mean() == pytest.approx(float(figures["ar100"]), abs=1e-9)
    assert 100 * ours.mean().precision.mean() == pytest.approx(float(figures["ap50"]), abs=1e-9)


def test_curves_without_objects():
    ours = curves.of(*gather([scenes.found([HERE], [0.9])], [scenes.truth(0)]), 1)
    assert np.isnan(ours.mean().precision).all()
    assert np.isnan(ours.mean_recall()).all()


def test_each_takes_the_free_object_that_it_overlaps_most():
    """The surer takes the nearer; the second takes the other though it overlaps it less; the third finds none."""
    objects = [HERE, [3, 0, 13, 10]]
    evidence, pairs = gather(
        [scenes.found([[1, 0, 11, 10], [0, 0, 10, 10], [0, 0, 10, 10]], [0.7, 0.9, 0.8])], [scenes.truth(0, objects)]
    )
    assert assignment.assign(evidence, pairs, 0.5).tolist() == [NONE, 0, 1]


def test_calibration_by_hand():
    """Bins are open below and closed above, 0 belongs to the first; 2 of 3 near 0.9 are right, none of 1 at 0.2."""
    found = calibration.bins(np.array([0.0, 0.2, 0.85, 0.9, 0.95, np.nan]), np.array([1, 0, 1, 1, 0, 1], dtype=bool))
    assert [one.count for one in found] == [1, 1, 0, 0, 0, 0, 0, 0, 2, 1]
    assert (found[8].low, found[8].high) == pytest.approx((0.8, 0.9))
    assert (found[8].score, found[8].accuracy) == pytest.approx((0.875, 1))
    assert np.isnan(found[5].score)
    assert calibration.error(found) == pytest.approx(100 * (1 + 0.2 + 2 * 0.125 + 0.95) / 5)
    assert np.isnan(calibration.error(calibration.bins(np.zeros(0), np.zeros(0, dtype=bool))))


def test_perfect_calibration():
    scores = np.repeat([0.25, 0.75], 4)
    right = np.array([1, 0, 0, 0, 1, 1, 1, 0], dtype=bool)
    assert calibration.error(calibration.bins(scores, right)) == 0


def test_confusion_by_hand():
    truth, predicted = np.array([0, 0, 1, 1, 1]), np.array([0, 2, 1, 0, 0])
    assert confusion.cells(truth, predicted, 4) == [[0, 0, 1], [0, 2, 1], [1, 0, 2], [1, 1, 1]]
    count, error = confusion.by_class(truth, predicted, 4)
    assert count.tolist() == [2, 3, 0, 0]
    assert error == pytest.approx([50, 200 / 3, np.nan, np.nan], nan_ok=True)


def test_the_most_confident_mistakes_come_first():
    truth, predicted = np.array([0, 0, 0, 0]), np.array([1, 0, 1, 1])
    scores = np.array([0.6, 0.9, 0.8, 0.8])
    assert confusion.most_confident(truth, predicted, scores, 2).tolist() == [2, 3]


def test_single_images_by_hand():
    """Half found and one wrong; nothing there; a miss; perfect though an unsure detection is wrong."""
    found = [
        scenes.found([HERE, ELSEWHERE], [0.9, 0.5]),
        scenes.found(),
        scenes.found([HERE], [0.4]),
        scenes.found([HERE, FAR], [0.6, 0.3]),
    ]
    targets = [scenes.truth(3, [HERE, FAR]), scenes.truth(5), scenes.truth(7, [HERE]), scenes.truth(9, [HERE])]
    evidence, pairs = gather(found, targets)
    judged = mistakes.judge(evidence, pairs)
    by_image = images.count(evidence, judged)
    assert by_image.objects.tolist() == [2, 0, 1, 1]
    assert by_image.found.tolist() == [2, 0, 0, 1]
    assert by_image.wrong.tolist() == [1, 0, 0, 0]
    assert by_image.missed.tolist() == [1, 0, 1, 0]
    assert by_image.f1 == pytest.approx([0.5, np.nan, 0, 1], nan_ok=True)
    assert by_image.worst(40).tolist() == [2, 0]
    assert by_image.worst(1).tolist() == [2]
    assert images.shown_found(evidence, judged).tolist() == [True, False, False, True]
