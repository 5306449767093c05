"""Derives `rows.json` (parameters of every row) and `recipes/evidence.json` from files in the repository.

python tests/golden/derive.py rows        builds every row and counts its parameters
python tests/golden/derive.py evidence    levels from rows.json, the twins' losses and docs/results
"""

import json
import sys
from pathlib import Path

from lit_vision import describe, recipes

ROOT = Path(__file__).parents[2]
ROWS = Path(__file__).parent / "rows.json"
LOSSES = Path(__file__).parent / "losses.json"


def rows():
    """Parameters of every row of every recipe: {recipe: {row: count}}."""
    found = {}
    for recipe, _, row, _ in recipes.every_row():
        text = describe.facts(recipes.resolve([recipe], row))["parameters"]
        found.setdefault(recipe, {})[row] = int(text.replace(",", ""))
    return found


def evidence():
    """Evidence level by recipe and row (architecture §5).

    E1: its parameters are pinned. E2: its first losses on the twin are pinned. E5: docs/results holds a run of it that
    changed nothing but the hardware. A stand-in run of a row is no evidence for the row itself.
    """
    counted = json.loads(ROWS.read_text())
    trained = json.loads(LOSSES.read_text()) if LOSSES.is_file() else {}
    full = {
        (entry["recipe"], entry["row"])
        for file in (ROOT / "docs" / "results").glob("*.jsonl")
        for entry in map(json.loads, file.read_text().splitlines())
        if "recipe" in entry and not entry["changed"]
    }
    found = {}
    for recipe, _, row, _ in recipes.every_row():
        level = "E1" if row in counted.get(recipe, {}) else "E0"
        level = "E2" if row in trained.get(recipe, {}) else level
        found.setdefault(recipe, {})[row] = "E5" if (recipe, row) in full else level
    return found


def write(path, content):
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    if sys.argv[1] == "rows":
        write(ROWS, rows())
    else:
        write(ROOT / "recipes" / "evidence.json", evidence())
