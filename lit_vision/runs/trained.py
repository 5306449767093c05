"""Finished trainings, as later tests take them up: weights, configuration, what they changed. No torch here.

RUN/tests/<row slug>/      what another protocol says of the run's weights: config.yaml, result.json, diagnosis.json, …
RUN/analyses/<row slug>/   what an analysis found in them: result.json, arrays, plots
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lit_vision.errors import InputError
from lit_vision.experiment import yamlio
from lit_vision.experiment.compose import Config
from lit_vision.runs import folder as runs
from lit_vision.runs import results
from lit_vision.runs.folder import ANALYSES, TESTS, RunFolder
from lit_vision.runs.results import Result

PLOT, ARRAYS = "plot.png", "arrays.npz"  # what an analysis leaves beside its result


@dataclass(frozen=True)
class Trained:
    """One finished training.

    Attributes:
        folder: Its folder.
        config: Its resolved configuration, with `card` and `origin`.
        result: What its own test pass said.
    """

    folder: RunFolder
    config: Config
    result: Result

    @property
    def seed(self) -> int | None:
        """Seed of the training."""
        return self.result.seed

    @property
    def changed(self) -> dict[str, Any]:
        """Keys and values that the training changed beyond the hardware."""
        return dict(self.result.changed)

    @property
    def stand_in(self) -> bool:
        """Whether the training may not be held against the paper."""
        return self.result.stand_in

    @property
    def identity(self) -> results.Trained:
        """What a later result says of the training that it tested."""
        return results.Trained(
            recipe=self.result.recipe,
            row=self.result.row,
            run=str(self.folder.path),
            digest=self.result.digest,
            seed=self.seed,
            steps=self.result.steps,
            changed=self.changed,
            data=str(self.result.data.get("fingerprint") or ""),
        )

    def figures(self) -> dict[str, dict[str, float | None]]:
        """Figures of its own test, of later tests and of analyses, by row."""
        files = [file for place in results.PLACES for file in sorted(self.folder.path.glob(f"{place}{results.NAME}"))]
        return {found.row or "": found.figures for found in map(results.read, files)}

    def test(self, row: str) -> RunFolder:
        """Where a test of a row goes."""
        return RunFolder(self.folder.path / TESTS / runs.slug(row))

    def analysis(self, row: str) -> RunFolder:
        """Where an analysis of a row goes."""
        return RunFolder(self.folder.path / ANALYSES / runs.slug(row))


def of_run(path: Path, recipe: str, row: str, option: str = "--run") -> Trained:
    """The finished training of a row in a folder.

    Args:
        path: The run's folder.
        recipe: Recipe that must have trained it.
        row: Row that must have trained it.
        option: What named the folder, for messages.

    Raises:
        InputError: If the folder is no run, not finished, without weights, or of another row.
    """
    folder = RunFolder(path)
    if not folder.state:
        raise InputError(f"{option} {path}: there is no run; lit-vision fit --config {recipe} --row {row!r} makes one")
    if not folder.finished or not folder.config.is_file():
        raise InputError(f"{option} {path} is not finished; continue it with lit-vision fit --run {path}")
    found = _read(folder)
    theirs = (found.result.recipe, found.result.row)
    if theirs != (recipe, row):
        raise InputError(
            f"{option} {path} is a run of {theirs[0]}, row {theirs[1]!r}, but the weights asked for are those of\n"
            f"{recipe}, row {row!r}; name a run of that row"
        )
    if not folder.last.is_file():
        raise InputError(f"{option} {path} holds no weights ({folder.last} is gone); train the row again")
    return found


def find(recipe: str, row: str, root: Path = runs.ROOT) -> Iterator[Trained]:
    """Finished trainings of a row that still hold their weights, newest first."""
    for path in sorted((root / recipe / runs.slug(row)).glob("*/"), reverse=True):
        folder = RunFolder(path)
        if folder.finished and folder.last.is_file() and folder.config.is_file():
            found = _read(folder)
            if found.result.row == row:  # names that differ may share a folder
                yield found


def _read(folder: RunFolder) -> Trained:
    return Trained(folder, yamlio.load(folder.config), results.read(folder.result))
