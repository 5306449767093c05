"""A sample of images by weights is the sample of images itself."""

from functools import partial

import numpy as np
import pytest
import torch

from lit_vision.errors import InputError
from lit_vision.metrics import bootstrap
from lit_vision.metrics.bootstrap import Drawing
from lit_vision.metrics.coco import CocoAP
from lit_vision.metrics.matches import average_precision
from lit_vision.metrics.voc import VocAP
from tests.metrics import scenes
from tests.metrics.scenes import found, measure, truth

BOX, MISS = [0, 0, 10, 10], [300, 300, 310, 310]
METRICS = [
    partial(CocoAP, "official", num_classes=3),
    partial(VocAP, "area", num_classes=3),
    partial(VocAP, "11point", num_classes=3),
]


def drawn(images, times):
    """The sample as a data set: copies are neighbours, with ids of their own."""
    order = np.argsort([int(target.image_id) for target in images[1]])
    rows = np.repeat(order, times)
    return [images[0][row] for row in rows], [
        images[1][row]._replace(image_id=torch.tensor(new)) for new, row in enumerate(rows)
    ]


UNTIED = scenes.random(seed=1, crowds=0.2, difficult=0.2)
TIED = scenes.random(seed=2, scores=3)  # between images; within one image the copies would have to choose an order
TIED = [type(one)(*(rows[:1] for rows in one)) for one in TIED[0]], TIED[1]


@pytest.mark.parametrize("make", METRICS)
@pytest.mark.parametrize("images", [UNTIED, TIED], ids=["untied", "tied"])
def test_weights_are_copies(make, images):
    metric = make()
    measure(metric, *images)
    times = np.random.default_rng(0).multinomial(12, np.full(12, 1 / 12), size=4)
    times[0] = 1
    for figure, matches in metric.matches().items():
        ap = 100 * np.mean([average_precision(one, times, metric.interpolation) for one in matches], 0)
        for sample in range(len(times)):
            whole = make()
            value = measure(whole, *drawn(images, times[sample]))[figure]
            np.testing.assert_allclose(ap[sample], whole.per_class()[figure], atol=1e-9)
            assert np.nanmean(ap[sample]) == pytest.approx(value.item(), abs=1e-9)


@pytest.mark.parametrize("make", METRICS)
def test_the_values_are_the_metric_s_own_and_lie_inside(make):
    images = scenes.random(seed=2)
    metric = make()
    figures = measure(metric, *images)
    estimates = bootstrap.intervals(make, *images, Drawing(samples=200))
    assert list(estimates) == (["ap", "ap50"] if isinstance(metric, CocoAP) else ["map"])
    for figure, (mean, per_class) in estimates.items():
        assert mean.value.item() == pytest.approx(figures[figure].item(), abs=1e-9)
        assert mean.low < mean.value < mean.high
        assert per_class.value.tolist() == pytest.approx(metric.per_class()[figure].tolist(), abs=1e-9)
        assert (per_class.low < per_class.high).all()


def test_the_seed_decides_and_the_order_of_images_does_not():
    images = scenes.random(seed=3)
    run = partial(bootstrap.intervals, METRICS[1])
    one = run(*images, Drawing(100, seed=1))["map"].mean
    assert run(*(list(reversed(part)) for part in images), Drawing(100, seed=1))["map"].mean == one
    assert run(*images, Drawing(100, seed=2))["map"].mean != one


def test_a_binomial_by_hand():
    """Half of 40 images found, the rest missed: AP is the share found, whose deviation is sqrt(0.5 * 0.5 / 40)."""
    detections = [found([BOX if n % 2 else MISS], [0.9 if n % 2 else 0.1]) for n in range(40)]
    images = detections, [truth(n, [BOX]) for n in range(40)]
    value, low, high = bootstrap.intervals(VocAP, *images, Drawing(2000))["map"].mean
    assert value == 50
    deviation = 100 * (0.25 / 40) ** 0.5
    assert (low.item(), high.item()) == pytest.approx((50 - 1.96 * deviation, 50 + 1.96 * deviation), abs=2)


def test_a_paired_difference_is_narrower_than_either():
    """B finds what A finds, and one object of 40 more: 2.5 points, 1/40 in each image drawn; A alone varies by 8."""
    a = [found([BOX if n % 2 else MISS], [0.9 if n % 2 else 0.1]) for n in range(40)]
    b = [found([BOX], [0.8]), *a[1:]]
    targets = [truth(n, [BOX]) for n in range(40)]
    value, low, high = bootstrap.differences(VocAP, a, b, targets, Drawing(2000))["map"].mean
    assert value == pytest.approx(2.5)
    assert (low.item(), high.item()) == pytest.approx((0, 7.5), abs=1e-9)  # the image is drawn 0 to 3 times of 40
    back = bootstrap.differences(VocAP, b, a, targets, Drawing(2000))["map"]
    assert (back.mean.low, back.mean.high) == (-high, -low)
    same = bootstrap.differences(METRICS[0], b, b, targets, Drawing(20))
    assert [*map(float, (*same["ap"].mean, *same["ap50"].mean))] == [0] * 6


def test_classes_that_a_sample_lacks():
    """Class 2 is in one image of two: samples without it say nothing about it. Class 1 never has an object."""
    images = [found([BOX], [0.9]), found([BOX], [0.9], [2])], [truth(1, [BOX]), truth(2, [BOX], [2])]
    mean, per_class = bootstrap.intervals(partial(VocAP, num_classes=3), *images, Drawing(50))["map"]
    assert mean.low == mean.high == 100
    assert torch.equal(per_class.low.isnan(), torch.tensor([False, True, False]))
    assert per_class.high[2] == 100


@pytest.mark.parametrize(("count", "samples", "level"), [(0, 10, 95), (1, 0, 95), (1, 10, 100)])
def test_bad_input_is_told(count, samples, level):
    images, drawing = ([found()] * count, [truth(1)] * count), Drawing(samples, level)
    message = f"bootstrap got {count} images, samples={samples}, level={level}; give at least one image"
    with pytest.raises(InputError, match=message):
        bootstrap.intervals(VocAP, *images, drawing)
    with pytest.raises(InputError, match=message):
        bootstrap.differences(VocAP, images[0], *images, drawing)


def test_samples_are_those_of_the_interval_and_the_same_images_for_everybody():
    metric = partial(CocoAP, num_classes=3)
    drawing = Drawing(samples=200, seed=4)
    samples = bootstrap.samples(metric, *UNTIED, drawing)
    whole = bootstrap.intervals(metric, *UNTIED, drawing)["ap50"].mean
    assert np.percentile(samples["ap50"], [2.5, 97.5]) == pytest.approx([float(whole.low), float(whole.high)])
    halved = [type(one)(*(rows[::2] for rows in one)) for one in UNTIED[0]]
    paired = bootstrap.samples(metric, halved, UNTIED[1], drawing)["ap50"] - samples["ap50"]
    told = bootstrap.differences(metric, UNTIED[0], halved, UNTIED[1], drawing)["ap50"].mean
    assert np.percentile(paired, [2.5, 97.5]) == pytest.approx([float(told.low), float(told.high)])
