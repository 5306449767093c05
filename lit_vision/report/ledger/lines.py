"""Lines of the ledger: every row of every recipe, run or not, and every way in which it was changed. No torch here."""

import dataclasses
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from lit_vision.experiment import marks as row_marks
from lit_vision.experiment import recipes, verdicts
from lit_vision.experiment.card import Card, Row
from lit_vision.report import identity, numbers
from lit_vision.report.collect import Run
from lit_vision.report.ledger import record
from lit_vision.report.ledger.record import Entry, Figure
from lit_vision.report.ledger.variants import Variant, is_later_test, spelled

UNKNOWN = "its recipe is none of this suite: judged by its own card"
GONE = "the recipe has no such row any more: judged by the run's own card"


def entries(variants: Sequence[Variant]) -> list[Entry]:
    """All lines: our recipes in order, with their rows in order; then what users' own files ran.

    A row that ran only with changes has a line without runs too: it was not run as the paper says.
    """
    known = {name: recipes.read_card(name) for name in recipes.names()}
    evidence = row_marks.evidence()
    found: list[Entry] = []
    for name, card in known.items():
        for row in card.rows:
            marks = ", ".join(row_marks.of(evidence, name, row))
            ours = [variant for variant in variants if (variant.recipe, variant.row) == (name, row)]
            found += _row(name, row, card, ours, marks)
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


def _row(recipe: str, name: str, card: Card, variants: Sequence[Variant], marks: str) -> Iterator[Entry]:
    if all(variant.changed for variant in variants):
        row = card.row(name, recipe)
        verdict = verdicts.of_row(row, [])
        yield Entry(
            recipe=recipe,
            row=name,
            where=row.place,
            judged=Figure(row.metric, row.value, verdict=verdict),
            also=tuple(Figure(metric, value, verdict=verdict) for metric, value in row.also.items()),
            tolerance=row.tolerance if row.value is not None else None,
            claim=row.claim,
            verdict=verdict,
            line=row,
            evidence=marks,
            stand_in=row.stand_in,
            card=card,
        )
    for variant in variants:
        yield _entry(variant, card, marks)


def _entry(variant: Variant, card: Card, marks: str, known: bool = True, note: str = "") -> Entry:
    row = variant.own_row(card)
    judged, also = _judged(variant, row, card)
    return Entry(
        recipe=variant.recipe,
        row=variant.row,
        where=row.place,
        judged=judged,
        also=also,
        tolerance=row.tolerance if row.value is not None else None,
        claim=row.claim,
        verdict=judged.verdict,
        line=row,
        evidence=marks,
        stand_in=variant.stand_in or row.stand_in,
        changed=variant.changed,
        runs=variant.runs,
        counted=variant.counted,
        notes=tuple(text for text in (note, *_notes(variant, row)) if text),
        card=card,
        known=known,
    )


def _judged(variant: Variant, row: Row, card: Card) -> tuple[Figure, tuple[Figure, ...]]:
    """The row's figures, each with its verdict."""
    first = _figure(row.metric, row.value, variant.counted, row.split)
    stand_in = verdicts.beyond_the_split(variant.changed) if variant.changed else variant.stand_in
    splits = [split for split in _splits(variant) if split != row.split]
    scored = bool(first.values) and all(row.split in run.scores for run in variant.counted)
    values = [first.values.get(run.result["seed"]) for run in variant.counted]
    verdict = verdicts.of_row(
        row, values, stand_in, "" if scored or not splits else splits[0], scored, card.better(row.metric)
    )
    also = []
    for metric, expected in row.also.items():
        figure = _figure(metric, expected, variant.counted, row.split)
        ours = list(figure.values.values())
        told = verdicts.of_further(verdict, expected, row.tolerance, ours, card.better(metric))
        also.append(dataclasses.replace(figure, verdict=told))
    return dataclasses.replace(first, verdict=verdict), tuple(also)


def _figure(metric: str, expected: float | None, runs: Iterable[Run], split: str) -> Figure:
    values = {run.result["seed"]: numbers.finite(run.figures_on(split).get(metric)) for run in runs}
    return Figure(metric, expected, {seed: value for seed, value in values.items() if value is not None})


def _notes(variant: Variant, row: Row) -> Iterator[str]:
    """What a mean would hide."""
    seeds = Counter(run.result["seed"] for run in variant.runs)
    again = [f"seed {seed} ran {times} times" for seed, times in seeds.items() if times > 1]
    if again:
        winner = "the training's own test" if any(map(is_later_test, variant.runs)) else "the newest"
        yield f"{', '.join(again)}: {winner} counts"
    trials = [f"seed {run.result['seed']}" for run in variant.counted if record.sweep(run)]
    if trials:
        yield f"{', '.join(trials)}: the run that counts is a sweep's trial"
    if row.printed:
        yield f"the paper's {row.printed.told()}"
    for run in variant.counted:
        if numbers.finite(run.figures_on(row.split).get(row.metric)) is None:
            yield f"no {row.metric} in {run.folder.result}: it does not count"
    for label, several in (("test splits", _splits(variant)), ("data fingerprints", _fingerprints(variant))):
        if len(several) > 1:
            yield f"its runs have different {label}: {', '.join(several)}"
    theirs = variant.own_card.rows.get(variant.row)
    if theirs and (theirs.value, theirs.tolerance, theirs.set) != (row.value, row.tolerance, row.set):
        yield "the recipe's row was edited after its newest run"


def _splits(variant: Variant) -> list[str]:
    """Where its counted runs were tested, as far as they say so."""
    return list(dict.fromkeys(str(run.result["split"]) for run in variant.counted if run.result.get("split")))


def _fingerprints(variant: Variant) -> list[str]:
    return list(dict.fromkeys(str((run.result.get("data") or {}).get("fingerprint")) for run in variant.counted))
