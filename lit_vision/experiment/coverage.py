"""What stands for each line that the papers print: rows, relations, analyses, or the reason why nothing does.

No torch here.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from lit_vision.errors import InputError
from lit_vision.experiment import card as cards
from lit_vision.experiment import exhibits, recipes
from lit_vision.experiment.card import Card, Row
from lit_vision.experiment.exhibits import Claim, Exhibit, Paper, Place, Whose

Kind = Literal["row", "analysis", "quoted row", "relation"]


@dataclass(frozen=True)
class Home:
    """A row or a relation that a place is carried by.

    Attributes:
        recipe: Its recipe.
        name: The row's name, or the relation's.
        kind: What it is.
        judged: Whether a printed figure judges it.
    """

    recipe: str
    name: str
    kind: Kind
    judged: bool = False


# What stands at each place of each paper, by the paper's identifier.
Homes = dict[str, dict[Place, list[Home]]]


@dataclass(frozen=True)
class Entry:
    """A line of a table or a part of another exhibit, with what stands for it.

    Attributes:
        place: Exhibit and line.
        whose: Whose system a line is; None for parts, which are not counted.
        homes: Rows, and for parts relations too.
        quoted: Why no row is needed; empty where none is given.
    """

    place: Place
    whose: Whose | None
    homes: tuple[Home, ...] = ()
    quoted: str = ""

    @property
    def runs(self) -> bool:
        """Whether a row that runs stands for it."""
        return any(home.kind in ("row", "analysis") for home in self.homes)

    @property
    def judged(self) -> bool:
        """Whether a row that runs is judged by the printed figure."""
        return any(home.judged for home in self.homes)

    @property
    def is_blank(self) -> bool:
        """Whether nothing stands for it, and no reason is given."""
        return not (self.homes or self.quoted)


@dataclass(frozen=True)
class Count:
    """How many lines of tables have a home.

    Attributes:
        lines: All lines.
        own: Those of the authors' own systems.
        rows: Own lines that a row which runs stands for.
        judged: Those of them that the printed figure judges.
        quoted: Own lines that are quoted, with the reason.
        blank: Lines without a home, other people's included.
    """

    lines: int
    own: int
    rows: int
    judged: int
    quoted: int
    blank: int


def homes() -> Homes:
    """Rows and relations of all recipes, by paper and by the place that they name."""
    found: Homes = {identifier: {} for identifier in exhibits.papers()}
    for recipe in recipes.names():
        card = recipes.read_card(recipe)
        if paper := exhibits.papers().get(card.paper):
            for place, home in _of_recipe(paper, recipe, card):
                found[card.paper].setdefault(place, []).append(home)
    return found


def of_paper(identifier: str, known: Homes) -> list[Entry]:
    """Every line and part that a paper prints, in its order, with what stands for it.

    Args:
        identifier: The paper.
        known: All `homes`.
    """
    here = known[identifier]
    return [
        Entry(Place(name, line), exhibit.lines.get(line), _of(here, exhibit, name, line), exhibit.quoted.get(line, ""))
        for name, exhibit in exhibits.papers()[identifier].exhibits.items()
        for line in exhibit.names
    ]


def count(entries: list[Entry]) -> Count:
    """Sums of lines; parts are not counted."""
    lines = [entry for entry in entries if entry.whose]
    own = [entry for entry in lines if entry.whose == "own"]
    return Count(
        lines=len(lines),
        own=len(own),
        rows=sum(entry.runs for entry in own),
        judged=sum(entry.judged for entry in own),
        quoted=sum(not entry.runs and not entry.is_blank for entry in own),
        blank=sum(entry.is_blank for entry in lines),
    )


def of_papers(identifiers: Iterable[str]) -> Count:
    """Sums over some papers."""
    known = homes()
    return count([entry for identifier in identifiers for entry in of_paper(identifier, known)])


def sentence(identifiers: Iterable[str]) -> str:
    """What a list of rows ends with: how much of the papers' tables there is."""
    found = of_papers(identifiers)
    return (
        f"{found.rows} of the {found.own} lines that these papers' tables print for the authors' own systems have a "
        f"row; {found.judged} are judged by the printed figure"
    )


def selected(paper: str | None) -> list[str]:
    """Identifiers of the papers that are asked for.

    Args:
        paper: A top folder of recipes or an arXiv identifier; None for all.

    Raises:
        InputError: No paper of the list is meant.
    """
    known = list(exhibits.papers())
    inside = {recipes.read_card(name).paper for name in recipes.names() if name.split("/")[0] == paper}
    found = [identifier for identifier in known if paper in (None, identifier) or identifier in inside]
    if not found:
        raise InputError(f"--paper {paper}: its exhibits are not listed; choose from: {', '.join(known)}")
    return found


def whole(identifier: str) -> list[str]:
    """The exhibits of a paper each of whose lines and parts has a home."""
    blank = {entry.place.exhibit for entry in of_paper(identifier, homes()) if entry.is_blank}
    return [name for name in exhibits.papers()[identifier].exhibits if name not in blank]


def of_claim(identifier: str, claim: Claim, known: Homes) -> tuple[list[Home], int, int]:
    """What carries a claim of an abstract.

    Args:
        identifier: The paper.
        claim: One that names places.
        known: All `homes`.

    Returns:
        Relations, then rows that run; how many of the authors' own lines and parts are meant; how many have no row.
    """
    places = [exhibits.papers()[identifier].find(where, where) for where in claim.where]
    own = [entry for entry in of_paper(identifier, known) if entry.whose != "theirs"]
    meant = [entry for entry in own if _is_meant(entry.place, places)]
    found = [home for place, at in known[identifier].items() if _is_meant(place, places) for home in at]
    found += [home for entry in meant for home in entry.homes]
    carrying = sorted((home for home in found if home.kind != "quoted row"), key=lambda home: home.kind != "relation")
    return list(dict.fromkeys(carrying)), len(meant), sum(entry.is_blank for entry in meant)


def _is_meant(place: Place, places: list[Place]) -> bool:
    """Whether some places are this one, or the exhibit that it is in."""
    return place in places or Place(place.exhibit) in places


def _of(known: dict[Place, list[Home]], exhibit: Exhibit, name: str, line: str) -> tuple[Home, ...]:
    """Homes of a line; what names a whole exhibit stands for its parts. Relations between rows are no line's home."""
    here = known.get(Place(name, line), [])
    if line in exhibit.lines:
        return tuple(home for home in here if home.kind != "relation")
    return (*here, *known.get(Place(name), []))


def _of_recipe(paper: Paper, recipe: str, card: Card) -> Iterator[tuple[Place, Home]]:
    """What a recipe's rows and relations stand for."""
    for name, row in card.rows.items():
        for where in row.places:
            place = _place(paper, where)
            # A figure that a release gives is no line of the paper's table, whatever its row says.
            if place and (row.source == cards.PAPER or place.line not in paper.exhibits[place.exhibit].lines):
                yield place, _home(recipe, name, row)
    for relation in card.relations:
        if place := _place(paper, relation.where):
            yield place, Home(recipe, relation.id, "relation")


def _home(recipe: str, name: str, row: Row) -> Home:
    kind: Kind = "quoted row" if row.quoted else "analysis" if row.analysis is not None else "row"
    return Home(recipe, name, kind, row.value is not None and row.judged and kind != "quoted row")


def _place(paper: Paper, where: str) -> Place | None:
    """Where a row or relation stands; None for tables of releases, which are in no list."""
    try:
        return paper.find(where, where)
    except InputError:
        return None
