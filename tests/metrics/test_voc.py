"""VOC's average precision: cases for a pencil, and the devkit's loop beside ours."""

import pytest
import torch

from lit_vision.errors import InputError
from lit_vision.metrics.voc import VocAP
from tests.metrics import scenes
from tests.metrics.scenes import found, measure, truth

BOX, FAR, NEXT = [0, 0, 10, 10], [100, 100, 120, 120], [50, 0, 60, 10]
HALF = [0, 0, 10, 5]  # IoU with BOX is exactly 0.5
MISS = [300, 300, 310, 310]


def value(images, style="area", **arguments):
    return measure(VocAP(style, **arguments), *images)["map"].item()


def percent(part):
    return pytest.approx(100 * part, abs=1e-9)


def test_right_wrong_right():
    """Precision 1, 1/2, 2/3 at recall 1/2, 1/2, 1: half the area at height 1, half at 2/3; six points and five."""
    images = [found([BOX, MISS, FAR], [0.9, 0.8, 0.7])], [truth(1, [BOX, FAR])]
    assert value(images) == percent(1 / 2 + 1 / 2 * 2 / 3)
    assert value(images, "11point") == percent((6 + 5 * 2 / 3) / 11)


def test_a_missed_object_ends_the_curve():
    images = [found([BOX], [0.9])], [truth(1, [BOX, FAR])]
    assert value(images) == percent(1 / 2)
    assert value(images, "11point") == percent(6 / 11)


def test_the_second_detection_of_an_object_is_wrong_even_if_it_fits_better():
    """The higher score takes the object. The rest is a wrong one before the right one: 1 and 2/3, as above."""
    images = [found([HALF, BOX, FAR], [0.9, 0.8, 0.7])], [truth(1, [BOX, FAR])]
    assert value(images) == percent(1 / 2 + 1 / 2 * 2 / 3)


def test_a_taken_object_is_not_exchanged_for_the_next_best():
    """Both overlap the first object more; COCO would give the second detection the second object."""
    objects = [[0, 0, 10, 10], [0, 0, 10, 11]]
    images = [found([[0, 0, 10, 10]] * 2, [0.9, 0.8])], [truth(1, objects)]
    assert value(images) == percent(1 / 2)


def test_of_equal_overlaps_the_first_object_is_taken():
    images = [found([BOX, BOX], [0.9, 0.8])], [truth(1, [BOX, BOX], difficult=[True, False])]
    assert value(images) == 0
    images = [found([BOX, BOX], [0.9, 0.8])], [truth(1, [BOX, BOX], difficult=[False, True])]
    assert value(images) == percent(1)


def test_difficult_objects_are_neither_counted_nor_wrong():
    images = [found([FAR, FAR, BOX], [0.9, 0.8, 0.7])], [truth(1, [BOX, FAR], difficult=[False, True])]
    assert value(images) == percent(1)
    assert value(images, "11point") == percent(1)


def test_the_overlap_must_reach_the_threshold():
    images = [found([HALF], [0.9])], [truth(1, [BOX])]
    assert value(images) == percent(1)
    assert value(images, iou=0.51) == 0


def test_inclusive_corners_of_the_devkit_overlap_alike():
    """Devkit corners 1 1 10 10 and 1 1 10 5: 10 x 5 of 10 x 10 pixels, `(10 - 1 + 1) * (5 - 1 + 1) / 100 = 0.5`."""

    def from_devkit(x1, y1, x2, y2):
        return [x1 - 1, y1 - 1, x2, y2]

    images = [found([from_devkit(1, 1, 10, 5)], [0.9])], [truth(1, [from_devkit(1, 1, 10, 10)])]
    assert value(images, iou=0.5) == percent(1)
    assert value(images, iou=0.5000001) == 0
    touching = [found([from_devkit(11, 1, 20, 10)], [0.9])], [truth(1, [from_devkit(1, 1, 10, 10)])]
    assert value(touching, iou=1e-9) == 0


def test_equal_scores_rank_by_image_and_then_as_detected():
    """Wrong in image 1 before right in image 2 at the same score, whatever came first."""
    images = [found([BOX], [0.5]), found([MISS], [0.5])], [truth(2, [BOX]), truth(1)]
    assert value(images) == percent(1 / 2)
    images = [found([BOX], [0.5]), found([MISS], [0.5])], [truth(1, [BOX]), truth(2)]
    assert value(images) == percent(1)
    images = [found([MISS, BOX], [0.5, 0.5])], [truth(1, [BOX])]
    assert value(images) == percent(1 / 2)


