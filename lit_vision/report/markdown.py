"""Pages as Markdown that also reads well in a terminal. No torch here."""

import os
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from urllib.parse import quote

from lit_vision.report.document import Cell, Document, Grid, Link

_SPECIAL = re.compile(r"([\\`*\[\]|])")
_ENTITY = re.compile(r"&(?=#?\w+;)")


def render(document: Document, beside: Path | None = None) -> str:
    """The page as text.

    Args:
        document: The page.
        beside: Folder that the text will lie in; runs are links then, relative to it. Without, it is for a terminal:
            runs are plain paths, and nothing is escaped for Markdown.
    """
    spell = one_line if beside is None else escape
    lines = [f"# {spell(document.title)}", "", *_remarks(document.remarks, spell)]
    for section in document.sections:
        lines += [f"## {spell(section.title)}", "", *_remarks(section.remarks, spell)]
        for grid in section.grids:
            lines += _grid(grid, beside)
        if section.picture and beside is not None:
            path = quote(target(section.picture, beside))
            lines += [f"![{escape(section.picture.text)}]({path})", ""]
    return "\n".join(lines).rstrip() + "\n"


def escape(text: str) -> str:
    """Text that Markdown, and HTML in Markdown, show as it is, on one line."""
    return _SPECIAL.sub(r"\\\1", _ENTITY.sub("&amp;", one_line(text)).replace("<", "&lt;"))


def one_line(text: str) -> str:
    """Text that a terminal shows as it is, on one line."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


Spell = Callable[[str], str]


def _remarks(remarks: Iterable[str], spell: Spell) -> Iterator[str]:
    for remark in remarks:
        yield spell(remark)
        yield ""


def _grid(grid: Grid, beside: Path | None) -> Iterator[str]:
    spell = one_line if beside is None else escape
    if grid.title:
        yield f"### {spell(grid.title)}"
        yield ""
    yield from _remarks(grid.remarks, spell)
    rows = [[spell(name) for name in grid.head], *([_cell(cell, beside) for cell in row] for row in grid.rows)]
    widths = [max(3, *(len(row[i]) for row in rows)) for i in range(len(grid.head))]
    right = [name in grid.numeric for name in grid.head]
    rules = ["-" * (width - 1) + ":" if flush else "-" * width for width, flush in zip(widths, right, strict=True)]
    for row in [rows[0], rules, *rows[1:]]:
        cells = [
            cell.rjust(width) if flush else cell.ljust(width)
            for cell, width, flush in zip(row, widths, right, strict=True)
        ]
        yield f"| {' | '.join(cells)} |"
    yield ""


def _cell(cell: Cell, beside: Path | None) -> str:
    if beside is None:
        return one_line(cell.text if isinstance(cell, Link) else cell)
    if not isinstance(cell, Link):
        return escape(cell)
    return f"[{escape(cell.text)}](<{_encoded(target(cell, beside))}>)"


def target(link: Link, beside: Path) -> str:
    """Where a page in the folder `beside` must point to."""
    return link.target if link.is_address else os.path.relpath(link.target, beside)


def _encoded(path: str) -> str:
    """A path that cannot end a link early."""
    return "".join(f"%{ord(c):02X}" if c in "<>\\%|" or not c.isprintable() else c for c in path)
