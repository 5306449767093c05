"""`lit-vision recipes ls | show | cp | coverage`. Listing imports no torch."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lit_vision import terminal
from lit_vision.errors import InputError
from lit_vision.experiment import card as cards
from lit_vision.experiment import coverage, exhibits, recipes, yamlio
from lit_vision.experiment import marks as row_marks
from lit_vision.experiment.card import Card, Row
from lit_vision.report import coverage_page, markdown
from lit_vision.verbs.arguments import Parser


def run(argv: Sequence[str]) -> int:
    """Runs one of the four; returns the exit code."""
    arguments = _parser().read(argv)
    if arguments.action == "ls":
        print(_list(arguments.paper, arguments.json, arguments.quoted))
    elif arguments.action == "coverage":
        print(markdown.render(coverage_page.document(coverage.selected(arguments.paper))), end="")
    elif arguments.action == "show":
        print(_show(arguments.recipe, arguments.row))
    else:
        _copy(arguments.recipe, arguments.row, Path(arguments.file))
    return 0


def _parser() -> Parser:
    parser = Parser("lit-vision recipes", description="The recipes and their tables' rows.")
    actions = parser.add_subparsers(dest="action", required=True)
    listing = actions.add_parser("ls", help="every row with the value it is judged by, and whose it is")
    listing.add_argument("--paper", help="a folder of recipes (resnet) or an arXiv id (1512.03385)")
    listing.add_argument("--json", action="store_true", help="one object per row")
    listing.add_argument("--quoted", action="store_true", help="also lines that the papers quote and nobody runs")
    covered = actions.add_parser("coverage", help="what the papers print, line by line, and what stands for it")
    covered.add_argument("--paper", help="a folder of recipes (resnet) or an arXiv id (1512.03385)")
    show = actions.add_parser("show", help="resolved YAML, parameters, multiply-adds, schedule")
    show.add_argument("recipe")
    show.add_argument("--row")
    copy = actions.add_parser("cp", help="a recipe as a file of your own")
    copy.add_argument("recipe")
    copy.add_argument("--row", help="with what this row sets")
    copy.add_argument("file")
    return parser


def rows(paper: str | None = None, quoted: bool = False) -> list[dict[str, Any]]:
    """Every row as a flat object.

    Args:
        paper: Keeps one top folder or one arXiv id.
        quoted: Keeps quoted lines too.

    Raises:
        InputError: If no recipe belongs to the paper.
    """
    evidence = row_marks.evidence()
    found = [
        _entry(recipe, card, name, row, evidence)
        for recipe, card, name, row in recipes.every_row()
        if paper in (None, card.paper, recipe.split("/")[0]) and (quoted or not row.quoted)
    ]
    if paper and not found:
        folders = sorted({name.split("/")[0] for name in recipes.names()})
        raise InputError(f"--paper {paper}: no recipe belongs to it; choose from: {', '.join(folders)}, or an arXiv id")
    return found


def _entry(recipe: str, card: Card, name: str, row: Row, evidence: row_marks.Evidence) -> dict[str, Any]:
    return {
        "recipe": recipe,
        "row": name,
        "paper": card.paper,
        "where": row.place,
        "metric": row.metric,
        "value": row.value,
        "tolerance": row.tolerance if row.value is not None and not row.quoted else None,
        "source": row.quoted or row.source,
        "stand_in": row.stand_in,
        "quoted": bool(row.quoted),
        "marks": row_marks.of(evidence, recipe, name),
    }


def _list(paper: str | None, as_json: bool, quoted: bool) -> str:
    found = rows(paper, quoted)
    if as_json:
        return json.dumps(found, indent=1, ensure_ascii=not terminal.takes_unicode())
    cells = [("recipe", "row", "where", "metric", "paper's value", "other value", "marks")]
    for entry in found:
        value = "-" if entry["value"] is None else f"{entry['value']:g}"
        value += "" if entry["tolerance"] is None else f" (tolerance {entry['tolerance']:g})"
        # No value that no paper prints may stand under the paper's name.
        told = (value, "-") if entry["source"] == cards.PAPER or entry["quoted"] else ("-", _of(value, entry["source"]))
        cells.append((entry["recipe"], entry["row"], entry["where"], entry["metric"], *told, ", ".join(entry["marks"])))
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    lines = ["  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in cells]
    papers = [name for name in exhibits.papers() if paper is None or name in {entry["paper"] for entry in found}]
    return "\n".join([*lines, *(["", coverage.sentence(papers)] if papers else [])])


def _of(value: str, source: str) -> str:
    return value if value == "-" else f"{value} ({source})"


def _show(name: str, row: str | None) -> str:
    known = recipes.read_card(name)
    if row and known.row(row, name).quoted:
        return _quoted(name, row, known)
    recipes.check_references(name)
    exhibits.check_places(name)
    experiment = recipes.resolve([name], row)
    from lit_vision.session import quiet
    from lit_vision.session.describe import facts
    from lit_vision.session.resolution import resolved

    quiet.calm()
    card = {key: value for key, value in experiment.card_content.items() if key not in ("rows", "relations")}
    told = experiment.card_content.get("rows", {}).get(experiment.row, {})
    content = {"card": card | {"row": {experiment.row: told}}} | resolved(experiment)
    lines = [f"# {label}: {value}" for label, value in facts(experiment).items()]
    return "\n".join([*lines, "", yamlio.dump(content).rstrip()])


def _quoted(name: str, row: str, card: Card) -> str:
    """A line that has nothing to resolve: what the paper prints, and that it never runs."""
    entry = card.row(row, name)
    told = f"{entry.metric} {entry.value:g}" if entry.value is not None else entry.claim
    return f"# recipe: {name}\n# row: {row}\n# quoted: {entry.quoted}; nothing runs\n# {entry.place}: {told}"


def _copy(name: str, row: str | None, destination: Path) -> None:
    """Writes a recipe, or one row of it, as a file of the user's own that says what it was copied from.

    Raises:
        InputError: If the file exists, or cannot be written.
    """
    source = recipes.find(name)
    if destination.is_dir():
        destination = destination / source.name
    if os.path.lexists(destination):  # a link that leads nowhere yet would be written through
        raise InputError(f"{destination} exists already; name a file that does not")
    text = _of_row(name, row) if row else source.read_text(encoding="utf-8").rstrip()
    origin = yamlio.dump({"origin": {"copy_of": recipes.name_of(source)} | ({"row": row} if row else {})})
    try:
        destination.parent.mkdir(parents=True, exist_ok=True)
        destination.write_text(f"{text}\n{origin}", encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot write {destination} ({error.strerror or error}); name another place") from None
    print(f"{destination}: edit it, then lit-vision fit --config {destination}")


def _of_row(name: str, row: str) -> str:
    """The recipe as the row sets it, and a card of this row alone, which sets nothing any more.

    Raises:
        InputError: If the row takes the weights of another, which would not be there.
    """
    experiment = recipes.resolve([name], row)
    card = experiment.card_content
    if others := [key for key in ("weights_of", "members") if key in card["rows"][row]]:
        raise InputError(
            f"--row {row}: it tests the weights of another row ({others[0]}), so it cannot stand alone; "
            "copy the whole recipe, without --row"
        )
    told = {key: value for key, value in card["rows"][row].items() if key != "set"} | {"default": True}
    return yamlio.dump({"card": card | {"rows": {row: told}, "relations": []}} | experiment.config).rstrip()
