import math

import torch

from lit_vision.metrics.mean import ExactMean


def mean_of(pairs):
    metric = ExactMean()
    for value, weight in pairs:
        metric.update(torch.tensor(value), weight)
    return metric.compute()


def test_mean_is_weighted_by_the_samples():
    assert float(mean_of([(1.0, 2), (4.0, 1)])) == 2.0


def test_no_order_changes_the_last_bit():
    values = (torch.rand(200, generator=torch.Generator().manual_seed(0)).exp() * 1e3).tolist()
    pairs = [(value, 1 + number % 3) for number, value in enumerate(values)]
    assert len({float(mean_of(pairs[start:] + pairs[:start])) for start in range(0, 200, 7)}) == 1
    assert float(mean_of([(1e8, 1), (1.0, 1), (-1e8, 1)])) == torch.tensor(1 / 3).item()


def test_nothing_and_not_a_number():
    assert math.isnan(mean_of([]))
    assert math.isnan(mean_of([(1.0, 1), (math.nan, 1)]))
    assert math.isinf(mean_of([(1.0, 1), (math.inf, 1)]))


def test_reset_forgets():
    metric = ExactMean()
    metric.update(torch.tensor(1.0), 1)
    metric.reset()
    metric.update(torch.tensor(3.0), 2)
    assert float(metric.compute()) == 3.0
