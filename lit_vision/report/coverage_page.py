"""The page of what the papers print and what stands for it: abstracts first, then every exhibit. No torch here."""

from collections.abc import Sequence

from lit_vision.experiment import coverage, exhibits
from lit_vision.experiment import marks as row_marks
from lit_vision.experiment.coverage import Entry, Home, Homes
from lit_vision.experiment.exhibits import Claim, Paper
from lit_vision.experiment.marks import Evidence
from lit_vision.report.document import Document, Grid, Section

BLANK = "no row yet"
SUMS = ("paper", "lines", "own", "own with a row", "judged by the printed figure", "own quoted", "lines without a home")

REMARKS = (
    "A line is what a paper's table prints of one system; a few numbers of the text and of figures are counted with "
    "them. Own lines are of the authors' systems. A row is part of a recipe and can be run; what stands behind it, its "
    "marks tell (docs/evidence.md). A quoted line is printed beside ours and never run.",
    "Size is the work that an exhibit takes: S up to half a day, M one or two days, L more.",
)


def document(identifiers: Sequence[str]) -> Document:
    """The page of some papers.

    Args:
        identifiers: arXiv identifiers, in the order of the page.
    """
    papers = {identifier: exhibits.papers()[identifier] for identifier in identifiers}
    known = coverage.homes()
    entries = {identifier: coverage.of_paper(identifier, known) for identifier in identifiers}
    evidence = row_marks.evidence()
    abstracts = [_abstract(identifier, paper, known) for identifier, paper in papers.items()]
    return Document(
        title="What the papers print, and what stands for it",
        remarks=REMARKS,
        sections=[
            Section("Lines", grids=[_sums(papers, entries)]),
            Section("The abstracts, claim by claim", grids=abstracts),
            *(_section(identifier, paper, entries[identifier], evidence) for identifier, paper in papers.items()),
        ],
    )


def _sums(papers: dict[str, Paper], entries: dict[str, list[Entry]]) -> Grid:
    named = {paper.name: entries[identifier] for identifier, paper in papers.items()}
    if len(named) > 1:
        named["all"] = [entry for of_paper in entries.values() for entry in of_paper]
    counted = {name: coverage.count(of_paper) for name, of_paper in named.items()}
    rows = [
        [name, *map(str, (sums.lines, sums.own, sums.rows, sums.judged, sums.quoted, sums.blank))]
        for name, sums in counted.items()
    ]
    return Grid(head=SUMS, rows=rows, numeric=frozenset(SUMS[1:]))


def _abstract(identifier: str, paper: Paper, known: Homes) -> Grid:
    rows = [
        [claim.claim, "; ".join(claim.where) or "-", _of_claim(identifier, claim, known)] for claim in paper.abstract
    ]
    return Grid(head=("claim", "printed in", "what stands for it"), rows=rows, title=paper.name)


def _of_claim(identifier: str, claim: Claim, known: Homes) -> str:
    if claim.quoted:
        return f"quoted: {claim.quoted}"
    homes, meant, blank = coverage.of_claim(identifier, claim, known)
    missing = f"{blank} of {meant} lines have no row yet" if homes and blank else ""
    return "; ".join(filter(None, (_told(homes), missing))) or BLANK


def _section(identifier: str, paper: Paper, entries: list[Entry], evidence: Evidence) -> Section:
    head = ("exhibit", "line", "whose", "what stands for it", "marks", "size")
    rows = []
    for entry in entries:
        exhibit = paper.exhibits[entry.place.exhibit]
        first = entry.place.line == exhibit.names[0]
        told = f"{entry.place.exhibit}: {exhibit.shows}" if first else ""
        standing = _told(entry.homes) or (f"quoted: {entry.quoted}" if entry.quoted else BLANK)
        marks = _marks(entry.homes, evidence)
        rows.append([told, entry.place.line, entry.whose or "-", standing, marks, exhibit.size if first else ""])
    return Section(f"{paper.name} ({identifier})", grids=[Grid(head=head, rows=rows)])


def _told(homes: Sequence[Home]) -> str:
    """Homes by recipe: `resnet/cifar10: plain-20, plain-56, relation plain-110-fails`."""
    by_recipe: dict[str, list[str]] = {}
    for home in homes:
        kind = "" if home.kind == "row" else f"{home.kind} "
        by_recipe.setdefault(home.recipe, []).append(f"{kind}{home.name}")
    return "; ".join(f"{recipe}: {', '.join(names)}" for recipe, names in by_recipe.items())


def _marks(homes: Sequence[Home], evidence: Evidence) -> str:
    """The marks of all rows among the homes, each once."""
    rows = [home for home in homes if home.kind != "relation"]
    return ", ".join(dict.fromkeys(mark for home in rows for mark in row_marks.of(evidence, home.recipe, home.name)))
