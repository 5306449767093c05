"""`lit-vision data ls | where | get | check`. Listing imports no torch."""

import dataclasses
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lit_vision import terminal
from lit_vision.data.fetch import catalog
from lit_vision.data.fetch.catalog import DataSet
from lit_vision.errors import InputError
from lit_vision.experiment import yamlio
from lit_vision.verbs.arguments import Parser, count


def run(argv: Sequence[str]) -> int:
    """Runs one of the four; returns the exit code."""
    own, options = options_apart(argv)
    arguments = _parser().read(own)
    if arguments.action == "check":
        from lit_vision.verbs import data_check

        return data_check.run(arguments, options)
    if options:
        raise InputError(f"lit-vision data {arguments.action} takes no --{options[0][0]}; only check does")
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
    check = actions.add_parser("check", help="everything that is wrong with a data set, in one pass")
    check.add_argument("what", help="a recipe, a folder (VOC's layout, class folders, COCO's files), or a COCO file")
    check.add_argument("--row", help="a row of the recipe")
    check.add_argument("--workers", type=count, default=cores(), help="threads that decode; default: all cores")
    check.add_argument("--json", type=Path, help="file for all findings")
    check.add_argument("--page", type=Path, help="HTML file with pictures of the offenders")
    check.add_argument("--write-quarantine", type=Path, help="file for data.quarantine: the images that cannot stay")
    return parser


def options_apart(argv: Sequence[str]) -> tuple[list[str], list[tuple[str, Any]]]:
    """The verb's own arguments, and the options of `data` as dotted keys and plain values.

    Raises:
        InputError: If a key has no value.
    """
    own: list[str] = []
    options: list[tuple[str, Any]] = []
    rest = iter(argv)
    for argument in rest:
        if not argument.startswith(("--data.", "--data=")) and argument != "--data":
            own.append(argument)
            continue
        name, equals, text = argument.partition("=")
        value = text if equals else next(rest, "")
        if not value:
            raise InputError(f"{name} needs a value; write {name} VALUE or {name}=VALUE")
        options.append((name[2:], yamlio.value(value)))
    return own, options


def cores() -> int:
    """As many as this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


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
