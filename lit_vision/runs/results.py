"""What finished runs say: their `result.json` by recipe and row, and the relations they decide. No torch here."""

import json
import statistics
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from lit_vision.experiment import relations, verdicts
from lit_vision.experiment.card import Card, Relation
from lit_vision.runs import folder as runs
from lit_vision.runs.trained import ANALYSES, TESTS

Result = dict[str, Any]

# Where a run keeps its results: that of its own test pass, those of later tests, those of analyses.
PLACES = ("", f"{TESTS}/*/", f"{ANALYSES}/*/")


def of_recipe(recipe: str, root: Path = runs.ROOT) -> list[Result]:
    """All results of a recipe below a runs folder, oldest first; unreadable files are passed over."""
    found = []
    base = runs.below(root, recipe)
    files = [file for place in PLACES for file in base.glob(f"*/*/{place}result.json")]
    for file in sorted(files, key=lambda path: path.relative_to(base).parts[1]):
        try:
            found.append(json.loads(file.read_text(encoding="utf-8")))
        except json.JSONDecodeError:
            continue  # a half-copied file decides nothing; the run's own folder still tells its metrics
    return found


def judge_relations(card: Card, recipe: str, changed: Result, root: Path = runs.ROOT) -> dict[str, str]:
    """Verdicts on the card's relations by the runs that changed recipe and row in the same way.

    Rows are only compared when what was changed beyond the hardware is equal, so that a stand-in never meets a
    full-scale run; the figure of a row is the mean over its seeds, the newest run of each.

    Args:
        card: The card with the relations.
        recipe: Its recipe.
        changed: Changed keys and values of the runs that may decide.
        root: Folder of the runs.
    """
    return {relation.id: _judge(relation, card, recipe, changed, root) for relation in card.relations}


def _judge(relation: Relation, card: Card, recipe: str, changed: Result, root: Path) -> str:
    stand_in = bool(changed)

    def lookup(reference: relations.Reference) -> float | None:
        nonlocal stand_in
        own = not reference.recipe or reference.recipe == recipe
        matching = [
            result
            for result in of_recipe(reference.recipe or recipe, root)
            if result["row"] == reference.row and result["changed"] == changed
        ]
        metric = reference.metric or (card.row(reference.row).metric if own else "")
        stand_in = stand_in or any(result["stand_in"] for result in matching)
        return _mean_over_seeds(matching, metric)

    holds = relations.holds(relation.expr, lookup, f"{recipe}: {relation.id}")
    return verdicts.of_relation(holds, stand_in)


def _mean_over_seeds(results: Iterable[Result], metric: str) -> float | None:
    """Mean of a figure over seeds; a seed that ran twice counts with its newest run."""
    by_seed = {}
    for result in results:
        figure = result["figures"].get(metric or result["metric"])
        if figure is not None:
            by_seed[result["seed"]] = figure
    return statistics.fmean(by_seed.values()) if by_seed else None
