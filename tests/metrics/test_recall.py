"""Proposal recall is COCO's AR without categories, for more proposals than COCO counts."""

import numpy as np
import pytest
import torch

from lit_vision.errors import InputError
from lit_vision.metrics import recall as module
from lit_vision.metrics.recall import ProposalRecall
from tests.metrics import reference, scenes
from tests.metrics.scenes import found, measure, truth

BOX, FAR, MISS = [10, 10, 50, 50], [200, 200, 300, 300], [400, 0, 410, 10]


def expected(images, counts):
    """pycocotools' recall [T, A, M] with `useCats=0`, and without the default's end at 100 detections."""
    coco = reference.dataset(images[1], [1, 2, 3])
    evaluation = reference.evaluate(
        coco, reference.entries(*images, [1, 2, 3]), useCats=0, maxDets=list(counts), iouThrs=module.IOUS
    )
    return evaluation.eval["recall"][:, 0]


@pytest.mark.parametrize("backend", ["official", "fast"])
@pytest.mark.parametrize("seed", [0, 1])
def test_recall_is_pycocotools(monkeypatch, seed, backend):
    monkeypatch.setattr(module, "IMAGES", 5)  # several parts
    images = scenes.random(images=11, detections=60, seed=seed, crowds=0.3)
    counts = (2, 10, 1000)
    metric = ProposalRecall(counts, backend)
    figures = measure(metric, *images)
    want = expected(images, counts)
    assert (want[:10] > 0).mean() > 0.3
    for column, count in enumerate(counts):
        for area, size in enumerate(["", "_s", "_m", "_l"]):
            ours = figures[f"proposal_ar{size}{count}"].item()
            assert ours == pytest.approx(100 * want[:10, area, column].mean(), abs=1e-9)
        np.testing.assert_allclose(metric.curve()[f"proposal_recall{count}"], 100 * want[:, 0, column], atol=1e-9)
    assert metric.curve()["iou"].tolist() == pytest.approx([0.5 + 0.05 * n for n in range(11)])


def test_more_than_a_hundred_proposals():
    images = scenes.random(images=2, detections=600, seed=4, crowds=0)
    counts = (100, 300, 1000)
    figures = measure(ProposalRecall(counts), *images)
    want = 100 * expected(images, counts)[:10, 0].mean(0)
    assert [figures[f"proposal_ar{count}"].item() for count in counts] == pytest.approx(want.tolist(), abs=1e-9)
    assert want[0] < want[1] < want[2]


def test_a_pencil_case():
    """The first proposal is the large object, the third has IoU 0.75 with the small one: 6 of 10 thresholds."""
    small = [0, 0, 20, 20]
    images = [found([FAR, MISS, [0, 0, 20, 15]], [0.9, 0.8, 0.7])], [truth(1, [small, FAR], [4, 0])]
    metric = ProposalRecall((1, 3))
    figures = measure(metric, *images)
    assert list(figures)[:4] == ["proposal_ar1", "proposal_ar_s1", "proposal_ar_m1", "proposal_ar_l1"]
    assert figures["proposal_ar1"].item() == pytest.approx(50, abs=1e-9)
    assert figures["proposal_ar3"].item() == pytest.approx((100 + 60) / 2, abs=1e-9)
    assert figures["proposal_ar_s3"].item() == pytest.approx(60, abs=1e-9)
    assert figures["proposal_ar_l3"].item() == pytest.approx(100, abs=1e-9)
    assert figures["proposal_ar_m3"].isnan()
    assert metric.curve()["proposal_recall3"].tolist() == [100.0] * 6 + [50.0] * 5
    assert metric.curve()["proposal_recall1"].tolist() == [50.0] * 11
    assert metric.per_class() == {}


def test_crowd_and_difficult_objects_are_not_counted():
    boxes = [BOX, FAR, MISS]
    target = truth(1, boxes, crowd=[False, True, False], difficult=[False, False, True])
    figures = measure(ProposalRecall((100,)), [found([BOX], [0.5])], [target])
    assert figures["proposal_ar100"].item() == 100
    target = truth(1, boxes, crowd=[False, True, False], difficult=[True, False, True])
    assert measure(ProposalRecall((100,)), [found([BOX], [0.5])], [target])["proposal_ar100"].isnan()


@pytest.mark.parametrize("images", [([], []), ([found([BOX], [0.5])], [truth(1)])])
def test_without_objects_it_is_nan(images):
    metric = ProposalRecall()
    metric.update(*images)
    assert all(value.isnan() for value in metric.compute().values())


def test_bad_input_is_told():
    with pytest.raises(InputError, match=r"max_proposals is \[\]; give positive numbers in ascending order"):
        ProposalRecall([])
    with pytest.raises(InputError, match="backend is 'slow'; choose one of official, fast"):
        ProposalRecall(backend="slow")
    metric = ProposalRecall((5,))
    with pytest.raises(InputError, match=r"ProposalRecall.curve\(\) tells the last result"):
        metric.curve()
    measure(metric, [found([BOX], [0.5])], [truth(1, [BOX])])
    assert torch.equal(metric.curve()["proposal_recall5"], torch.full((11,), 100.0, dtype=torch.float64))
    metric.reset()
    with pytest.raises(InputError, match="call compute"):
        metric.curve()
