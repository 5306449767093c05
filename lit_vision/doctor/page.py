"""The report as a page with pictures of the offenders."""

import math
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from lit_vision.data.pipelines import decode
from lit_vision.diagnosis import drawing
from lit_vision.doctor.report import Problem, Report
from lit_vision.errors import InputError
from lit_vision.report import html
from lit_vision.report.document import Document, Grid, Link, Section

ROWS = 50
PICTURES = 12

_SIDE, _COLUMNS, _GAP = 240, 4, 6
_RED = (214, 39, 40)


def write(report: Report, path: Path) -> None:
    """Writes the page, and its pictures into a folder beside it.

    Args:
        report: What was found.
        path: The page, `.html`.

    Raises:
        InputError: If it cannot be written.
    """
    pictures = path.with_name(f"{path.stem}_pictures")
    try:
        pictures.mkdir(parents=True, exist_ok=True)
        sections = [_section(kind, problems, pictures) for kind, problems in report.by_kind().items()]
        path.write_text(html.render(_document(report, sections), path.parent.resolve()))
    except OSError as error:
        raise InputError(f"--page {path}: cannot be written: {error.strerror}") from None


def _document(report: Report, sections: Sequence[Section]) -> Document:
    names = list(dict.fromkeys(name for counts in report.splits.values() for name in counts))
    rows = [
        [split, *(f"{counts[name]:,}" if name in counts else "-" for name in names)]
        for split, counts in report.splits.items()
    ]
    figures = [Grid(["figure", "value"], list(figures.items()), title) for title, figures in report.statistics.items()]
    counts = Section("Images and objects", (), [Grid(["split", *names], rows, numeric=frozenset(names))])
    told = [Section("Statistics", (), figures)] if figures else []
    remark = f"{report.counted()}. Bad is what training refuses, or what makes figures false."
    return Document(f"Data check: {report.name}", [remark], [counts, *sections, *told])


def _section(kind: str, problems: Sequence[Problem], folder: Path) -> Section:
    rows = [[problem.split or "-", problem.image or "-", problem.text] for problem in problems[:ROWS]]
    more = [f"The first {ROWS} of {len(problems):,}."] if len(problems) > ROWS else []
    mark = "bad" if problems[0].fatal else "note"
    sheet = _sheet([problem for problem in problems if problem.path])
    picture = None
    if sheet is not None:
        file = folder / f"{kind.replace(' ', '_').replace(',', '')}.jpg"
        sheet.save(file, quality=85)
        picture = Link(f"{kind}: the first images", str(file.resolve()))
    return Section(f"{kind} ({len(problems):,}, {mark})", more, [Grid(["split", "image", "finding"], rows)], picture)


def _sheet(problems: Sequence[Problem]) -> Image.Image | None:
    """Thumbnails side by side, boxes drawn; None where there is no picture."""
    tiles = [tile for problem in problems[:PICTURES] if (tile := _tile(problem)) is not None]
    if not tiles:
        return None
    columns = min(_COLUMNS, len(tiles))
    step = _SIDE + _GAP
    sheet = Image.new("RGB", (columns * step, math.ceil(len(tiles) / columns) * step), "white")
    for number, tile in enumerate(tiles):
        sheet.paste(tile, (number % columns * step, number // columns * step))
    return sheet


def _tile(problem: Problem) -> Image.Image | None:
    assert problem.path is not None
    try:
        image = drawing.opened(decode.read(problem.path))
    except InputError:
        return None
    shown = drawing.fitted(image, _SIDE, _SIDE)
    if problem.box is not None:
        scale = shown.width / image.width
        x1, y1, x2, y2 = (value * scale for value in problem.box)
        box = min(x1, x2) - 1, min(y1, y2) - 1, max(x1, x2) + 1, max(y1, y2) + 1
        drawing.marked(shown, [box], [""], [_RED])
    return shown
