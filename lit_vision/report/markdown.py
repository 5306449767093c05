"""Pages as Markdown that also reads well in a terminal. No torch here."""

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from lit_vision.report.document import Cell, Document, Grid, Link

_SPECIAL = re.compile(r"([\\`*\[\]|])")
_ENTITY = re.compile(r"&(?=#?\w+;)")


def render(document: Document, beside: Path | None = None) -> str:
    """The page as text.

    Args:
        document: The page.
        beside: Folder that the text will lie in; runs are links then, relative to it. Without, runs are plain paths.
    """
    lines = [f"# {escape(document.title)}", "", *_remarks(document.remarks)]
    for section in document.sections:
        lines += [f"## {escape(section.title)}", "", *_remarks(section.remarks)]
        for grid in section.grids:
            lines += _grid(grid, beside)
    return "\n".join(lines).rstrip() + "\n"


def escape(text: str) -> str:
    """Text that Markdown, HTML in Markdown and a terminal show as it is, on one line."""
    one_line = "".join(letter if letter.isprintable() else " " for letter in text)
    return _SPECIAL.sub(r"\\\1", _ENTITY.sub("&amp;", one_line).replace("<", "&lt;"))


def _remarks(remarks: Iterable[str]) -> Iterator[str]:
    for remark in remarks:
        yield escape(remark)
        yield ""


def _grid(grid: Grid, beside: Path | None) -> Iterator[str]:
    if grid.title:
        yield f"### {escape(grid.title)}"
        yield ""
    yield from _remarks(grid.remarks)
    rows = [[escape(name) for name in grid.head], *([_cell(cell, beside) for cell in row] for row in grid.rows)]
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
    if not isinstance(cell, Link):
        return escape(cell)
    if beside is None:
        return escape(cell.text)
    return f"[{escape(cell.text)}](<{_encoded(target(cell, beside))}>)"


def target(link: Link, beside: Path) -> str:
    """Where a page in the folder `beside` must point to."""
    return link.target if link.is_address else os.path.relpath(link.target, beside)


def _encoded(path: str) -> str:
    """A path that cannot end a link early."""
    return "".join(f"%{ord(c):02X}" if c in "<>\\%|" or not c.isprintable() else c for c in path)
