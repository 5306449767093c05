"""Lines of the ledger: every row of every recipe, run or not, and every way in which it was changed. No torch here."""

import dataclasses
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from lit_vision.experiment import recipes, verdicts
from lit_vision.experiment.card import Card, Row
from lit_vision.report import identity, numbers
from lit_vision.report.collect import Run
from lit_vision.report.ledger.record import Entry, Figure
from lit_vision.report.ledger.variants import Variant, spelled

UNKNOWN = "its recipe is none of this suite: judged by its own card"
GONE = "the recipe has no such row any more: judged by the run's own card"


def entries(variants: Sequence[Variant]) -> list[Entry]:
    """All lines: our recipes in order, with their rows in order; then what users' own files ran.

    A row that ran only with changes has a line without runs too: it was not run as the paper says.
    """
    known = {name: recipes.read_card(name) for name in recipes.names()}
    levels = recipes.evidence()
    found: list[Entry] = []
    for name, card in known.items():
        for row in card.rows:
            level = levels.get(name, {}).get(row, "E0")
            ours = [variant for variant in variants if (variant.recipe, variant.row) == (name, row)]
            found += _row(name, row, card, ours, level)
        gone = [variant for variant in variants if variant.recipe == name and variant.row not in card.rows]
        found += [_entry(variant, variant.own_card, "", known=False, note=GONE) for variant in gone]
    own = [variant for variant in variants if variant.recipe not in known]
    found += [_entry(variant, variant.own_card, "", known=False, note=UNKNOWN) for variant in own]
    return [_told_apart(entry, found) for entry in found]


def _told_apart(entry: Entry, found: Sequence[Entry]) -> Entry:
    """The line, with a note where others of its name and changes had another configuration."""
    name = (entry.recipe, entry.row, spelled(entry.changed))
    others = [other for other in found if other.runs and (other.recipe, other.row, spelled(other.changed)) == name]
    if not entry.runs or len(others) < 2:
        return entry
    settings = [identity.experiment(other.runs[-1]) for other in others]
    keys = [key for key in dict.fromkeys(key for leaves in settings for key in leaves) if _differs(key, settings)]
    shown = ", ".join(keys[:4]) + (f" and {len(keys) - 4} more" if len(keys) > 4 else "")
    note = f"runs of this name had {len(others)} configurations, which are not averaged: {shown or 'some keys'} differ"
    return dataclasses.replace(entry, notes=(*entry.notes, note))


def _differs(key: str, settings: Sequence[dict[str, Any]]) -> bool:
    return any(leaves.get(key) != settings[0].get(key) for leaves in settings)


def _row(recipe: str, name: str, card: Card, variants: Sequence[Variant], level: str) -> Iterator[Entry]:
    if all(variant.changed for variant in variants):
        row = card.row(name, recipe)
        yield Entry(
            recipe=recipe,
            row=name,
            where=row.place,
            judged=Figure(row.metric, row.value),
            also=tuple(Figure(metric, value) for metric, value in row.also.items()),
            tolerance=row.tolerance if row.value is not None else None,
            claim=row.claim,
            evidence=level,
            stand_in=row.stand_in,
            card=card,
        )
    for variant in variants:
        yield _entry(variant, card, level)


def _entry(variant: Variant, card: Card, level: str, known: bool = True, note: str = "") -> Entry:
    row = variant.own_row(card)
    judged = _figure(row.metric, row.value, variant.counted)
    stand_in = variant.stand_in or row.stand_in
    return Entry(
        recipe=variant.recipe,
        row=variant.row,
        where=row.place,
        judged=judged,
        also=tuple(_figure(metric, value, variant.counted) for metric, value in row.also.items()),
        tolerance=row.tolerance if row.value is not None else None,
        claim=row.claim,
        verdict=verdicts.of_row(row, list(judged.values.values()), stand_in),
        evidence=level,
        stand_in=stand_in,
        changed=variant.changed,
        runs=variant.runs,
        counted=variant.counted,
        notes=tuple(text for text in (note, *_notes(variant, row)) if text),
        card=card,
        known=known,
    )


def _figure(metric: str, expected: float | None, runs: Iterable[Run]) -> Figure:
    values = {run.result["seed"]: numbers.finite(run.result["figures"].get(metric)) for run in runs}
    return Figure(metric, expected, {seed: value for seed, value in values.items() if value is not None})


def _notes(variant: Variant, row: Row) -> Iterator[str]:
    """What a mean would hide."""
    seeds = Counter(run.result["seed"] for run in variant.runs)
    again = [f"seed {seed} ran {times} times" for seed, times in seeds.items() if times > 1]
    if again:
        yield f"{', '.join(again)}: the newest counts"
    for run in variant.counted:
        if numbers.finite(run.result["figures"].get(row.metric)) is None:
            yield f"no {row.metric} in {run.folder.result}: it does not count"
    for label, several in (("test splits", _splits(variant)), ("data fingerprints", _fingerprints(variant))):
        if len(several) > 1:
            yield f"its runs have different {label}: {', '.join(several)}"
    theirs = variant.own_card.rows.get(variant.row)
    if theirs and (theirs.value, theirs.tolerance, theirs.set) != (row.value, row.tolerance, row.set):
        yield "the recipe's row was edited after its newest run"


def _splits(variant: Variant) -> list[str]:
    return list(dict.fromkeys(str(run.result.get("split")) for run in variant.counted))


def _fingerprints(variant: Variant) -> list[str]:
    return list(dict.fromkeys(str((run.result.get("data") or {}).get("fingerprint")) for run in variant.counted))
