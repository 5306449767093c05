"""`lit-vision report`: the papers' tables with the figures of all runs. Imports no torch."""

import os
from collections.abc import Sequence
from pathlib import Path

from lit_vision.errors import InputError
from lit_vision.report import collect, html, markdown
from lit_vision.report.collect import Run
from lit_vision.report.ledger import export, paper_tables
from lit_vision.report.ledger.ledger import Ledger, build
from lit_vision.runs import durable
from lit_vision.runs import folder as runs
from lit_vision.verbs.arguments import Parser

FORMATS = {"markdown": (".md",), "csv": (".csv",), "json": (".json",), "html": (".html", ".htm")}


def run(argv: Sequence[str]) -> int:
    """Prints or writes the report; returns the exit code."""
    arguments = _parser().read(argv)
    out = Path(arguments.out) if arguments.out else None
    form = arguments.format or _form(out)
    text = _text(build(_runs(arguments.runs, arguments.wandb)), form, arguments.all, out)
    if out is None:
        print(text, end="")
    else:
        write(out, text)
    return 0


def _parser() -> Parser:
    parser = Parser("lit-vision report", description="The papers' tables with the figures of all runs, and verdicts.")
    parser.add_argument("runs", nargs="*", help="runs, or folders that hold some; runs/ when left out")
    parser.add_argument("--format", choices=FORMATS, help="what --out's suffix says when left out, else markdown")
    parser.add_argument("--out", help="a file to write instead of the terminal")
    parser.add_argument("--all", action="store_true", help="rows, tables and relations without a run too")
    parser.add_argument("--wandb", metavar="ENTITY/PROJECT", help="finished runs of a W&B project")
    return parser


def _form(out: Path | None) -> str:
    if out is None:
        return "markdown"
    for form, suffixes in FORMATS.items():
        if out.suffix.lower() in suffixes:
            return form
    raise InputError(f"--out {out}: its suffix names no format; add --format {'|'.join(FORMATS)}")


def _runs(folders: Sequence[str], project: str | None) -> list[Run]:
    local = [Path(folder) for folder in folders] or ([] if project else [runs.ROOT])
    found = collect.find(local, collect.warn, files=("config",))
    if project:
        from lit_vision.report import wandb_runs

        found += wandb_runs.find(project, known=found)
    if not found:
        where = ", ".join([*map(str, local), *([project] if project else [])])
        raise InputError(f"no runs at or below {where}; a run's folder holds run.json, lit-vision fit makes one")
    return found


def _text(ledger: Ledger, form: str, every_row: bool, out: Path | None) -> str:
    if form == "csv":
        return export.as_csv(ledger, every_row)
    if form == "json":
        return export.as_json(ledger, every_row)
    page = paper_tables.document(ledger, every_row)
    beside = out.parent if out else None
    return html.render(page, beside or Path()) if form == "html" else markdown.render(page, beside)


def write(out: Path, text: str) -> None:
    """Writes a file whole, or not at all, and says so.

    Raises:
        InputError: If it cannot be written.
    """
    if out.is_dir():
        raise InputError(f"--out {out} is a folder; name a file in it")
    beside = out.with_name(f".{out.name}.part")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with open(beside, "w", encoding="utf-8", opener=durable.fresh) as file:
            file.write(text)
        os.replace(beside, out)
    except (FileExistsError, NotADirectoryError):
        raise InputError(f"cannot write --out {out}: {out.parent} is no folder; name another file") from None
    except OSError as error:
        raise InputError(f"cannot write --out {out}: {error.strerror or error}; name another file") from None
    print(out)
