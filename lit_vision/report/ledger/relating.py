"""Relations between rows, judged by what the ledger's lines hold. No torch here."""

import re
import statistics
from collections.abc import Iterator, Sequence

from lit_vision.experiment import relations, verdicts
from lit_vision.experiment.card import Card, Relation
from lit_vision.experiment.relations import Reference
from lit_vision.report import numbers
from lit_vision.report.ledger.record import Entry, JudgedRelation
from lit_vision.report.ledger.variants import spelled

# The shape of every relation for which a paper prints a figure: one row's minus another's.
_DIFFERENCE = re.compile(r"\s*row\([^()]*\)\s*-\s*row\([^()]*\)\s*[<>]=?\s*[-+\d.e]+\s*")


def judge(entries: Sequence[Entry]) -> list[JudgedRelation]:
    """Each relation of the recipes that ran, once for each way of changing the rows that it names.

    Rows are only compared when what was changed beyond the hardware is equal, so a stand-in never meets a full-scale
    run.
    """
    ran = [entry for entry in entries if entry.values]
    cards = {entry.recipe: entry.card for entry in ran}
    return [
        judged
        for recipe, card in cards.items()
        for relation in card.relations
        for judged in _of_relation(relation, recipe, card, ran)
    ]


def _of_relation(relation: Relation, recipe: str, card: Card, ran: Sequence[Entry]) -> Iterator[JudgedRelation]:
    source = f"{recipe}: card.relations.{relation.id}"
    needed = relations.references(relation.expr, source)
    named = {(reference.recipe or recipe, reference.row) for reference in needed}
    concerned = [entry for entry in ran if (entry.recipe, entry.row) in named]
    for scale in dict.fromkeys(spelled(entry.changed) for entry in concerned):
        members = [entry for entry in concerned if spelled(entry.changed) == scale]
        by_row = {(entry.recipe, entry.row): entry for entry in members}
        figures = {
            reference: _figure(by_row.get((reference.recipe or recipe, reference.row)), reference.metric)
            for reference in needed
        }
        stand_in = any(entry.stand_in for entry in members)
        yield JudgedRelation(
            recipe=recipe,
            paper=card.paper,
            id=relation.id,
            where=relation.where,
            claim=relation.claim,
            expr=relation.expr,
            expected=relation.paper,
            value=_left(relation.expr, list(figures.values())),
            figures={_label(reference): figure for reference, figure in figures.items()},
            verdict=verdicts.of_relation(relations.holds(relation.expr, figures.__getitem__, source), stand_in),
            stand_in=stand_in,
            changed=members[0].changed,
        )


def _figure(entry: Entry | None, metric: str) -> float | None:
    """Mean over seeds of the named figure, or of the one that the row is judged by."""
    if entry is None or metric in ("", entry.metric):
        return entry.mean if entry else None
    found = [numbers.finite(run.result["figures"].get(metric)) for run in entry.counted]
    known = [value for value in found if value is not None]
    return statistics.fmean(known) if known else None


def _left(expr: str, figures: list[float | None]) -> float | None:
    if not _DIFFERENCE.fullmatch(expr) or len(figures) != 2:
        return None
    first, second = figures
    return None if first is None or second is None else first - second


def _label(reference: Reference) -> str:
    row = f"{reference.recipe}: {reference.row}" if reference.recipe else reference.row
    return f"{row}, {reference.metric}" if reference.metric else row
