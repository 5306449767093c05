"""What stands behind each row: marks as derived into `evidence.json`; see `docs/evidence.md`. No torch here."""

import json
from typing import Any

from lit_vision.experiment import recipes

# Recipe, row, name of the mark: its date, code version, and what it stands on.
Evidence = dict[str, dict[str, dict[str, dict[str, Any]]]]


def evidence() -> Evidence:
    """Marks by recipe and row, as derived into `evidence.json`; `docs/evidence.md` says what each means."""
    content: Evidence = json.loads((recipes.folder() / "evidence.json").read_text(encoding="utf-8"))
    return content


def of(evidence: Evidence, recipe: str, row: str) -> list[str]:
    """Names of a row's marks that have not expired; claims with their verdicts."""
    found = {name: mark for name, mark in evidence.get(recipe, {}).get(row, {}).items() if "expired" not in mark}
    return [told for name, mark in found.items() for told in _told(name, mark["basis"])]


def _told(name: str, basis: Any) -> list[str]:
    """`claim (2 of 3 hold)` of relations between full tables, `claim C00 (holds)` of trials, else the name."""
    if name == "trial":
        return [f"claim {claim} ({verdict})" for claim, verdict in basis.items()]
    return [f"claim ({_summed(basis)})" if name == "claim" else name]


def _summed(verdicts: dict[str, str]) -> str:
    """`holds`, or how many relations of a row hold: `2 of 3 hold`."""
    held = sum(verdict.startswith("holds") for verdict in verdicts.values())
    if len(verdicts) == 1:
        return next(iter(verdicts.values())).partition(" (")[0]
    return f"{held} of {len(verdicts)} hold"
