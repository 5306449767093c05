"""Plans: grids in order, random points that depend on nothing but name and number, seeds as repeats."""

import pytest

from lit_vision.errors import InputError
from lit_vision.sweeps import definition, points
from tests.sweeps.test_definition import GOOD


def sweep(**change):
    return definition.parse(GOOD | change, "mine.yaml")


RANDOM = {
    "method": "random",
    "run_cap": 12,
    "parameters": {"lr": {"min": 0.0, "max": 1.0}, "batch": {"values": [1, 2]}, "k": {"value": 5}},
}


def test_a_grid_is_every_combination_once_and_the_last_changes_fastest():
    plan = points.enumerate_all(sweep(parameters={"a": {"values": [1, 2]}, "b": {"values": ["x", "y", "z"]}}))
    assert [point.number for point in plan] == list(range(6))
    assert [tuple(point.values.values()) for point in plan[:4]] == [(1, "x"), (1, "y"), (1, "z"), (2, "x")]


def test_run_cap_cuts_a_grid():
    assert len(points.enumerate_all(sweep(run_cap=1))) == 1


def test_random_points_are_the_same_each_time_and_a_longer_plan_only_adds():
    plan = points.enumerate_all(sweep(**RANDOM))
    assert plan == points.enumerate_all(sweep(**RANDOM))
    longer = points.enumerate_all(sweep(**RANDOM | {"run_cap": 20}))
    assert longer[:12] == plan
    assert len({point.values["lr"] for point in longer}) == 20
    assert {point.values["k"] for point in longer} == {5}
    assert plan != points.enumerate_all(sweep(**RANDOM, name="other"))


def test_seeds_repeat_every_point():
    plan = points.enumerate_all(sweep(), seeds=3)
    assert [(point.values["model.optimizer.lr"], point.values["seed_everything"]) for point in plan] == [
        *((0.1, 1), (0.1, 2), (0.1, 3)),
        *((0.2, 1), (0.2, 2), (0.2, 3)),
    ]


def test_bayes_has_places_without_values():
    plan = points.enumerate_all(sweep(method="bayes", run_cap=3))
    assert [(point.number, point.values) for point in plan] == [(0, {}), (1, {}), (2, {})]


@pytest.mark.parametrize(
    ("change", "seeds", "message"),
    [
        ({"method": "bayes", "run_cap": 3}, 2, "--seeds repeats the points of a grid or a random plan"),
        ({"parameters": {"seed_everything": {"values": [1, 2]}}}, 2, "among its parameters already"),
        ({"parameters": {name: {"min": 0, "max": 999} for name in "ab"}}, None, "the grid has 1,000,000 points"),
    ],
)
def test_what_is_refused(change, seeds, message):
    with pytest.raises(InputError, match=message):
        points.enumerate_all(sweep(**change), seeds)
