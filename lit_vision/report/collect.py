"""Runs as their folders tell them: what report, comparison and dashboard read. No torch here."""

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from lit_vision.errors import InputError
from lit_vision.experiment import card as cards
from lit_vision.experiment import yamlio
from lit_vision.report import fields
from lit_vision.runs import folder as runs
from lit_vision.runs import plain_json, scores
from lit_vision.runs.folder import ANALYSES, TESTS, RunFolder
from lit_vision.runs.scores import Score

PAGES = ("config", "metrics", "diagnosis")  # of a run: what its pages are made of, beside result and state
DIAGNOSIS = "diagnosis.json"
PER_IMAGE = "per_image.jsonl"

_REMEDY = "restore it, or move its run elsewhere"


@dataclass(frozen=True)
class Run:
    """One run's folder, read when asked.

    Attributes:
        path: The folder.
        result: `result.json` as plain values, checked against `runs.results.Result`; empty while the run is unfinished.
        state: `run.json`: recipe, row, digest, W&B id.
    """

    path: Path
    result: dict[str, Any] = field(default_factory=dict)
    state: dict[str, Any] = field(default_factory=dict)

    @property
    def folder(self) -> RunFolder:
        """The folder and the names of its files."""
        return RunFolder(self.path)

    @property
    def recipe(self) -> str:
        """Name of the recipe."""
        return str(self.result.get("recipe") or self.state.get("recipe") or "")

    @property
    def row(self) -> str | None:
        """Row of the recipe, or None."""
        row: str | None = self.result.get("row") or self.state.get("row")
        return row

    @property
    def seed(self) -> int | None:
        """Seed of the run."""
        seed: int | None = self.result["seed"] if "seed" in self.result else self.config.get("seed_everything")
        return seed

    @property
    def finished(self) -> bool:
        """Whether training and its test pass are done."""
        return bool(self.result)

    @cached_property
    def later(self) -> list["Run"]:
        """What was said of the run's weights after its training: tests by other protocols, then analyses.

        Raises:
            InputError: If a result is damaged.
        """
        return [read(folder) for folder in later_folders(self.path)]

    @cached_property
    def config(self) -> dict[str, Any]:
        """The resolved configuration, with `card` and `origin`; empty if the file is gone."""
        file = self.folder.config
        content = yamlio.load(file) if file.is_file() else {}
        _refuse(file, fields.fault(content, fields.CONFIG))
        cards.parse(content.get("card") or {}, str(file))
        return content

    @cached_property
    def metrics(self) -> list[dict[str, Any]]:
        """The logged figures in order, interrupted tails dropped."""
        file = self.folder.metrics
        return runs.without_tails(_checked(file)) if file.is_file() else []

    @cached_property
    def diagnosis(self) -> dict[str, Any]:
        """Why it may have missed, as `diagnosis/callback.py` left it at test time; empty without."""
        file = self.path / DIAGNOSIS
        content = plain_json.read(file, _REMEDY) if file.is_file() else {}
        _refuse(file, fields.fault(content, fields.DIAGNOSIS) or fields.fault_of_labels(content))
        return content

    @cached_property
    def per_image(self) -> list[dict[str, Any]]:
        """Test results image by image, in the order of ids; empty without."""
        file = self.path / PER_IMAGE
        lines = file.read_bytes().splitlines() if file.is_file() else []
        try:
            found = [plain_json.parse(line) for line in lines]
        except ValueError:
            raise InputError(f"{file} is damaged; remove it, and images are not compared one by one") from None
        for number, line in enumerate(found, 1):
            _refuse(file, fields.fault_of_image(line), number)
        return found

    @cached_property
    def scores(self) -> dict[str, Score]:
        """What evaluation servers said of it, by split; empty without."""
        return scores.read(self.path)

    def figures_on(self, split: str) -> dict[str, Any]:
        """Its figures; for the split of a server that has answered, the server's."""
        own: dict[str, Any] = self.result["figures"]
        return own | (self.scores[split].figures if split in self.scores else {})

    def curve(self, name: str) -> tuple[list[int], list[float]]:
        """Optimiser steps and values of one logged figure."""
        points = [(line["step"], line[name]) for line in self.metrics if line.get(name) is not None]
        return [step for step, _ in points], [value for _, value in points]


