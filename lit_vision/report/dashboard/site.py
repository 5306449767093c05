"""The dashboard as files: a page for each run, one for all, and the drawing library that they share. No torch here."""

import errno
import hashlib
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from lit_vision.errors import InputError
from lit_vision.report import collect
from lit_vision.report.collect import Run
from lit_vision.report.dashboard import project_page, render, run_page, states
from lit_vision.report.dashboard.project_page import Line
from lit_vision.runs import durable

PAGE = "index.html"
SOURCES = ("result.json", "run.json", "config.yaml", "metrics.jsonl", collect.DIAGNOSIS, "diagnosis", "gallery")
HEAD = 2000  # characters of a page that tell whose it is

Content = dict[str, Any]


class Found(NamedTuple):
    """A run of the site.

    Attributes:
        key: Its folder relative to the site's, with slashes; empty if it is the site's own.
        run: The run.
        stamp: Changes when its files do.
    """

    key: str
    run: Run
    stamp: str


class Site:
    """All pages of some runs.

    Args:
        paths: Folders with runs, or runs.
        out: Where the pages go, laid out like the runs; their own folders if left out.

    Attributes:
        base: The folder that all runs lie below: the path, or what several paths have in common.
        out: Where the pages go.
        left_out: A line for each run that the last scan could not read.

    Raises:
        InputError: From all methods, if a path is not there, or no run can be read.
    """

    def __init__(self, paths: Sequence[Path], out: Path | None = None) -> None:
        self.paths = paths
        self.base = paths[0] if len(paths) == 1 else Path(os.path.commonpath([path.absolute() for path in paths]))
        self.out = out or self.base
        self.left_out: list[str] = []
        self._lines: dict[str, tuple[str, Line]] = {}
        self._read: dict[Path, tuple[str, Run | None, str]] = {}

    @property
    def is_run(self) -> bool:
        """Whether the site is a single run's folder, and has no page of all runs."""
        return any((self.base / name).is_file() for name in ("result.json", "run.json"))

    def scan(self) -> list[Found]:
        """The runs as they are now. A link that leads out of the folder is not followed."""
        if self.is_run:
            return [self._found("", collect.read(self.base), self._stamp_of_files(self.base))]
        root, found = self.base.resolve(), {}
        self.left_out = []
        for folder in collect.folders(self.paths):
            place = folder.resolve()
            if place.is_relative_to(root) and (run := self._run(folder)):
                key = place.relative_to(root).as_posix()
                found[key] = self._found(key, run, self._read[folder][0])
        if not found:
            raise InputError(_nothing_in(self.paths, self.left_out))
        return list(found.values())

    def _run(self, folder: Path) -> Run | None:
        """The run in a folder, read again only when its files have changed; None for one that cannot be read."""
        stamp = self._stamp_of_files(folder)
        if self._read.get(folder, ("",))[0] != stamp:
            told: list[str] = []
            run = collect.readable(told.append)(folder)
            self._read[folder] = (stamp, run, "".join(told))
        _, run, fault = self._read[folder]
        self.left_out += [fault] if fault else []
        return run

    def _stamp_of_files(self, folder: Path) -> str:
        later = [_state(other / "result.json") for other in collect.later_folders(folder)]
        return _digest([*(_state(folder / name) for name in SOURCES), *later])

    def _found(self, key: str, run: Run, files: str) -> Found:
        # The state too, which silence changes.
        return Found(key, run, _digest([render.edition(), self.home(key), files, states.label(run)]))

    def home(self, key: str) -> str | None:
        """Link from a run's page to the page of all."""
        return None if self.is_run else self.to_root(key) + PAGE

    def to_root(self, key: str) -> str:
        """Link from a run's page to the folder of the site; empty for the site's own page."""
        return "../" * (key.count("/") + 1) if key else ""

    def run_content(self, found: Found) -> Content:
        """What stands on a run's page."""
        return run_page.content(found.run, self.home(found.key))

    def content(self, found: Sequence[Found]) -> Content:
        """What stands on the page of all runs; only runs that have changed are read again."""
        for entry in found:
            if self._lines.get(entry.key, ("",))[0] != entry.stamp:
                href = f"{quote(entry.key)}/{PAGE}"
                self._lines[entry.key] = (entry.stamp, project_page.line(entry.run, entry.key, href, len(found)))
        return project_page.content([self._lines[entry.key][1] for entry in found], self.left_out)

    def stamp(self, found: Sequence[Found]) -> str:
        """Changes when the page of all runs does."""
        return _digest([self.left_out, *([entry.key, entry.stamp] for entry in found)])

    def write(self, found: Sequence[Found] | None = None) -> Path:
        """Writes the pages that have changed.

        Returns:
            The page to open first.

        Raises:
            InputError: If a page cannot be written, or a file that is no page of ours stands in its place.
        """
        found = self.scan() if found is None else found
        self._write_library()
        for entry in found:
            file = self.out / entry.key / PAGE
            if _stamp_of(file) != entry.stamp:
                self._write(file, render.page(self.run_content(entry), entry.stamp, self.to_root(entry.key)))
        if self.is_run:
            return self.out / PAGE
        stamp, file = self.stamp(found), self.out / PAGE
        if _stamp_of(file) != stamp:
            self._write(file, render.page(self.content(found), stamp))
        return file

    def _write(self, file: Path, text: str) -> None:
        """Writes a page whole, and through no link: neither one in its place nor one on the way from `out`."""
        beside = file.with_name(f".{file.name}.part")
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            if not file.parent.resolve().is_relative_to(self.out.resolve()):
                raise OSError(errno.ELOOP, "a link leads out of the pages' folder")
            with open(beside, "w", encoding="utf-8", opener=durable.fresh) as page:
                page.write(text)
            os.replace(beside, file)
        except OSError as error:
            raise durable.told(error, file) from error

    def _write_library(self) -> None:
        """Puts the drawing library beside the first page, once for all pages."""
        file, text = self.out / render.library_name(), render.library()
        if file.is_symlink() or _state(file)[1:] != [len(text.encode())]:
            self._write(file, text)


def _nothing_in(paths: Sequence[Path], left_out: Sequence[str]) -> str:
    named = ", ".join(map(str, paths))
    if left_out:
        return f"no run in {named} can be read; the first is {left_out[0]}"
    return f"no runs in {named}; lit-vision fit leaves one for each training"


def _state(file: Path) -> list[int]:
    """When a file was written and how long it is; the same for all that are not there."""
    try:
        status = file.stat()
    except OSError:
        return []
    return [status.st_mtime_ns, status.st_size]


def _digest(content: Any) -> str:
    return hashlib.sha256(repr(content).encode()).hexdigest()[:16]


def _stamp_of(file: Path) -> str | None:
    """What an existing page was made of; None if there is no file.

    Raises:
        InputError: If it is no page of the dashboard.
    """
    try:
        with file.open(encoding="utf-8", errors="replace") as page:
            head = page.read(HEAD)
    except OSError:
        return None
    if f'name="generator" content="{render.GENERATOR}"' not in head:
        raise InputError(
            f"{file} is no page of this dashboard, so it stays; move it, or name another folder with --out"
        )
    stamp = re.search(r'name="stamp" content="(\w+)"', head)
    return stamp[1] if stamp else ""
