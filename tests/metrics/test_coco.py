"""COCO's figures equal pycocotools', whatever the images look like."""

import json

import pytest
import torch
from torchmetrics import MetricCollection

from lit_vision.errors import InputError
from lit_vision.metrics import coco
from lit_vision.metrics.coco import CocoAP
from lit_vision.metrics.recall import ProposalRecall
from lit_vision.metrics.voc import VocAP
from lit_vision.types import Detections
from tests.metrics import reference, scenes
from tests.metrics.scenes import found, measure, truth

BOX, FAR = [10, 10, 50, 50], [200, 200, 260, 280]
HALF = [10, 10, 50, 30]  # IoU with BOX is exactly 0.5

SCENES = {
    "random": scenes.random(),
    "one class": scenes.random(classes=1, seed=1),
    "ties": scenes.random(seed=2, scores=3),
    "all scores equal": scenes.random(seed=3, scores=1),
    "crowds": scenes.random(seed=4, crowds=0.6),
    "only crowds": scenes.random(seed=5, crowds=1.1),
    "more than 100 detections": scenes.random(images=4, classes=2, detections=290, seed=6, scores=20),
    "no detections": scenes.random(detections=0, seed=7),
    "no objects": ([found([BOX], [0.5], [1])], [truth(3)]),
    "nothing": ([found(), found()], [truth(1), truth(2)]),
    "class never found": ([found([BOX], [0.5], [0])], [truth(1, [BOX, FAR], [0, 2])]),
    "class never there": ([found([BOX, FAR], [0.5, 0.9], [0, 1])], [truth(1, [BOX], [0])]),
    "overlap at the threshold": ([found([HALF], [0.5])], [truth(1, [BOX])]),
    "equal overlaps": ([found([BOX, BOX], [0.5, 0.5])], [truth(1, [BOX, BOX])]),
    "detection in a crowd, twice": ([found([HALF, HALF, BOX], [0.9, 0.8, 0.7])], [truth(1, [BOX], crowd=[True])]),
    "crowd and object": ([found([BOX, HALF], [0.9, 0.8])], [truth(1, [BOX, BOX], crowd=[True, False])]),
    "areas at the bounds": (
        [found([[0, 0, 32, 32], [40, 40, 136, 136]], [0.9, 0.8])],
        [truth(1, [[0, 0, 32, 32], [40, 40, 136, 136]])],
    ),
    "empty boxes": ([found([[5, 5, 5, 9], BOX], [0.9, 0.8])], [truth(1, [[5, 5, 5, 9], BOX])]),
}


def same(one, other):
    """Bit for bit, NaN like NaN."""
    return one.keys() == other.keys() and all(torch.equal(one[n].nan_to_num(-1), other[n].nan_to_num(-1)) for n in one)


def expected(found, targets, classes):
    ids = list(range(1, classes + 1))
    return reference.evaluate(reference.dataset(targets, ids), reference.entries(found, targets, ids))


@pytest.mark.parametrize("backend", ["official", "fast"])
@pytest.mark.parametrize("scene", SCENES)
def test_the_twelve_figures_are_pycocotools(scene, backend):
    metric = CocoAP(backend, num_classes=3)
    figures = measure(metric, *SCENES[scene])
    evaluation = expected(*SCENES[scene], classes=3)
    want = reference.figures(evaluation)
    assert list(figures) == list(reference.NAMES)
    got = torch.stack(list(figures.values()))
    torch.testing.assert_close(
        got, torch.tensor(list(want.values()), dtype=torch.float64), rtol=0, atol=1e-9, equal_nan=True
    )
    precision = torch.from_numpy(evaluation.eval["precision"])[..., 0, -1]  # [T, R, K]
    by_class = torch.where(precision > -1, 100 * precision, torch.nan)
    per_class = metric.per_class()
    torch.testing.assert_close(per_class["ap"], by_class.mean((0, 1)), rtol=0, atol=1e-9, equal_nan=True)
    torch.testing.assert_close(per_class["ap50"], by_class[0].mean(0), rtol=0, atol=1e-9, equal_nan=True)


def test_the_scenes_say_something():
    want = reference.figures(expected(*SCENES["random"], classes=3))
    assert all(1 < value < 99 for value in want.values()), want


def test_a_pencil_case():
    """Of two objects the best detection finds one: precision 1 up to recall 0.5, which are 51 of the 101 points."""
    images = [found([BOX, FAR], [0.9, 0.8]), found()], [truth(1, [BOX]), truth(2, [BOX])]
    figures = measure(CocoAP("fast"), *images)
    assert figures["ap50"].item() == pytest.approx(100 * 51 / 101, abs=1e-9)
    assert figures["ar100"].item() == pytest.approx(50, abs=1e-9)
    assert figures["ap_l"].isnan()


