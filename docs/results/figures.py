"""Figures of the papers as this suite draws them: what analyses found, in `figures.jsonl`, and their pictures.

python docs/results/figures.py collect RUN…   adds what finished analyses found, in place of what was there
python docs/results/figures.py draw           draws what figures.md shows, from figures.jsonl and cifar10_jpeg.jsonl
"""

import io
import json
import re
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from lit_vision import build
from lit_vision.analyses.base import Analysis, Findings, Subject
from lit_vision.analyses.curves import Curves
from lit_vision.experiment import recipes

HERE = Path(__file__).parent
KEPT = ("recipe", "row", "metric", "figures", "verdicts", "changed", "seed", "code")
FILE = HERE / "figures.jsonl"
CIFAR = {"Figure 6, left": ("plain-20", "plain-56"), "Figure 6, middle": ("resnet-20", "resnet-56")}
COLORS = 64
PICTURES = "pictures"


def collect(folders):
    """One line per analysis. It says `of` and not `recipe`, for no mark of a row stands on it."""
    kept = {entry["of"]: entry for entry in read()}
    for folder in map(Path, folders):
        result = json.loads((folder / "result.json").read_text())
        entry = {key: result[key] for key in KEPT}
        name = f"{entry.pop('recipe')}: {entry['row']}"
        with np.load(folder / "arrays.npz") as arrays:
            found = {key: arrays[key].tolist() for key in arrays}
        entry |= {"picture": picture(name), "arrays": {key: short(values) for key, values in found.items()}}
        kept[name] = {"of": name} | entry
    FILE.write_text("".join(f"{json.dumps(kept[name])}\n" for name in sorted(kept)))


def short(values):
    return [float(f"{value:.5g}") if isinstance(value, float) else value for value in values]


def read(file=FILE):
    return [json.loads(line) for line in file.read_text().splitlines()] if file.is_file() else []


def picture(name):
    """File name of a plot, by `recipe: row`."""
    return f"{re.sub(r'[^a-z0-9-]+', '_', name.lower())}.png"


def draw():
    for entry in read():
        recipe, _, row = entry["of"].partition(": ")
        analysis = build.part(Analysis, recipes.read_card(recipe).rows[row].analysis)
        if entry["changed"] and isinstance(analysis, Curves):
            analysis.limits = None  # the paper's are of whole trainings
        arrays = {name: np.array(values) for name, values in entry["arrays"].items()}
        figures = {name.removeprefix("analysis/"): value for name, value in entry["figures"].items()}
        title = f"{recipe}, {row}" + (" (stand-in)" if entry["changed"] else "")
        save(analysis.draw(Findings(figures, arrays), title), entry["picture"])
    for figure, rows in CIFAR.items():
        curves = Curves()
        found = curves.look([kept_run(row) for row in rows])
        save(curves.draw(found, f"{figure}: CIFAR-10 (JPEG), 1,500 iterations"), picture(f"cifar10_jpeg: {figure}"))


def kept_run(row):
    """A run of cifar10_jpeg.jsonl, of the first seed, with the error of its test at its end."""
    entry = next(each for each in read(HERE / "cifar10_jpeg.jsonl") if (each["row"], each["seed"]) == (row, 1))
    log = [{"step": int(step), "train/error": value} for step, value in entry["curve"].items()]
    log.append({"step": entry["steps"], "val/error": entry["figures"]["test/error"]})
    return Subject(row, None, None, None, log)


def save(figure, name):
    """Draws what the page shows; few colours make small files."""
    if f"({PICTURES}/{name})" not in (HERE / "figures.md").read_text():
        return
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=80)
    Image.open(content).convert("RGB").quantize(COLORS).save(HERE / PICTURES / name, optimize=True)


if __name__ == "__main__":
    collect(sys.argv[2:]) if sys.argv[1] == "collect" else draw()
