"""W&B's distributions: what they imply, what they draw, what is refused."""

import math
import random
import statistics

import pytest

from lit_vision.errors import InputError
from lit_vision.sweeps import parameters


def parse(content, method="random", name="x"):
    return parameters.parse(name, content, method)


def drawn(content, count=4000):
    one, numbers = parse(content), random.Random(0)
    return [one.value(one.draw(numbers)) for _ in range(count)]


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        ({"value": 3}, "constant"),
        ({"values": [1, "a"]}, "categorical"),
        ({"values": [1, 2], "probabilities": [0.5, 0.5]}, "categorical_w_probabilities"),
        ({"min": 1, "max": 4}, "int_uniform"),
        ({"min": 1, "max": 4.0}, "uniform"),
        ({"distribution": "normal"}, "normal"),
    ],
)
def test_the_distribution_that_wandb_implies(content, kind):
    assert parse(content).kind == kind


@pytest.mark.parametrize(
    ("content", "median"),
    [
        ({"min": 0.0, "max": 1.0}, 0.5),
        ({"distribution": "log_uniform_values", "min": 0.01, "max": 1.0}, 0.1),
        ({"distribution": "inv_log_uniform_values", "min": 0.01, "max": 1.0}, 0.1),
        ({"distribution": "log_uniform", "min": math.log(0.01), "max": 0}, 0.1),
        ({"distribution": "inv_log_uniform", "min": 0, "max": -math.log(0.01)}, 0.1),
        ({"distribution": "normal", "mu": 5, "sigma": 1}, 5),
        ({"distribution": "log_normal", "mu": math.log(7), "sigma": 0.5}, 7),
        ({"distribution": "beta", "a": 2, "b": 2}, 0.5),
    ],
)
def test_medians_of_the_distributions(content, median):
    assert statistics.median(drawn(content)) == pytest.approx(median, rel=0.08)


def test_quantised_values_are_multiples_and_whole_where_q_is_whole():
    assert set(drawn({"distribution": "q_uniform", "min": 0, "max": 1, "q": 0.3})) == {0.0, 0.3, 0.6, 0.9}
    batches = drawn({"distribution": "q_log_uniform_values", "min": 16, "max": 128, "q": 16})
    assert set(batches) == {16, 32, 48, 64, 80, 96, 112, 128}
    assert all(type(batch) is int for batch in batches)


def test_bounds_are_kept_and_whole_numbers_stay_whole():
    values = drawn({"distribution": "log_uniform_values", "min": 0.01, "max": 1.0})
    assert 0.01 <= min(values) < 0.011
    assert 0.95 < max(values) <= 1.0
    assert set(drawn({"min": 1, "max": 3})) == {1, 2, 3}


def test_probabilities_weigh():
    values = drawn({"values": ["rare", "common"], "probabilities": [0.1, 0.9]})
    assert values.count("rare") / len(values) == pytest.approx(0.1, abs=0.02)


def test_choices_that_are_lists_survive():
    one = parse({"values": [[400], [400, 800]]})
    assert [one.value(raw) for raw in one.raws] == [[400], [400, 800]]
    assert one.raws == ["[400]", "[400, 800]"]


@pytest.mark.parametrize(
    ("content", "values"),
    [
        ({"value": 3}, [3]),
        ({"values": ["b", "a"]}, ["b", "a"]),
        ({"min": 2, "max": 5}, [2, 3, 4, 5]),
        ({"distribution": "q_uniform", "min": 0.1, "max": 0.4, "q": 0.1}, [0.1, 0.2, 0.3, 0.4]),
    ],
)
def test_values_of_a_grid(content, values):
    assert parse(content, "grid").choices == values


@pytest.mark.parametrize(
    ("content", "method", "message"),
    [
        (3, "grid", "parameters.x is 3; expected a mapping"),
        ({"min": 1}, "grid", "parameters.x: give value, values, min and max"),
        ({"min": 0.0, "max": 1.0}, "grid", "a grid takes value, values, int_uniform and q_uniform, not uniform"),
        ({"parameters": {"lr": {"value": 1}}}, "grid", "write dotted keys, such as x.KEY"),
        ({"values": []}, "grid", "parameters.x.values is []; expected a list"),
        ({"values": [1, None]}, "grid", "W&B would pass null as the text None"),
        ({"distribution": "unifrom", "min": 0, "max": 1}, "random", "did you mean 'uniform'?"),
        ({"distribution": "uniform", "min": 0}, "random", "parameters.x: uniform needs max"),
        ({"distribution": "uniform", "min": 0, "max": 1, "q": 1}, "random", "parameters.x.q: uniform takes min, max"),
        ({"min": 2, "max": 1}, "random", "min 2 is not below max 1"),
        ({"min": "a", "max": 1}, "random", "parameters.x.min is 'a'; expected a number"),
        ({"distribution": "log_uniform_values", "min": 0, "max": 1}, "random", "needs a positive one"),
        ({"distribution": "q_uniform", "min": 0, "max": 1, "q": 0}, "random", "parameters.x.q is 0"),
        ({"values": [1, 2], "probabilities": [0.5]}, "random", "expected 2 numbers that add up to 1"),
        ({"values": [1, 2], "probabilities": [0.5, 0.5]}, "bayes", "bayes ignores probabilities"),
    ],
)
def test_what_is_refused(content, method, message):
    with pytest.raises(InputError) as told:
        parse(content, method)
    assert message in str(told.value)
