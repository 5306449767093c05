"""The runs of claims, and what they decide. No torch here.

runs/claims/<id>/
    claim.json             the claim as it was when its first run began
    <arm>/<seed>/          ordinary run folders
        drawn.json         by figure, its values in resampled images, or round by round
    <arm>/tune/<value>/    the trials of a grid, where the claim has one
"""

import dataclasses
import json
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lit_vision import files
from lit_vision.errors import InputError
from lit_vision.experiment import compose, recipes, typed, yamlio
from lit_vision.experiment.claims import Claim
from lit_vision.runs import folder as runs
from lit_vision.runs import plain_json, results, versions
from lit_vision.runs.folder import ANALYSES, TESTS, RunFolder

ROOT = runs.ROOT / "claims"
NOTE = "claim.json"
TUNE = "tune"
DRAWN = "drawn.json"
OPTIONAL = ("also", "drawn")


@dataclass(frozen=True)
class Line:
    """One finished run of a claim, as it may be kept in a file of JSON lines.

    Attributes:
        claim: Id of the claim.
        digest: What the claim was when its first run began.
        arm: Arm.
        seed: Seed.
        metric: The claim's figure.
        figure: Its value after the last step; None where there was nothing to measure.
        steps: Optimiser steps.
        changed: Keys and values beyond recipe, row and hardware.
        configuration: Identity of the resolved configuration, without seeds and what belongs to the machine.
        code: Version of the suite.
        data: Name and fingerprint.
        duration_s: Seconds of all pieces together.
        also: The claim's figures that are told beside.
        drawn: By figure, its values in resampled images, or round by round; empty for other kinds of evidence.
    """

    claim: str
    digest: str
    arm: str
    seed: int
    metric: str
    figure: float | None
    steps: int
    changed: dict[str, Any]
    configuration: str
    code: str | None
    data: dict[str, Any]
    duration_s: float | None
    also: dict[str, float | None] = field(default_factory=dict)
    drawn: dict[str, list[float]] = field(default_factory=dict)

    def value(self, metric: str) -> float | None:
        """One of its figures."""
        return self.figure if metric == self.metric else self.also.get(metric)


def training(claim: Claim, arm: str, seed: int, root: Path = ROOT) -> RunFolder:
    """Folder of the training that an arm is, or looks at."""
    home, _, on = claim.arms[arm].on.rpartition("/")
    return RunFolder(root / (home or claim.id) / (on or arm) / str(seed))


def place(claim: Claim, arm: str, seed: int, root: Path = ROOT) -> RunFolder:
    """Folder with the result of one arm and seed."""
    folder, entry = training(claim, arm, seed, root), claim.arms[arm]
    if entry.trains:
        return folder
    analysed = recipes.read_card(entry.recipe).rows[entry.row].analysis is not None
    return RunFolder(folder.path / (ANALYSES if analysed else TESTS) / runs.slug(entry.row))


def begin(claim: Claim, root: Path = ROOT) -> None:
    """Notes what the claim is, before its first run; later it must be the same.

    Raises:
        InputError: If the claim was edited after its first run; names the keys.
    """
    file = root / claim.id / NOTE
    if not file.is_file() or not _has_runs(claim, root):  # a first run that was refused fixes nothing
        file.parent.mkdir(parents=True, exist_ok=True)
        now = time.strftime("%Y-%m-%dT%H:%M:%S%z")
        note = {"digest": claim.digest, "code": versions.code(), "first_run": now, "claim": claim.content}
        return runs.write_json(file, note)
    first = noted(claim.id, root)
    if first["digest"] != claim.digest:
        keys = compose.differing(first["claim"], json.loads(json.dumps(claim.content)))
        raise InputError(
            f"{claim.source} was edited after its first run: {', '.join(keys[:4])} differ;\n"
            f"restore it ({file} has it as it was), or give the new claim a number of its own"
        )
    return None


def _has_runs(claim: Claim, root: Path) -> bool:
    """Whether any run was begun, be it half."""
    looks = (place(claim, arm, seed, root) for arm in claim.arms if claim.arms[arm].on for seed in claim.seeds)
    return any((root / claim.id).rglob("run.json")) or any(look.finished for look in looks)


