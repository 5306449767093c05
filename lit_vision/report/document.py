"""What a written page consists of, whatever its format: sections of text and tables. No torch here."""

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Link:
    """A cell that leads to a run.

    Attributes:
        text: What is shown.
        target: Path of a folder, or an address that begins with http.
    """

    text: str
    target: str

    @property
    def is_address(self) -> bool:
        """Whether it leads to another machine."""
        return self.target.startswith(("https://", "http://"))


Cell = str | Link


@dataclass(frozen=True)
class Grid:
    """A table.

    Attributes:
        head: Names of the columns.
        rows: Cells, as many a row as columns; an empty first cell continues the row above.
        title: Heading; may be empty.
        remarks: Lines of text above the table.
        numeric: Columns whose cells are set flush right.
        folded: Whether a page may hide it until asked.
    """

    head: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    title: str = ""
    remarks: Sequence[str] = ()
    numeric: frozenset[str] = frozenset()
    folded: bool = False


@dataclass(frozen=True)
class Section:
    """A part of a page with a heading of its own.

    Attributes:
        title: Heading.
        remarks: Lines of text.
        grids: Tables.
        picture: A picture below them, and what it shows; left out in a terminal.
    """

    title: str
    remarks: Sequence[str] = ()
    grids: Sequence[Grid] = ()
    picture: Link | None = None


@dataclass(frozen=True)
class Document:
    """A page."""

    title: str
    remarks: Sequence[str] = ()
    sections: Sequence[Section] = field(default_factory=tuple)


def without_empty_columns(grid: Grid) -> Grid:
    """The table without columns in which no cell says anything."""
    kept = [i for i in range(len(grid.head)) if any(row[i] not in ("", "-") for row in grid.rows)]
    return Grid(
        head=[grid.head[i] for i in kept],
        rows=[[row[i] for i in kept] for row in grid.rows],
        title=grid.title,
        remarks=grid.remarks,
        numeric=grid.numeric,
        folded=grid.folded,
    )
