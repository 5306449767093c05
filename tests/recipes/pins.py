"""What the tests of recipes on twins share: which rows train, and the pins of their first losses."""

import json
import math
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from lit_vision.experiment import recipes
from lit_vision.experiment.card import Row

FILE = Path(__file__).parents[1] / "golden" / "losses.json"
LOSSES = json.loads(FILE.read_text())


def rows(by_default: Mapping[str, Sequence[str]], chosen: Callable[[Row], object] = lambda row: row.trains) -> list:
    """Parameters `recipe, row` of all rows of some recipes; those that do not run by default are marked `slow`.

    Args:
        by_default: Names of those that do, by recipe.
        chosen: Which rows; those that train.
    """
    return [
        pytest.param(recipe, name, marks=() if name in names else pytest.mark.slow, id=f"{recipe} {name}")
        for recipe, names in by_default.items()
        for name, row in recipes.read_card(recipe).rows.items()
        if chosen(row)
    ]


def compare(recipe: str, row: str, losses: Sequence[float]) -> None:
    """The first loss is the pinned one, or becomes it with WRITE_LOSSES; the second is finite.

    It follows one update on two images, and is no number to pin.
    """
    if "WRITE_LOSSES" in os.environ:
        LOSSES.setdefault(recipe, {})[row] = round(losses[0], 4)
        FILE.write_text(json.dumps(LOSSES, indent=1) + "\n")
    assert math.isfinite(losses[1])
    assert losses[0] == pytest.approx(LOSSES[recipe][row], rel=0.01), f"tests/golden/losses.json differs: {losses}"
