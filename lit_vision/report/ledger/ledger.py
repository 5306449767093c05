"""The ledger: the papers' own tables with the figures of any number of runs beside them. No torch here.

    ledger = build(collect.find([Path("runs")]))
    for table in ledger.tables:
        for entry in table.entries:
            print(table.heading, entry.row, entry.expected, entry.mean, entry.verdict)

A table is either at full scale or of stand-ins, never both; stand-ins share a table only if they changed the same keys.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lit_vision.report import activity, collect
from lit_vision.report.collect import Run
from lit_vision.report.ledger import lines, relating, variants
from lit_vision.report.ledger.record import Entry, JudgedRelation, Table, Unfinished


@dataclass(frozen=True)
class Ledger:
    """What all runs together say.

    Attributes:
        tables: Full scale first, then stand-ins; those without any run too (`Table.ran`). A line that the paper prints
            in several tables stands in each.
        relations: Those of the recipes that ran, at each scale at which a row that they name ran.
        unfinished: Runs without a result.
    """

    tables: tuple[Table, ...]
    relations: tuple[JudgedRelation, ...]
    unfinished: tuple[Unfinished, ...]

    @property
    def entries(self) -> list[Entry]:
        """All lines, each once."""
        return list({id(entry): entry for table in self.tables for entry in table.entries}.values())


def build(runs: Sequence[Run]) -> Ledger:
    """The ledger of some runs, and of all rows of all recipes.

    Args:
        runs: From `collect.find`; finished or not. Their later tests and analyses stand in rows of their own.

    Raises:
        InputError: If a file of a run is damaged.
    """
    entries = lines.entries(variants.group(collect.with_later(runs)))
    return Ledger(
        tables=tuple(tables(entries)),
        relations=tuple(relating.judge(entries)),
        unfinished=tuple(Unfinished(run, activity.of(run)) for run in runs if not run.finished),
    )


def tables(entries: Iterable[Entry]) -> list[Table]:
    """Lines by scale, paper, table and changed keys; tables of one paper stay together."""
    grouped: dict[tuple[bool, str, str, tuple[str, ...]], list[Entry]] = {}
    for entry in entries:
        keys = tuple(sorted(entry.changed))
        for title in headings(entry):
            grouped.setdefault((entry.stand_in, _group(entry), title, keys), []).append(entry)
    groups = list(dict.fromkeys((stand_in, group) for stand_in, group, _, _ in grouped))
    ordered = sorted(grouped.items(), key=lambda item: (item[0][0], groups.index(item[0][:2])))
    return [
        Table(members[0].card.paper, title, stand_in, keys, tuple(members))
        for (stand_in, _, title, keys), members in ordered
    ]


def headings(entry: Entry) -> list[str]:
    """`Table 6` of `Table 6, ResNet-20`, of each place; the recipe's title where its rows name no table."""
    if not entry.known:
        return [f"{entry.recipe}: {entry.card.title}" if entry.card.title else entry.recipe]
    named = [place.split(",")[0] for place in entry.line.places]
    return list(dict.fromkeys(name or entry.card.title or entry.recipe for name in named))


def _group(entry: Entry) -> str:
    """The paper; a recipe of none, and a user's own file, stand for themselves."""
    return entry.card.paper if entry.known and entry.card.paper else entry.recipe