def noted(identity: str, root: Path = ROOT) -> dict[str, Any]:
    """What was noted when a claim's first run began; empty if it has none.

    Raises:
        InputError: If the note cannot be read.
    """
    file = root / identity / NOTE
    if not file.is_file():
        return {}
    try:
        note: dict[str, Any] = json.loads(files.content(file))
        return {key: note[key] for key in ("digest", "code", "first_run", "claim")}
    except (ValueError, KeyError, TypeError):
        raise InputError(f"{file} is damaged; restore it, or move its folder elsewhere") from None


def lines(claim: Claim, root: Path = ROOT) -> list[Line]:
    """The finished runs of a claim, by seed and arm."""
    digest = noted(claim.id, root).get("digest")
    if digest is None:
        return []
    own = (path.name for arm in claim.arms for path in (root / claim.id / arm).glob("*/"))
    seeds = sorted({*claim.seeds, *(int(name) for name in own if name.isdecimal())})
    found = (_line(claim, digest, arm, seed, root) for seed in seeds for arm in claim.arms)
    return [line for line in found if line]


def _line(claim: Claim, digest: str, arm: str, seed: int, root: Path) -> Line | None:
    folder = place(claim, arm, seed, root)
    if not folder.finished or not _drawn_if_due(claim, folder):
        return None
    result = results.read(folder.result)
    return Line(
        claim=claim.id,
        digest=digest,
        arm=arm,
        seed=seed,
        metric=claim.metric,
        figure=result.figures.get(claim.metric),
        steps=result.steps,
        changed=result.changed,
        configuration=_configuration(training(claim, arm, seed, root)),
        code=result.code,
        data=result.data,
        duration_s=result.duration_s,
        also={metric: result.figures.get(metric) for metric in claim.told},
        drawn=drawn(folder),
    )


def finished(claim: Claim, arm: str, seed: int, root: Path = ROOT) -> bool:
    """Whether an arm and seed has all that the claim needs of it."""
    folder = place(claim, arm, seed, root)
    return folder.finished and _drawn_if_due(claim, folder)


def note_drawn(folder: RunFolder, values: dict[str, list[float]]) -> None:
    """Notes figures sample by sample, or round by round, beside a result."""
    runs.write_json(folder.path / DRAWN, values)


def drawn(folder: RunFolder) -> dict[str, list[float]]:
    """What `note_drawn` noted; empty where it noted nothing.

    Raises:
        InputError: If the file cannot be read.
    """
    file = folder.path / DRAWN
    if not file.is_file():
        return {}
    content = plain_json.read(file, "remove it, and `lit-vision claims run` draws again")
    found: dict[str, list[float]] = typed.build(dict[str, list[float]], content, "", str(file))
    return found


def _drawn_if_due(claim: Claim, folder: RunFolder) -> bool:
    """Whether what the kind of evidence draws lies beside the result; a run that was looked at before lacks it."""
    needs = claim.evidence.images or claim.evidence.rounds
    return not needs or (folder.path / DRAWN).is_file()


def _configuration(folder: RunFolder) -> str:
    """Identity of what a run computes, whatever its seed and its machine; the precision is part of it."""
    leaves = compose.flatten(yamlio.load(folder.config))
    kept = (key for key in leaves if key == "trainer.precision" or not recipes.is_hardware(key))
    return runs.digest({key: leaves[key] for key in kept})


def read(file: Path) -> list[Line]:
    """Lines that were kept in a file.

    Raises:
        InputError: If a line is none; names file and number.
    """
    try:
        texts = files.content(file).decode().splitlines()
        contents = [json.loads(text) for text in texts]
    except (OSError, ValueError) as error:
        raise InputError(f"{file} is no file of JSON lines ({error})") from None
    return [typed.build(Line, content, "", f"{file}, line {number}") for number, content in enumerate(contents, 1)]


def dump(kept: Iterable[Line]) -> str:
    """Lines as text that `read` takes back; what a kind of evidence does not have is left out."""
    contents = (dataclasses.asdict(line) for line in kept)
    told = ({key: value for key, value in content.items() if key not in OPTIONAL or value} for content in contents)
    return "".join(json.dumps(content, ensure_ascii=False) + "\n" for content in told)
