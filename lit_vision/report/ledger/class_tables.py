"""What papers print of each class, with ours below: a further table where rows have such figures. No torch here."""

import statistics
from collections.abc import Iterator
from typing import NamedTuple

from lit_vision.experiment import card as cards
from lit_vision.report import numbers
from lit_vision.report.document import Grid
from lit_vision.report.ledger.record import Entry, Table


class ClassFigure(NamedTuple):
    """The judged figure of one class of a row; it is not judged itself.

    Attributes:
        name: The class; `class 3` until something ran, since the data know the names.
        expected: The paper's.
        mean: Ours, over the runs that have objects of the class; None without any.
    """

    name: str
    expected: float
    mean: float | None


def of(entry: Entry) -> list[ClassFigure]:
    """The figures of a row whose paper prints them by class; empty for others."""
    expected = entry.line.by_class
    names = _names(entry)
    if len(names) != len(expected):  # no run, or one on data of other classes
        return [ClassFigure(f"class {place}", value, None) for place, value in enumerate(expected, 1)]
    return [ClassFigure(name, value, _mean(entry, name)) for name, value in zip(names, expected, strict=True)]


def grids(table: Table) -> Iterator[Grid]:
    """A table for each number of classes: of each row the paper's figures, then ours."""
    entries = [entry for entry in table.entries if entry.line.by_class]
    for count in dict.fromkeys(len(entry.line.by_class) for entry in entries):
        of_count = [entry for entry in entries if len(entry.line.by_class) == count]
        rows = [line for entry in of_count for line in _lines(entry, table)]
        ran = next((entry for entry in of_count if len(_names(entry)) == count), of_count[0])
        names = [one.name for one in of(ran)]
        yield Grid(["row", "figures", *names], rows, "Classes", (), frozenset(names), folded=True)


def _lines(entry: Entry, table: Table) -> Iterator[list[str]]:
    classes = of(entry)
    of_paper = table.paper and not table.stand_in and entry.line.source == cards.PAPER
    whose = "paper" if of_paper else "expected"
    yield [entry.row or entry.recipe, whose, *(numbers.printed(one.expected) for one in classes)]
    if any(one.mean is not None for one in classes):
        yield ["", "ours", *(numbers.figure(one.mean) for one in classes)]


def _names(entry: Entry) -> list[str]:
    """The classes that its runs logged the judged figure of, in the data's order."""
    start = f"{entry.metric}/"
    figures = [run.figures_on(entry.line.split) for run in entry.counted]
    return list(dict.fromkeys(name.removeprefix(start) for each in figures for name in each if name.startswith(start)))


def _mean(entry: Entry, name: str) -> float | None:
    found = [numbers.finite(run.figures_on(entry.line.split).get(f"{entry.metric}/{name}")) for run in entry.counted]
    known = [value for value in found if value is not None]
    return statistics.fmean(known) if known else None
