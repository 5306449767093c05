"""What finished runs say: `result.json` as a type, its reader and writer, and the relations they decide. No torch."""

import dataclasses
import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lit_vision.errors import InputError
from lit_vision.experiment import recipes, relations, typed
from lit_vision.experiment.card import Card, Printed, Relation
from lit_vision.experiment.relations import Reference, Seeds
from lit_vision.runs import folder as runs
from lit_vision.runs import plain_json
from lit_vision.runs.folder import ANALYSES, STAGES, TESTS, RunFolder

NAME = "result.json"


@dataclass(frozen=True)
class Trained:
    """Where tested weights come from.

    Attributes:
        recipe: Recipe that trained them; empty where the checkpoint does not say.
        row: Its row.
        run: Folder of the run, or the checkpoint's file.
        digest: Identity of what was trained (`recipes.identity`).
        seed: Seed of the training.
        steps: Optimiser steps done.
        changed: What the training changed beyond the hardware.
        data: Fingerprint of its data.
    """

    recipe: str = ""
    row: str | None = None
    run: str = ""
    digest: str = ""
    seed: int | None = None
    steps: int = 0
    changed: dict[str, Any] = field(default_factory=dict)
    data: str = ""


@dataclass(frozen=True)
class Result:
    """What `result.json` holds: the figures of a test pass, and what they stand for.

    Attributes:
        recipe: Name of the recipe.
        row: Its row; None where none applies.
        metric: The judged figure.
        figures: All figures by logged name; None where there was nothing to measure.
        changed: Dotted keys and values beyond the hardware, those of the training and those of the test.
        stand_in: Whether these figures may not be held against the paper's.
        seed: Seed of the run.
        digest: Identity of the resolved configuration (`recipes.identity`).
        trained: Where the weights come from; None where the run trained them itself, or nothing is trained.
        members: Where the weights of each member of an ensemble come from.
        altered: What the tested network differs in from the trained one; empty where it is the trained one.
        where: Tables and lines of the row.
        value: The judged figure.
        expected: The paper's.
        tolerance: Accepted distance.
        claim: What the paper says in words.
        also: The paper's further figures.
        by_class: The paper's figure of each class, in the data's order.
        printed: What the paper prints of several runs.
        split: Where the figures were measured, in the vocabulary of cards.
        verdict: Of the judged figure.
        verdicts: Of all figures that the paper prints, by logged name.
        relations: Verdicts on the card's relations, by id.
        steps: Optimiser steps, those of earlier stages included.
        samples_seen: Training images, likewise.
        duration_s: Seconds of all pieces together.
        data: Name and fingerprint.
        hardware: What it ran on.
        code: Version of the suite.
        packages: Versions of what it stands on.
        card: The card that it was judged by.
        sweep: Name, trial and parameters, where a sweep started the run.
    """

    recipe: str
    row: str | None
    metric: str
    figures: dict[str, float | None]
    changed: dict[str, Any]
    stand_in: bool
    seed: int | None
    digest: str = ""
    trained: Trained | None = None
    members: list[Trained] = field(default_factory=list)
    altered: str = ""
    where: str = ""
    value: float | None = None
    expected: float | None = None
    tolerance: float | None = None
    claim: str = ""
    also: dict[str, float] = field(default_factory=dict)
    by_class: list[float] = field(default_factory=list)
    printed: Printed | None = None
    split: str = ""
    verdict: str = ""
    verdicts: dict[str, str] = field(default_factory=dict)
    relations: dict[str, str] = field(default_factory=dict)
    steps: int = 0
    samples_seen: int | None = None
    duration_s: float | None = None
    data: dict[str, Any] = field(default_factory=dict)
    hardware: dict[str, Any] = field(default_factory=dict)
    code: str | None = None
    packages: dict[str, str] = field(default_factory=dict)
    card: dict[str, Any] = field(default_factory=dict)
    sweep: dict[str, Any] = field(default_factory=dict)