Tell = Callable[[str], object]


def warn(text: str) -> None:
    """Says on the terminal that a run is left out."""
    print(f"warning: {text}", file=sys.stderr)


def find(paths: Iterable[Path] = (runs.ROOT,), tell: Tell | None = None, files: Sequence[str] = PAGES) -> list[Run]:
    """All runs at or below the paths, by path.

    A folder is a run if it holds `result.json` or `run.json`; later tests and analyses of a run are part of it, and
    found as runs of their own only where a path names them.

    Args:
        paths: Where to look.
        tell: Takes a line for each run that cannot be read, which is left out then; without, the first one is an error.
        files: What is read at once where somebody is told, so that no page is left half made.

    Raises:
        InputError: If a path is not there; if a file of a run is damaged and nobody is to be told.
    """
    read_one = read if tell is None else readable(tell, files)
    # The earlier stages of a run are shown with it, not beside it.
    return [run for folder in folders(paths) if (run := read_one(folder)) and "part_of" not in run.state]


def readable(tell: Tell, files: Sequence[str] = PAGES) -> Callable[[Path], Run | None]:
    """A reader that reads these files of a run at once, and tells of one that cannot be read instead of failing."""

    def read_whole(folder: Path) -> Run | None:
        try:
            run = read(folder)
            for each in (run, *run.later):
                for name in ("scores", *files):
                    getattr(each, name)
        except (InputError, OSError, RecursionError, UnicodeDecodeError) as error:
            tell(f"left out: {' '.join(str(error).split())}")
            return None
        return run

    return read_whole


def folders(paths: Iterable[Path]) -> list[Path]:
    """Folders of runs at or below the paths, each once.

    Raises:
        InputError: If a path is not there.
    """
    found = {
        folder.resolve(): folder
        for path in paths
        for folder in _folders(path)
        if folder == path or not is_later(folder)
    }
    return sorted(found.values())


def with_later(found: Iterable[Run]) -> Iterator[Run]:
    """All results: each run, and behind it its later tests and analyses, which stand for rows of their own."""
    for run in found:
        yield run
        yield from run.later


def later_folders(path: Path) -> list[Path]:
    """Folders of a run's later tests and analyses."""
    return [file.parent for kind in (TESTS, ANALYSES) for file in sorted((path / kind).glob("*/result.json"))]


def is_later(folder: Path) -> bool:
    """Whether a folder is a later test or an analysis below the run that was trained."""
    return folder.parent.name in (TESTS, ANALYSES) and (folder.parent.parent / "run.json").is_file()


def read(folder: Path) -> Run:
    """One run.

    Raises:
        InputError: If the folder is none, or a file of it is damaged.
    """
    result, state = folder / "result.json", folder / "run.json"
    if not result.is_file() and not state.is_file():
        raise InputError(f"{folder} is no run: it holds neither result.json nor run.json; name a run's folder")
    return Run(folder, _result(result) if result.is_file() else {}, _state(state) if state.is_file() else {})


def _folders(path: Path) -> Iterator[Path]:
    if not path.exists():
        raise InputError(f"no folder {path}; name a run's folder, or one that holds runs")
    for pattern in ("result.json", "run.json"):
        yield from (file.parent for file in path.rglob(pattern))


def _result(file: Path) -> dict[str, Any]:
    content = plain_json.read(file, _REMEDY)
    _refuse(file, fields.fault(content, fields.RESULT))
    cards.parse(content.get("card") or {}, str(file))
    return content


def _state(file: Path) -> dict[str, Any]:
    content = plain_json.read(file, _REMEDY)
    _refuse(file, fields.fault(content, fields.STATE))
    return content


def _checked(file: Path) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(runs.json_lines(file), 1):
        _refuse(file, fields.fault_of_line(line), number)
        yield line


def _refuse(file: Path, fault: str | None, line: int | None = None) -> None:
    """Raises an error that names the file and what is wrong in it, if anything is."""
    if fault:
        where = f"{file}, line {line}" if line else str(file)
        raise InputError(f"{where}: {fault}; {_REMEDY}")
