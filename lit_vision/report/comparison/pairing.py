"""Which run of A belongs to which run of B: same seed and same everything but what sets the groups apart."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lit_vision.report import activity, numbers
from lit_vision.report import statistics as stats
from lit_vision.report.collect import Run
from lit_vision.report.ledger import record
from lit_vision.report.statistics import Estimate

Pairs = list[tuple[Run, Run]]


@dataclass(frozen=True)
class FigureOfGroups:
    """One figure of two groups.

    Attributes:
        name: Logged name.
        a: Values of A's runs.
        b: Values of B's runs.
        estimate: Of the difference B - A.
    """

    name: str
    a: tuple[float, ...]
    b: tuple[float, ...]
    estimate: Estimate


def newest(runs: Sequence[Run]) -> list[Run]:
    """The runs without those that were done again later: same recipe, row, seed and changes."""
    found: dict[str, Run] = {}
    for run in sorted(runs, key=lambda run: activity.of(run).time):
        again = str(run.path) if run.seed is None else json.dumps(_identity(run), sort_keys=True)
        found[again] = run
    return [run for run in runs if any(run is kept for kept in found.values())]


def pairs(a: Sequence[Run], b: Sequence[Run]) -> Pairs:
    """Runs that differ only in what sets the groups apart; fewer than two pair none.

    A key sets the groups apart if none of its values occurs in both: for seeds of two rows that is the row, for two
    sweeps of learning rates with and without an augmentation it is the augmentation. The seed never does.
    """
    left, right = [_identity(run) for run in a], [_identity(run) for run in b]
    shared = [
        key
        for key in sorted({key for identity in [*left, *right] for key in identity})
        if key == "seed" or {i.get(key) for i in left} & {i.get(key) for i in right}
    ]
    ours, theirs = (
        {tuple(identity.get(key) for key in shared): run for identity, run in zip(identities, runs, strict=True)}
        for identities, runs in ((left, a), (right, b))
    )
    if len(ours) < len(a) or len(theirs) < len(b):
        return []  # what sets the groups apart takes several values within one of them: which belongs to which?
    found = [(run, theirs[key]) for key, run in ours.items() if key in theirs]
    return found if len(found) > 1 else []


def _identity(run: Run) -> dict[str, str]:
    content: dict[str, Any] = {"recipe": run.recipe, "row": run.row}
    content |= run.result.get("changed") or {}
    content |= record.sweep(run).get("parameters") or {}
    content = {key: value for key, value in content.items() if key != "seed_everything"} | {"seed": run.seed}
    return {key: json.dumps(value, sort_keys=True, default=str) for key, value in content.items()}


def figures(a: Sequence[Run], b: Sequence[Run], paired: Pairs) -> list[FigureOfGroups]:
    """Every figure that both groups have, those of single classes left out, the judged one first."""
    first = a[0].result.get("metric", "")
    names = dict.fromkeys([first, *(name for run in a for name in run.result["figures"] if name.count("/") == 1)])
    found = (_figure(name, a, b, paired) for name in names)
    return [figure for figure in found if figure is not None]


def _figure(name: str, a: Sequence[Run], b: Sequence[Run], paired: Pairs) -> FigureOfGroups | None:
    left, right = _known(name, a), _known(name, b)
    if not left or not right:
        return None
    both = [
        (one, other)
        for x, y in paired
        if (one := _value(name, x)) is not None and (other := _value(name, y)) is not None
    ]
    if len(both) > 1:
        estimate = stats.paired([one for one, _ in both], [other for _, other in both])
    else:
        estimate = stats.unpaired(left, right)
    return FigureOfGroups(name, tuple(left), tuple(right), estimate)


def _known(name: str, runs: Sequence[Run]) -> list[float]:
    return [value for run in runs if (value := _value(name, run)) is not None]


def _value(name: str, run: Run) -> float | None:
    return numbers.finite(run.result["figures"].get(name))
