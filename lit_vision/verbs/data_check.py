"""`lit-vision data check WHAT`: everything that is wrong with a data set, in one pass."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import lightning as L
from torch import nn

from lit_vision import build, files
from lit_vision.data import layout, quarantine
from lit_vision.doctor import page
from lit_vision.doctor.examine import examine, refusal
from lit_vision.doctor.report import Report
from lit_vision.errors import InputError
from lit_vision.runs import durable
from lit_vision.session import request, shapes

BAD = 1


def run(arguments: argparse.Namespace, options: Sequence[tuple[str, Any]]) -> int:
    """Examines a recipe's data set, a folder or a COCO file; prints the summary, writes what else is asked for.

    Args:
        arguments: `what`, `row`, `json`, `page`, `write_quarantine` and `workers`.
        options: Dotted keys of `data` and plain values.

    Returns:
        0, or 1 where something is bad.
    """
    report = _examine(arguments, options)
    print(report.text())
    if arguments.json:
        _write(arguments.json, report.json(), "--json")
    if arguments.page:
        page.write(report, arguments.page)
    if arguments.write_quarantine:
        _write(arguments.write_quarantine, quarantine.text(report.quarantine()), "--write-quarantine")
    return BAD if report.fatal else 0


def _examine(arguments: argparse.Namespace, options: Sequence[tuple[str, Any]]) -> Report:
    what = arguments.what
    if files.is_folder(what) or Path(what).suffix == ".json":
        if arguments.row is not None:
            raise InputError(f"--row {arguments.row}: {what} is a folder or a file; only a recipe has rows")
        part = layout.guess(Path(what))
        part["init_args"] |= {key.removeprefix("data."): value for key, value in options}
        return _report(part, None, arguments)
    asked = request.Request("fit", [what], arguments.row, options=list(options))
    config = request.resolve(asked).config
    return _report(config["data"], lambda: shapes.skeleton(config)[0], arguments)


def _report(part: Any, network: Callable[[], nn.Module] | None, arguments: argparse.Namespace) -> Report:
    """What is found; also where the data set is refused as soon as it is named."""
    try:
        data = build.part(L.LightningDataModule, part)
        return examine(data, network and network(), arguments.what, arguments.workers)
    except InputError as error:
        return Report(arguments.what, [refusal(error)])


def _write(path: Path, text: str, option: str) -> None:
    try:
        durable.write_text(path, text)
    except OSError as error:
        raise InputError(f"{option} {path}: cannot be written: {error.strerror}") from None
