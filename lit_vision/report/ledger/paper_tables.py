"""The ledger as a page: a table for each table of a paper, then relations, then what is unfinished. No torch here."""

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lit_vision.experiment import card as cards
from lit_vision.report import numbers
from lit_vision.report.collect import Run
from lit_vision.report.document import Cell, Document, Grid, Link, Section, without_empty_columns
from lit_vision.report.ledger import class_tables, record
from lit_vision.report.ledger.ledger import Ledger
from lit_vision.report.ledger.record import Cost, Entry, Figure, JudgedRelation, Table, Unfinished

NUMERIC = frozenset(
    {"paper", "expected", "own bound", "ours", "n", "difference", "tolerance", "images seen", "seed", "value", "step"}
)
FULL, STAND_INS = "Full scale", "Stand-ins"
SAY_OF_STAND_INS = (
    "Smaller data, shorter schedules, other changes: these figures compare with one another where the same was "
    "changed, never with the paper's."
)


def document(ledger: Ledger, every_row: bool = False) -> Document:
    """The page.

    Args:
        ledger: What to show.
        every_row: Shows tables and relations without a run too, instead of counting them.
    """
    shown = [table for table in ledger.tables if table.ran or every_row]
    sections = [
        Section(FULL, *_scale([table for table in shown if not table.stand_in], ledger, False, every_row)),
        Section(STAND_INS, *_scale([table for table in shown if table.stand_in], ledger, True, every_row)),
    ]
    if ledger.unfinished:
        sections.append(Section("Unfinished runs", (), (_unfinished(ledger.unfinished),)))
    return Document("Ledger", tuple(_summary(ledger, every_row)), tuple(s for s in sections if s.remarks or s.grids))


def _summary(ledger: Ledger, every_row: bool) -> Iterator[str]:
    entries = ledger.entries
    finished = sum(len(entry.runs) for entry in entries)
    yield f"{finished} finished run(s), {len(ledger.unfinished)} unfinished."
    verdicts = Counter(str(entry.verdict) for entry in entries if entry.runs)
    if any(entry.judged.spread is not None for entry in entries):
        yield "± is the standard deviation over the seeds (n - 1)."
    if verdicts:
        yield "Rows: " + ", ".join(f"{count} {verdict}" for verdict, count in verdicts.items()) + "."
    idle = [table for table in ledger.tables if not table.ran]
    if idle and not every_row:
        rows = sum(len(table.entries) for table in idle)
        yield f"{rows} row(s) of {len(idle)} table(s) without any run are left out; --all lists them."


def _scale(
    tables: Sequence[Table], ledger: Ledger, stand_in: bool, every_row: bool
) -> tuple[Sequence[str], Sequence[Grid]]:
    """Remarks and tables of one section."""
    judged = [relation for relation in ledger.relations if relation.stand_in == stand_in]
    decided = [relation for relation in judged if relation.verdict != "not run" or every_row]
    grids = [grid for table in tables for grid in _table(table)]
    if decided:
        grids.append(_relations(decided))
    remarks = [SAY_OF_STAND_INS] if stand_in and grids else []
    if waiting := len(judged) - len(decided):
        remarks.append(f"{waiting} relation(s) wait for rows that did not run; --all lists them.")
    if not tables and not stand_in:
        remarks.insert(0, "Nothing ran at full scale.")
    return remarks, grids


def _table(table: Table) -> Iterator[Grid]:
    lines = [line for entry in table.entries for line in _lines(entry, table)]
    head = list(dict.fromkeys(key for line in lines for key in line))
    recipes = list(dict.fromkeys(entry.recipe for entry in table.entries))
    if len(recipes) == 1:
        head.remove("recipe")
    rows = [[line.get(name, "") for name in head] for line in lines]
    yield without_empty_columns(
        Grid(head, rows, _title(table), tuple(dict.fromkeys(_remarks(table, recipes))), NUMERIC)
    )
    yield from class_tables.grids(table)
    if table.ran:
        yield without_empty_columns(_runs(table))


def _title(table: Table) -> str:
    changed = f", other {', '.join(table.keys)}" if table.keys else ""
    return (f"{table.paper}, {table.heading}" if table.paper else table.heading) + changed


def _remarks(table: Table, recipes: Sequence[str]) -> Iterator[str]:
    first = table.entries[0].card.title
    if len(recipes) == 1:
        yield f"Recipe {recipes[0]}" + (f": {first}" if first and first not in table.heading else "") + "."
    if table.common:
        yield f"Changed: {changes(table.common)}."
    for entry in table.entries:
        name = entry.row or entry.recipe
        if entry.claim and entry.expected is None:
            yield f"{name}, in words: {entry.claim}."
        yield from (f"{name}: {note}." for note in entry.notes)


