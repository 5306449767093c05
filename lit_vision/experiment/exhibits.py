"""What the papers print: exhibits and their lines, read from `recipes/exhibits.yaml`. No torch here.

A place is written `Table 2, plain, 18 layers`: the exhibit, a comma, the name of its line or part. Values are in rows.
"""

import functools
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

from lit_vision import nearest
from lit_vision.errors import InputError
from lit_vision.experiment import card as cards
from lit_vision.experiment import recipes, relations, typed, yamlio

FILE = "exhibits.yaml"

Whose = Literal["own", "theirs"]


class Place(NamedTuple):
    """Where something is printed; `line` is empty where the exhibit is meant as a whole."""

    exhibit: str
    line: str = ""


@dataclass(frozen=True)
class Exhibit:
    """A table, a figure, or what the text says in one place.

    Attributes:
        shows: What it is about.
        size: Of the work to run it: `S` up to half a day, `M` one or two days, `L` more; empty where nothing runs.
        lines: What a table prints, in its order: `own` systems of the authors, or `theirs`, other people's.
        parts: Panels of a figure and statements of the text, which are not counted as lines.
        quoted: Why a line or part has no row, by its name.
    """

    shows: str
    size: Literal["", "S", "M", "L"] = ""
    lines: dict[str, Whose] = field(default_factory=dict)
    parts: list[str] = field(default_factory=list)
    quoted: dict[str, str] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """All lines and parts, in the paper's order."""
        return (*self.lines, *self.parts)


@dataclass(frozen=True)
class Claim:
    """A claim of an abstract.

    Attributes:
        claim: The claim in our words.
        where: Places that decide it.
        quoted: Why nothing here decides it.
    """

    claim: str
    where: list[str] = field(default_factory=list)
    quoted: str = ""


@dataclass(frozen=True)
class Paper:
    """A paper.

    Attributes:
        name: Its title, shortened.
        abstract: The claims of its abstract.
        exhibits: By name, in the paper's order.
        whole: Exhibits each of whose lines and parts has a home, and shall keep it.
    """

    name: str
    abstract: list[Claim]
    exhibits: dict[str, Exhibit]
    whole: list[str] = field(default_factory=list)

    def find(self, where: str, source: str) -> Place:
        """The place that a text names.

        Args:
            where: For example `Table 2, plain, 18 layers`, or `Table 2`.
            source: File and key, for messages.

        Raises:
            InputError: There is no such exhibit or line; names the nearest.
        """
        named = [name for name in self.exhibits if where == name or where.startswith(f"{name}, ")]
        if not named:
            hint = nearest.hint(where.partition(",")[0], self.exhibits)
            raise InputError(f"{source}: {self.name} has no exhibit {where!r}; {hint}")
        exhibit = max(named, key=len)
        line = where[len(exhibit) + 2 :]
        if line and line not in self.exhibits[exhibit].names:
            hint = nearest.hint(line, self.exhibits[exhibit].names)
            raise InputError(f"{source}: {exhibit} of {self.name} has no line {line!r}; {hint}")
        return Place(exhibit, line)


@functools.cache
def papers() -> dict[str, Paper]:
    """The five papers by arXiv identifier."""
    return read(recipes.folder() / FILE)


def read(path: Path) -> dict[str, Paper]:
    """Papers and their exhibits from a file.

    Raises:
        InputError: A paper lacks a key, quotes a line that it does not list, or has a claim that nothing decides.
    """
    found: dict[str, Paper] = typed.build(dict[str, Paper], yamlio.load(path), "", path.name)
    for identifier, paper in found.items():
        for name, exhibit in paper.exhibits.items():
            _check_exhibit(exhibit, f"{path.name}: {identifier}.exhibits.{name}")
        for name in paper.whole:
            paper.find(name, f"{path.name}: {identifier}.whole")
        for claim in paper.abstract:
            _check_claim(claim, paper, f"{path.name}: {identifier}.abstract")
    return found


def check_places(recipe: str) -> None:
    """Checks that the rows and relations of a recipe name exhibits and lines of its paper.

    Rows of another source, such as a release, name its tables; they are passed over, and relations that name them too.

    Raises:
        InputError: Names file, row or relation, and the nearest exhibit or line.
    """
    card, source = recipes.read_card(recipe), str(recipes.find(recipe))
    paper = papers().get(card.paper)
    if paper is None:
        return
    printed = {name: row for name, row in card.rows.items() if row.source == cards.PAPER}
    for name, row in printed.items():
        for place in filter(None, row.places):
            _check_row(paper, place, f"{source}: card.rows.{name}.where")
    for relation in card.relations:
        where = f"{source}: card.relations.{relation.id}.where"
        named = [reference.row for reference in relations.references(relation.expr, where) if not reference.recipe]
        if relation.where and all(name in printed for name in named):
            paper.find(relation.where, where)


def _check_row(paper: Paper, where: str, source: str) -> None:
    """A row is one line of a table, or all parts of what has no lines."""
    place = paper.find(where, source)
    lines = paper.exhibits[place.exhibit].lines
    if lines and not place.line:
        shown = ", ".join([*map(repr, lines)][:4])
        raise InputError(f"{source}: {place.exhibit} has {len(lines)} lines; add one of them: {shown}, …")


def _check_exhibit(exhibit: Exhibit, where: str) -> None:
    if not exhibit.names:
        raise InputError(f"{where} has neither lines nor parts; name what it shows under parts")
    for name in exhibit.quoted:
        if name not in exhibit.names:
            raise InputError(f"{where}.quoted has no line {name!r}; {nearest.hint(name, exhibit.names)}")


def _check_claim(claim: Claim, paper: Paper, where: str) -> None:
    if bool(claim.where) == bool(claim.quoted):
        raise InputError(f"{where}: {claim.claim!r} needs either where or quoted")
    for place in claim.where:
        paper.find(place, where)