@pytest.mark.parametrize("backend", ["official", "fast"])
def test_other_numbers_of_detections(backend):
    images = scenes.random(seed=8, classes=2)
    figures = measure(CocoAP(backend, max_detections=(2, 5), num_classes=2), *images)
    truth = reference.dataset(images[1], [1, 2])
    whole = reference.evaluate(truth, reference.entries(*images, [1, 2]), maxDets=[2, 5])
    recall = whole.eval["recall"]
    assert list(figures)[6:8] == ["ar2", "ar5"]
    for index, name in enumerate(["ar2", "ar5"]):
        assert figures[name].item() == pytest.approx(100 * recall[:, :, 0, index].mean(), abs=1e-9)
    assert figures["ap"].item() == pytest.approx(100 * whole.eval["precision"][:, :, :, 0, 1].mean(), abs=1e-9)


def test_order_of_images_and_batches_changes_no_bit():
    images = scenes.random(seed=9, scores=4)
    turned = [list(reversed(part)) for part in images]
    one, other = measure(CocoAP("fast"), *images, batch=12), measure(CocoAP("fast"), *turned, batch=1)
    assert same(one, other)


def test_a_result_file_in_original_pixels_with_the_file_s_ids(tmp_path):
    """A 427x640 image shown at 1.6 times its size to a detector; classes 1, 5 and 90."""
    ids, scale = [1, 5, 90], 1.6
    boxes = [[12.5, 7.25, 101.0, 300.75], [400.1, 20.2, 639.9, 426.3], [0, 0, 64, 48]]
    target = truth(139, boxes, [2, 1, 0])._replace(original_size=torch.tensor([427, 640]))
    shown = torch.tensor(boxes) * scale + torch.tensor([1.0, -2.0, 3.0, 2.0])
    detections = Detections(shown / scale, torch.tensor([0.9, 0.8, 0.3]), torch.tensor([2, 1, 1]))
    entries = coco.results(139, detections, ids)
    file = tmp_path / "detections.json"
    file.write_text(json.dumps(entries))
    assert [entry["category_id"] for entry in entries] == [90, 5, 5]
    x, y, width, height = entries[0]["bbox"]
    assert (x, y) == pytest.approx((12.5 + 1 / 1.6, 7.25 - 2 / 1.6), abs=1e-4)
    assert (width, height) == pytest.approx((88.5 + 2 / 1.6, 293.5 + 4 / 1.6), abs=1e-4)
    evaluation = reference.evaluate(reference.dataset([target], ids), str(file))
    want = reference.figures(evaluation)
    assert 20 < want["ap"] < 80
    for backend in ("official", "fast"):
        figures = measure(CocoAP(backend, num_classes=3), [detections], [target])
        assert {n: v.item() for n, v in figures.items()} == pytest.approx(want, abs=1e-9, nan_ok=True)


def test_nothing_at_all_is_nan_and_reset_forgets():
    metric = CocoAP("fast")
    measure(metric, *SCENES["random"])
    assert metric.per_class()["ap"].shape == (3,)
    metric.reset()
    with pytest.raises(InputError, match=r"CocoAP.per_class\(\) tells the last result: call compute\(\) before it"):
        metric.per_class()
    metric.update([], [])
    assert all(value.isnan() for value in metric.compute().values())


def test_in_a_collection_the_images_are_kept_once():
    images = scenes.random(seed=10, difficult=0.2)
    collection = MetricCollection([CocoAP("fast"), VocAP(), ProposalRecall((10,))])
    for first in range(0, 12, 4):
        collection.update(images[0][first : first + 4], images[1][first : first + 4])
    figures = collection.compute()
    alone = {}
    for metric in (CocoAP("fast"), VocAP(), ProposalRecall((10,))):
        alone |= measure(metric, *images)
    assert same(figures, alone)
    assert len(collection.compute_groups) == 1
    assert collection["VocAP"].per_class()["map"].shape == (3,)
    collection.reset()
    collection.update(images[0][:4], images[1][:4])
    assert collection.compute()["map"] == measure(VocAP(), images[0][:4], images[1][:4])["map"]


def test_forward_tells_the_batch_and_keeps_the_rest():
    images = scenes.random(seed=11)
    metric = VocAP()
    first = metric(images[0][:6], images[1][:6])
    metric(images[0][6:], images[1][6:])
    assert first == measure(VocAP(), images[0][:6], images[1][:6])
    assert metric.compute() == measure(VocAP(), *images)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: CocoAP("faster"), "backend is 'faster'; choose one of official, fast"),
        (
            lambda: CocoAP(max_detections=[100, 10]),
            r"max_detections is \[100, 10\]; give positive numbers in ascending",
        ),
        (lambda: measure(CocoAP(), [found()], [truth(1)] * 2), "detections of 1 images and targets of 2"),
        (lambda: measure(CocoAP(), [found()] * 3, [truth(n) for n in (7, 8, 7)]), "image id 7 was evaluated more than"),
        (
            lambda: measure(CocoAP(num_classes=2), [found([BOX], [0.5], [2])], [truth(1)]),
            r"CocoAP got label 2; labels of 2 classes are 0..1: check num_classes",
        ),
        (
            lambda: measure(CocoAP(), [found(), found([BOX], [float("nan")])], [truth(8), truth(5)]),
            "image 5: a detection has the score nan and the box",
        ),
    ],
)
def test_bad_input_is_told(make, message):
    with pytest.raises(InputError, match=message) as error:
        make()
    assert str(error.value).count("\n") < 3