def parse(content: Any, source: str) -> Result:
    """A result from plain values; keys of other versions are passed over.

    Raises:
        InputError: Names the file and the field that is missing or of a wrong type.
    """
    try:
        result: Result = typed.build(Result, content, "", source, strict=False)
    except InputError as error:
        raise InputError(f"{error};\nrestore the file, or move its folder elsewhere") from None
    return result


def read(file: Path) -> Result:
    """The result in a file.

    Raises:
        InputError: If it is no JSON, or a field is missing or of a wrong type.
    """
    return parse(plain_json.read(file, "restore it, or move its run elsewhere"), str(file))


def write(file: Path, result: Result) -> None:
    """Writes a result whole, or not at all."""
    runs.write_json(file, dataclasses.asdict(result))


# Where a run keeps its results: that of its own test pass, those of later tests, those of analyses.
PLACES = ("", f"{TESTS}/*/", f"{ANALYSES}/*/")


def of_recipe(recipe: str, root: Path = runs.ROOT) -> list[Result]:
    """All results of a recipe below a runs folder, oldest first; unreadable files are passed over."""
    found = []
    base = runs.below(root, recipe)
    files = [file for place in PLACES for file in base.glob(f"*/*/{place}{NAME}")]
    for file in sorted(files, key=lambda path: path.relative_to(base).parts[1]):
        try:
            found.append(read(file))
        except InputError:
            continue  # a half-copied file decides nothing; the run's own folder still has its metrics
    return found


def of_stages(folder: RunFolder) -> list[Result]:
    """The results of the trainings before a run's last stage; none for an ordinary run.

    Raises:
        InputError: One of them cannot be read.
    """
    return [read(file) for file in sorted(folder.path.glob(f"{STAGES}/*/{NAME}"))]


def is_later_test(result: Result) -> bool:
    """Whether these are figures of weights that another run of the same row trained, and tested itself."""
    trained = result.trained
    return trained is not None and (trained.recipe, trained.row) == (result.recipe, result.row)


def by_seed(results: Iterable[Result]) -> dict[int | None, Result]:
    """The result that counts for each seed: the newest, but a training's own test before any later one.

    Args:
        results: Oldest first.
    """
    return {result.seed: result for result in sorted(results, key=is_later_test, reverse=True)}


def judge_relations(card: Card, recipe: str, changed: dict[str, Any], root: Path = runs.ROOT) -> dict[str, str]:
    """Verdicts on the card's relations by the runs that changed recipe and row in the same way.

    Rows are only compared when what was changed beyond the hardware is equal, so that a stand-in never meets a
    full-scale run.

    Args:
        card: The card with the relations.
        recipe: Its recipe.
        changed: Changed keys and values of the runs that may decide.
        root: Folder of the runs.
    """
    of = functools.cache(lambda home: of_recipe(home, root))
    return {relation.id: _judge(relation, card, recipe, changed, of) for relation in card.relations}


def _judge(
    relation: Relation, card: Card, recipe: str, changed: dict[str, Any], of: Callable[[str], list[Result]]
) -> str:
    stand_in = bool(changed)

    def lookup(reference: Reference) -> Seeds:
        nonlocal stand_in
        home = reference.recipe or recipe
        if reference.printed:
            figure = (card if home == recipe else recipes.read_card(home)).printed(reference)
            return {} if figure is None else {None: figure}
        alike = [result for result in of(home) if (result.row, result.changed) == (reference.row, changed)]
        stand_in = stand_in or any(result.stand_in for result in alike)
        metric = reference.metric or (card.row(reference.row).metric if home == recipe else "")
        return figures_of(alike, metric)

    return relations.judge(relation.expr, lookup, f"{recipe}: card.relations.{relation.id}").told(stand_in)


def figures_of(results: Iterable[Result], metric: str) -> Seeds:
    """A figure by seed, without the seeds that lack it; the judged one if `metric` is empty."""
    figures: Mapping[int | None, float | None] = {
        seed: result.figures.get(metric or result.metric) for seed, result in by_seed(results).items()
    }
    return {seed: figure for seed, figure in figures.items() if figure is not None}