def _lines(entry: Entry, table: Table) -> Iterator[dict[str, str]]:
    """One line for the judged figure, one for each further figure of the same line."""
    first = {"recipe": entry.recipe, "row": entry.row or "-"}
    first |= {key: numbers.plain(entry.changed[key]) for key in table.varying}
    rest = {"verdict": str(entry.verdict), "evidence": entry.evidence} | _cost(entry.cost)
    yield first | _figure(entry.judged, entry, table) | rest
    for figure in entry.also:
        yield dict.fromkeys(first, "") | _figure(figure, entry, table) | {"verdict": str(figure.verdict)}


def _figure(figure: Figure, entry: Entry, table: Table) -> dict[str, str]:
    # A changed run is not held against the paper: it gets neither a difference nor a tolerance.
    tolerance = entry.tolerance if figure is entry.judged else None
    of_paper = table.paper and not table.stand_in and entry.line.source == cards.PAPER
    cells = {
        "metric": figure.metric,
        # No bound of our own, and no release's figure, stands under the paper's name.
        ("paper" if of_paper else "expected" if table.paper else "own bound"): numbers.printed(figure.expected),
        "ours": numbers.spread(figure.mean, figure.spread),
        "n": str(len(figure.values) or "-"),
    }
    if table.keys:
        return cells
    return cells | {"difference": numbers.signed(figure.difference), "tolerance": numbers.printed(tolerance)}


def _cost(cost: Cost) -> dict[str, str]:
    devices = "–".join(str(number) for number in dict.fromkeys((*cost.devices[:1], *cost.devices[-1:])))
    time_spent = numbers.duration(cost.hours)
    return {
        "a run takes": f"{time_spent} × {devices}" if devices and cost.hours is not None else time_spent,
        "images seen": numbers.count(cost.images),
    }


def _runs(table: Table) -> Grid:
    """The runs behind a table, newest of each seed marked."""
    rows: list[list[Cell]] = []
    for entry in table.entries:
        for run in sorted(entry.runs, key=lambda run: str(run.result["seed"])):
            sweep = record.sweep(run)
            rows.append(
                [
                    entry.row or entry.recipe,
                    *(numbers.plain(entry.changed[key]) for key in table.varying),
                    numbers.plain(run.result["seed"]),
                    numbers.figure(numbers.finite(run.figures_on(entry.line.split).get(entry.metric))),
                    "" if any(run is counted for counted in entry.counted) else "done again since",
                    _hardware(run),
                    str(run.result.get("code") or ""),
                    f"{sweep.get('name')}, trial {sweep.get('trial')}" if sweep else "",
                    Link(record.link(run), record.link(run)),
                ]
            )
    head = ["row", *table.varying, "seed", "value", "counts", "hardware", "code", "sweep", "run"]
    return Grid(head, rows, "Runs", (), NUMERIC, folded=True)


def _hardware(run: Run) -> str:
    found = run.result.get("hardware") or {}
    return f"{found.get('device')} × {found.get('devices')}, {found.get('precision')}" if found else ""


def _relations(relations: Sequence[JudgedRelation]) -> Grid:
    rows = [
        [
            relation.recipe,
            relation.id,
            relation.where,
            relation.expr,
            ", ".join(f"{row} {numbers.figure(figure)}" for row, figure in relation.figures.items()),
            numbers.signed(relation.value),
            numbers.signed(relation.expected),
            relation.verdict,
            changes(relation.changed),
        ]
        for relation in relations
    ]
    head = ["recipe", "relation", "where", "inequality", "figures", "left side", "paper's", "verdict", "changed"]
    return without_empty_columns(Grid(head, rows, "Relations", (), frozenset({"left side", "paper's"})))


def _unfinished(unfinished: Sequence[Unfinished]) -> Grid:
    rows: list[list[Cell]] = []
    for item in unfinished:
        limit = (item.run.config.get("trainer") or {}).get("max_steps")
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(item.activity.time)) if item.activity.time else "-"
        rows.append(
            [
                item.run.recipe or "-",
                item.run.row or "-",
                numbers.plain(item.run.seed),
                f"{item.activity.step:,}" + (f" of {limit:,}" if isinstance(limit, int) and limit > 0 else ""),
                when,
                Link(record.link(item.run), record.link(item.run)),
            ]
        )
    return Grid(["recipe", "row", "seed", "step", "last sign of life", "run"], rows, numeric=NUMERIC)


def changes(changed: Mapping[str, Any]) -> str:
    """Dotted keys and values on one line."""
    return ", ".join(f"{key} {numbers.plain(value)}" for key, value in changed.items())