def test_eleven_points_are_matlab_s_range():
    """3 of 10 do not reach MATLAB's fourth point, 3 * 0.1; 7 of 10 reach its eighth, 1 - 3 * 0.1."""
    for right, points in ((3, 3), (6, 7), (7, 8)):
        boxes = [[20 * n, 0, 20 * n + 10, 10] for n in range(10)]
        images = [found(boxes[:right], [0.9 - 0.01 * n for n in range(right)])], [truth(1, boxes)]
        assert value(images, "11point") == percent(points / 11)


def test_classes_with_and_without_objects():
    """Class 0 is found, class 1 missed, class 2 has no object, class 3 only a difficult one."""
    images = (
        [found([BOX, MISS, NEXT], [0.9, 0.8, 0.7], [0, 2, 3])],
        [truth(1, [BOX, FAR, NEXT], [0, 1, 3], difficult=[False, False, True])],
    )
    metric = VocAP(num_classes=4)
    assert measure(metric, *images)["map"].item() == percent(1 / 2)
    assert metric.per_class()["map"][:2].tolist() == [pytest.approx(100), 0]
    assert metric.per_class()["map"][2:].isnan().all()


@pytest.mark.parametrize(
    "images", [([found()], [truth(1)]), ([found([BOX], [0.9])], [truth(1, [BOX], difficult=[True])])]
)
def test_no_object_to_find_is_nan(images):
    assert measure(VocAP(), *images)["map"].isnan()


def devkit(found, targets, label, iou):
    """`VOCevaldet.m` and both `VOCap.m`, line by line, on inclusive corners; [area, 11 points]."""
    truth, positives, rows = {}, 0, []
    for one, target in sorted(zip(found, targets, strict=True), key=lambda pair: int(pair[1].image_id)):
        image = int(target.image_id)
        corners = target.original_boxes + torch.tensor([1, 1, 0, 0])
        truth[image] = [
            {"box": box, "difficult": hard, "taken": False}
            for box, kind, hard in zip(corners.tolist(), target.labels.tolist(), target.difficult.tolist(), strict=True)
            if kind == label
        ]
        positives += sum(not thing["difficult"] for thing in truth[image])
        corners = one.boxes.double() + torch.tensor([1, 1, 0, 0])
        for box, score, kind in zip(corners.tolist(), one.scores.tolist(), one.labels.tolist(), strict=True):
            if kind == label:
                rows.append((score, image, box))
    right, wrong, recall, precision = 0, 0, [], []
    for _, image, box in sorted(rows, key=lambda row: -row[0]):
        most, nearest = -1.0, None
        for thing in truth[image]:
            other = thing["box"]
            width = min(box[2], other[2]) - max(box[0], other[0]) + 1
            height = min(box[3], other[3]) - max(box[1], other[1]) + 1
            if width > 0 and height > 0:
                both = sum((b[2] - b[0] + 1) * (b[3] - b[1] + 1) for b in (box, other))
                overlap = width * height / (both - width * height)
                if overlap > most:
                    most, nearest = overlap, thing
        if most < iou:
            wrong += 1
        elif not nearest["difficult"]:
            right, wrong = right + (not nearest["taken"]), wrong + nearest["taken"]
            nearest["taken"] = True
        if right + wrong:
            recall.append(right / positives)
            precision.append(right / (right + wrong))
    steps = zip([0, *recall], [*recall, 1], strict=True)
    area = sum((new - old) * max(precision[n:], default=0) for n, (old, new) in enumerate(steps))
    tenths = [0, 0.1, 0.2, 3 * 0.1, 0.4, 0.5, 1 - 0.4, 1 - 3 * 0.1, 1 - 0.2, 1 - 0.1, 1]
    points = [max((p for r, p in zip(recall, precision, strict=True) if r >= t), default=0) for t in tenths]
    return area, sum(points) / 11


@pytest.mark.parametrize("scores", [None, 3])
@pytest.mark.parametrize("iou", [0.5, 0.7])
def test_the_devkit_s_loop_gives_the_same(scores, iou):
    for seed in range(3):
        images = scenes.random(seed=seed, scores=scores, difficult=0.3, crowds=0)
        for column, style in enumerate(["area", "11point"]):
            metric = VocAP(style, iou=iou, num_classes=3)
            measure(metric, *images)
            want = [100 * devkit(*images, label, iou)[column] for label in range(3)]
            assert metric.per_class()["map"].tolist() == pytest.approx(want, abs=1e-9)


def test_many_pairs_go_in_chunks(monkeypatch):
    images = scenes.random(seed=5, difficult=0.2)
    whole = value(images)
    monkeypatch.setattr("lit_vision.metrics.voc.PAIRS", 7)
    assert value(images) == whole


def test_bad_input_is_told():
    with pytest.raises(InputError, match="VocAP style is '12point'; choose area"):
        VocAP("12point")
    with pytest.raises(InputError, match=r"VocAP iou is 50; give an overlap above 0 and at most 1"):
        VocAP(iou=50)
