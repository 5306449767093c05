import pytest
import torch

from lit_vision.errors import InputError
from lit_vision.ops import selection
from lit_vision.ops.selection import Selection


def test_top_pairs_of_each_level_by_hand():
    # Two levels of two and one anchors, two classes: pairs are numbered anchor * 2 + class
    logits = torch.tensor([[[1.0, 4.0], [3.0, 2.0], [0.0, 9.0]], [[5.0, 6.0], [7.0, 8.0], [1.0, 0.0]]])
    index, level = selection.top(logits, (2, 1), 3)
    assert index.tolist() == [[1, 2, 3, 5, 4], [3, 2, 1, 4, 5]]
    assert level.tolist() == [0, 0, 0, 1, 1]
    assert selection.top(logits, (2, 1), 1)[0].tolist() == [[1, 5], [3, 4]]


def found(boxes, scores, groups, **options):
    limits = {"score": 0.05, "per_level": 10, "nms": 0.5, "limit": 100} | options
    labels = torch.arange(len(boxes))
    return selection.suppress(
        torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
        torch.tensor(scores),
        torch.tensor(groups, dtype=torch.int64),
        labels,
        Selection(**limits),
    )


BOXES = [[0, 0, 10, 10], [0, 0, 10, 8], [0, 0, 10, 4], [50, 50, 60, 60]]  # overlaps with the first: 1, 0.8, 0.4, 0


def test_suppression_by_hand():
    detections = found(BOXES, [0.5, 0.9, 0.8, 0.1], [0, 0, 0, 0])
    # Best is the second; it suppresses the first (0.8), not the third (0.5 is not above 0.5)
    assert detections.labels.tolist() == [1, 2, 3]
    assert detections.scores.tolist() == pytest.approx([0.9, 0.8, 0.1])
    assert detections.boxes.tolist() == [BOXES[1], BOXES[2], BOXES[3]]


def test_groups_do_not_suppress_each_other():
    assert found(BOXES, [0.5, 0.9, 0.8, 0.1], [0, 1, 1, 0]).labels.tolist() == [1, 2, 0, 3]


def test_threshold_is_exclusive_and_limit_takes_the_best():
    assert found(BOXES, [0.06, 0.9, 0.05, 0.04], [0, 1, 2, 3]).labels.tolist() == [1, 0]
    assert found(BOXES, [0.5, 0.9, 0.8, 0.95], [0, 1, 2, 3], limit=2).labels.tolist() == [3, 1]


def test_thin_boxes_are_dropped():
    boxes = [[0, 0, 16, 16], [50, 50, 65.5, 90], [80, 80, 80, 90]]
    assert found(boxes, [0.5, 0.6, 0.7], [0, 0, 0], smallest=16).labels.tolist() == [0]
    assert found(boxes, [0.5, 0.6, 0.7], [0, 0, 0]).labels.tolist() == [2, 1, 0]


def test_nothing_to_select():
    detections = found([], [], [])
    assert (detections.boxes.shape, detections.scores.shape, detections.labels.shape) == ((0, 4), (0,), (0,))


@pytest.mark.parametrize("options", [{"score": 1.5}, {"nms": -0.1}, {"per_level": 0}, {"limit": 0}])
def test_bad_limits_are_told(options):
    with pytest.raises(InputError, match=r"^selection: score and nms lie in 0\.\.1, per_level and limit are positive"):
        Selection(**{"score": 0.05, "per_level": 10, "nms": 0.5, "limit": 100} | options)


def test_the_best_of_each_group_by_hand():
    boxes = torch.arange(20.0).reshape(5, 4)
    scores, groups = torch.tensor([0.2, 0.9, 0.5, 0.5, 0.1]), torch.tensor([7, 3, 7, 7, 1])
    labels = torch.tensor([0, 1, 2, 3, 4])
    found = selection.best_of_each(boxes, scores, groups, labels, 5)
    assert found.labels.tolist() == [1, 2, 4]  # of two equal ones the first
    assert torch.equal(found.boxes, boxes[[1, 2, 4]])
    assert found.scores.tolist() == pytest.approx([0.9, 0.5, 0.1])
    assert selection.best_of_each(boxes, scores, groups, labels, 2).labels.tolist() == [1, 2]
    assert selection.best_of_each(boxes[:0], scores[:0], groups[:0], labels[:0], 2).labels.tolist() == []


@pytest.mark.parametrize(("limit", "per_level"), [(5, 10), (300, 300)])
def test_another_number_of_boxes_asks_each_level_for_as_many(limit, per_level):
    limits = Selection(score=0.1, per_level=10, nms=0.7, limit=20, smallest=2.0)
    assert limits.keeping(limit) == Selection(score=0.1, per_level=per_level, nms=0.7, limit=limit, smallest=2.0)
