"""The plan of a sweep: which points it visits, the same wherever it is enumerated. No torch here."""

import itertools
import math
import random
from dataclasses import dataclass
from typing import Any

from lit_vision.errors import InputError
from lit_vision.sweeps.definition import SEED, Sweep
from lit_vision.sweeps.parameters import LARGEST, Raw


@dataclass(frozen=True)
class Point:
    """One trial of the plan.

    Attributes:
        number: Its place in the plan.
        raw: Raw values by parameter; empty where the sampler of `bayes` chooses when the trial begins.
        values: What the trial gets, by dotted key; empty likewise.
    """

    number: int
    raw: dict[str, Raw]
    values: dict[str, Any]


def enumerate_all(sweep: Sweep, seeds: int | None = None) -> list[Point]:
    """Every point, in order.

    Args:
        sweep: The sweep.
        seeds: Repeats each point with so many seeds, from 1.

    Raises:
        InputError: If the plan is too large, or `seeds` cannot apply.
    """
    if seeds and sweep.method == "bayes":
        raise InputError("--seeds repeats the points of a grid or a random plan; bayes has none; repeat its best point")
    if seeds and any(parameter.name == SEED for parameter in sweep.parameters):
        raise InputError(f"--seeds: {sweep.source} has {SEED} among its parameters already")
    drawn = _grid(sweep) if sweep.method == "grid" else _drawn(sweep)
    raws = drawn[: sweep.run_cap]
    repeats: list[dict[str, Any]] = [{SEED: seed} for seed in range(1, seeds + 1)] if seeds else [{}]
    pairs = itertools.product(raws, repeats)
    return [Point(number, raw, values(sweep, raw) | seed) for number, (raw, seed) in enumerate(pairs)]


def values(sweep: Sweep, raw: dict[str, Raw]) -> dict[str, Any]:
    """What a trial gets for raw values; nothing for none."""
    return {parameter.name: parameter.value(raw[parameter.name]) for parameter in sweep.parameters} if raw else {}


def _grid(sweep: Sweep) -> list[dict[str, Raw]]:
    """All combinations; the last parameter changes fastest."""
    size = math.prod(len(one.choices or ()) for one in sweep.parameters)
    if size > LARGEST:
        raise InputError(f"{sweep.source}: the grid has {size:,} points, more than {LARGEST:,}; choose method random")
    axes = [[(one.name, raw) for raw in one.raws] for one in sweep.parameters]
    return [dict(combination) for combination in itertools.product(*axes)]


def _drawn(sweep: Sweep) -> list[dict[str, Raw]]:
    """Random points, or empty ones for `bayes`. A point depends on the sweep's name and its number alone."""
    count = sweep.run_cap or 0
    if count > LARGEST:
        raise InputError(f"{sweep.source}: run_cap is {count:,}, more than {LARGEST:,}; choose fewer trials")
    if sweep.method == "bayes":
        return [{} for _ in range(count)]
    generators = [random.Random(f"{sweep.name}/{number}") for number in range(count)]
    return [{one.name: one.draw(numbers) for one in sweep.parameters} for numbers in generators]
