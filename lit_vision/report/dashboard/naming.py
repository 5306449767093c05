"""What a page calls a run: by its row and by what was changed, so that no two read the same. No torch here."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from lit_vision.experiment import compose
from lit_vision.report import numbers
from lit_vision.report.collect import Run
from lit_vision.report.ledger import record

MOST = 3  # changes in a name
LONGEST = 24  # letters of a changed value


def label(run: Run) -> str:
    """Row, what was changed, seed and trial: what tells a run from its neighbours."""
    parts = [run.row or run.recipe or run.path.name, *_changes(run)]
    if run.seed is not None:
        parts.append(f"seed {run.seed}")
    if found := record.sweep(run):
        parts.append(f"trial {found.get('trial')}")
    return ", ".join(parts)


def apart(labels: Sequence[str], names: Sequence[str]) -> list[str]:
    """The labels, with the folder's name behind each that is not the only one of its kind."""
    counts = Counter(labels)
    return [f"{label} ({name})" if counts[label] > 1 else label for label, name in zip(labels, names, strict=True)]


def changed(run: Run) -> dict[str, Any]:
    """Dotted keys that the run changed in its recipe beyond the hardware, with their values."""
    if run.finished:
        return dict(run.result["changed"])
    leaves = compose.flatten({key: value for key, value in run.config.items() if key not in ("card", "origin")})
    return {key: leaves.get(key) for key in (run.config.get("origin") or {}).get("changed") or []}


def _changes(run: Run) -> list[str]:
    found = {key: value for key, value in changed(run).items() if key != "seed_everything"}
    ends = Counter(key.rpartition(".")[2] for key in found)
    named = [
        f"{last if ends[last := key.rpartition('.')[2]] == 1 else key} {_short(numbers.plain(value))}"
        for key, value in found.items()
    ]
    return named if len(named) <= MOST else [*named[: MOST - 1], f"{len(named) - MOST + 1} more changes"]


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
