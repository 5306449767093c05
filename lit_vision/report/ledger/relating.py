"""Relations between rows, judged by what the ledger's lines hold. No torch here."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from lit_vision.experiment import recipes, relations
from lit_vision.experiment.card import Card, Relation
from lit_vision.experiment.relations import Reference, Seeds
from lit_vision.report import numbers
from lit_vision.report.ledger.record import Entry, JudgedRelation
from lit_vision.report.ledger.variants import spelled


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
        stand_in = any(entry.stand_in for entry in members)
        judged = relations.judge(relation.expr, partial(_figures, by_row, recipe, card), source)
        yield JudgedRelation(
            recipe=recipe,
            paper=card.paper,
            id=relation.id,
            where=relation.where,
            claim=relation.claim,
            expr=relation.expr,
            expected=relation.paper,
            value=judged.left,
            interval=judged.interval,
            figures={_label(reference): figure for reference, figure in judged.figures.items()},
            verdict=judged.told(stand_in),
            stand_in=stand_in,
            changed=members[0].changed,
        )


def _figures(by_row: Mapping[tuple[str, str], Entry], recipe: str, card: Card, reference: Reference) -> Seeds:
    """The named figure by seed, or the one that the row is judged by; the paper's for a printed one."""
    home = reference.recipe or recipe
    if reference.printed:
        figure = (card if home == recipe else recipes.read_card(home)).printed(reference)
        return {} if figure is None else {None: figure}
    entry = by_row.get((home, reference.row))
    if entry is None or reference.metric in ("", entry.metric):
        return entry.values if entry else {}
    split = entry.line.split
    found = {run.result["seed"]: numbers.finite(run.figures_on(split).get(reference.metric)) for run in entry.counted}
    return {seed: value for seed, value in found.items() if value is not None}


def _label(reference: Reference) -> str:
    row = f"{reference.recipe}: {reference.row}" if reference.recipe else reference.row
    row = f"{row}, printed" if reference.printed else row
    return f"{row}, {reference.metric}" if reference.metric else row
