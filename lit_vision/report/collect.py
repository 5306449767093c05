"""Runs as their folders tell them: what report, comparison and dashboard read. No torch here."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from lit_vision.errors import InputError
from lit_vision.experiment import yamlio
from lit_vision.runs import folder as runs
from lit_vision.runs import results, scores
from lit_vision.runs.folder import RunFolder
from lit_vision.runs.scores import Score

DIAGNOSIS = "diagnosis.json"
PER_IMAGE = "per_image.jsonl"


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
    def config(self) -> dict[str, Any]:
        """The resolved configuration, with `card` and `origin`; empty if the file is gone."""
        return yamlio.load(self.folder.config) if self.folder.config.is_file() else {}

    @cached_property
    def metrics(self) -> list[dict[str, Any]]:
        """The logged figures in order, interrupted tails dropped."""
        return runs.read_metrics(self.folder.metrics) if self.folder.metrics.is_file() else []

    @cached_property
    def diagnosis(self) -> dict[str, Any]:
        """Why it may have missed, as `diagnosis/callback.py` left it at test time; empty without."""
        file = self.path / DIAGNOSIS
        content: dict[str, Any] = _json(file) if file.is_file() else {}
        return content

    @cached_property
    def per_image(self) -> list[dict[str, Any]]:
        """Test results image by image, in the order of ids; empty without.

        Raises:
            InputError: If a line is damaged.
        """
        file = self.path / PER_IMAGE
        lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
        try:
            return [json.loads(line) for line in lines]
        except json.JSONDecodeError:
            raise InputError(f"{file} is damaged; remove it, and images are not compared one by one") from None

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


def find(paths: Iterable[Path] = (runs.ROOT,)) -> list[Run]:
    """All runs at or below the paths, by path.

    A folder is a run if it holds `result.json` or `run.json`.

    Raises:
        InputError: If a path is not there, or a file of a run is damaged.
    """
    found = {folder.resolve(): folder for path in paths for folder in _folders(path)}
    return [read(folder) for folder in sorted(found.values())]


def read(folder: Path) -> Run:
    """One run.

    Raises:
        InputError: If the folder is none, or a file of it is damaged.
    """
    result, state = folder / "result.json", folder / "run.json"
    if not result.is_file() and not state.is_file():
        raise InputError(f"{folder} is no run: it holds neither result.json nor run.json; name a run's folder")
    content = _json(result) if result.is_file() else {}
    if content:
        results.parse(content, str(result))
    return Run(folder, content, _json(state) if state.is_file() else {})


def _folders(path: Path) -> Iterator[Path]:
    if not path.exists():
        raise InputError(f"no folder {path}; name a run's folder, or one that holds runs")
    for pattern in ("result.json", "run.json"):
        yield from (file.parent for file in path.rglob(pattern))


def _json(file: Path) -> Any:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except ValueError:  # no JSON, or no UTF-8
        content = None
    if not isinstance(content, dict):
        raise InputError(f"{file} is damaged; restore it, or move its run elsewhere")
    return content
