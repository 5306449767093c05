"""In what two runs, or groups of runs, differ: data, code, packages, configuration, seed, machine. No torch here."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lit_vision.report import identity
from lit_vision.report.collect import Run

# In the order in which one should look for a cause.
KINDS = ("data", "code", "packages", "configuration", "seed", "machine")


@dataclass(frozen=True)
class Difference:
    """One thing in which A and B differ.

    Attributes:
        kind: One of `KINDS`.
        key: What it is, e.g. `fingerprint`, `torch`, `model.optimizer.lr`.
        a: All values that occur in A.
        b: All values that occur in B.
    """

    kind: str
    key: str
    a: tuple[Any, ...]
    b: tuple[Any, ...]


def find(a: Sequence[Run], b: Sequence[Run]) -> list[Difference]:
    """All differences, in the order of `KINDS`; what one side does not know is no difference."""
    left, right = [_facts(run) for run in a], [_facts(run) for run in b]
    found = []
    for kind in KINDS:
        sides = ([facts[kind] for facts in left], [facts[kind] for facts in right])
        for key in dict.fromkeys(key for side in sides for facts in side for key in facts):
            values = [_values(side, key, absent=kind == "configuration") for side in sides]
            if all(values) and {*map(_spelled, values[0])} != {*map(_spelled, values[1])}:
                found.append(Difference(kind, key, *values))
    return found


def _facts(run: Run) -> dict[str, dict[str, Any]]:
    leaves = identity.settings(run)
    result = run.result
    code = result.get("code") or (run.config.get("origin") or {}).get("code")
    return {
        "data": dict(result.get("data") or {}),
        "code": {"version": code} if code else {},
        "packages": dict(result.get("packages") or {}),
        "configuration": {"recipe": run.recipe, "row": run.row}
        | {key: value for key, value in leaves.items() if key not in identity.SEEDS and not identity.is_machine(key)},
        "seed": {key: leaves[key] for key in identity.SEEDS if key in leaves} or {"seed_everything": run.seed},
        "machine": dict(result.get("hardware") or {})
        | {key: value for key, value in leaves.items() if identity.is_machine(key)},
    }


def _values(side: Iterable[Mapping[str, Any]], key: str, absent: bool) -> tuple[Any, ...]:
    """Distinct values on one side. A key that is absent from a configuration is a value of its own: another class."""
    values = {_spelled(facts[key]): facts[key] for facts in side if key in facts}
    missing = {"": ABSENT} if absent and any(key not in facts for facts in side) else {}
    return tuple((values | missing).values())


ABSENT = "(not set)"


def _spelled(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)
