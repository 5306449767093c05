"""`lit-vision data ls | where | get`. Listing imports no torch."""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

from lit_vision import terminal
from lit_vision.data.fetch import catalog
from lit_vision.data.fetch.catalog import DataSet
from lit_vision.verbs.arguments import Parser


def run(argv: Sequence[str]) -> int:
    """Runs one of the three; returns the exit code."""
    arguments = _parser().read(argv)
    if arguments.action == "ls":
        print(_list(arguments.json))
        return 0
    entry = catalog.find(arguments.name)
    root = arguments.root or entry.root
    if arguments.action == "where":
        print(_where(entry, root))
    elif entry.name in ("cifar10", "cifar100"):
        from lit_vision.data import cifar

        cifar.fetch(entry.name, Path(root))
        print(f"{entry.name} is complete in {root}")
    else:
        _get_archives(entry, root)
    return 0


def _get_archives(entry: DataSet, root: str) -> None:
    from lit_vision.data.fetch import archives

    if entry.name not in archives.ARCHIVES:
        print(_where(entry, root))
        return
    archives.get(entry.name, Path(root))
    print(f"{entry.name} is complete in {root}; the archives there can be removed")


def _parser() -> Parser:
    parser = Parser("lit-vision data", description="The data sets: what, where, how to get them.")
    actions = parser.add_subparsers(dest="action", required=True)
    listing = actions.add_parser("ls", help="all data sets")
    listing.add_argument("--json", action="store_true")
    for action, text in (("where", "expected tree, licence, checksum"), ("get", "fetch it, or say how")):
        chosen = actions.add_parser(action, help=text)
        chosen.add_argument("name")
        chosen.add_argument("--root", help="another folder than the default")
    return parser


def _list(as_json: bool) -> str:
    if as_json:
        return json.dumps(
            [dataclasses.asdict(entry) for entry in catalog.every()],
            indent=1,
            ensure_ascii=not terminal.takes_unicode(),
        )
    lines = [("name", "classes", "images", "size on disk", "how to get it")]
    for entry in catalog.every():
        lines.append((entry.name, str(entry.classes or "yours"), entry.images, entry.size, entry.how))
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def _where(entry: DataSet, root: str) -> str:
    told = {
        "data": entry.data,
        "images": entry.images,
        "size": entry.size,
        "licence": entry.licence,
        "checksum": entry.checksum,
        "to get it": entry.how,
    }
    lines = [f"{label + ':':<11} {text}" for label, text in told.items()]
    return "\n".join([entry.name, *lines, "expected:", entry.tree.replace("{root}", root)])
