"""What runs of `quickstart/own_regions` on blood cells said, as the lines of `blood_cells_regions.jsonl`.

python docs/results/regions.py RUN KILLED WHOLE GIVEN OTHERS…

RUN is the undisturbed run in four steps, whose tests, analyses and stages are read too; KILLED is the same one killed.
WHOLE and GIVEN are tests of its last checkpoint and of its fourth step's, on the file of regions. OTHERS are trainings
and tests of several. `intervals.py` is run before.
"""

import hashlib
import json
import sys
from pathlib import Path

import numpy as np
import render
from PIL import Image
from tables import HERE

from lit_vision.runs import checkpoints
from lit_vision.runs import folder as runs

FILE = HERE / "blood_cells_regions.jsonl"
WIDTH, COLORS = 900, 64
SHOWN = ("figures", "steps", "duration_s", "code")


def main(run, killed, whole, given, *others):
    lines = [training(run), *map(stage, stages(run))]
    lines += [{"bits": one.name, "equal": bits(one) == bits(twin(one, run, killed))} for one in parts(run)]
    lines += [found for place in stages(killed) if (found := restart(place))]
    lines.append(alike(whole, given))
    lines += [tested(folder) for folder in sorted((run / "tests").iterdir())]
    lines += [analysed(folder) for each in (run, *others) for folder in sorted((each / "analyses").glob("*"))]
    lines += [tested(folder) if result(folder)["members"] else training(folder) for folder in others]
    FILE.write_text("".join(f"{json.dumps(line)}\n" for line in lines))


def result(folder):
    return json.loads((folder / "result.json").read_text())


def beside(folder, name):
    """What `intervals.py` left."""
    return json.loads((folder / f"{name}.json").read_text()) if (folder / f"{name}.json").is_file() else None


def training(folder):
    """A run with its intervals, and how far it is above RUN."""
    kept = {key: result(folder)[key] for key in render.KEPT}
    logged = runs.read_metrics(folder / "metrics.jsonl")
    curve = render.curve(logged, "train/loss")
    return kept | {"curve": curve, **{name: beside(folder, name) for name in ("intervals", "differences")}}


def stages(run):
    """The trainings before the last."""
    found = [path for path in (run / "stages").iterdir() if (path / "result.json").is_file()]
    return sorted(found, key=lambda path: int(path.name[-1]))


def parts(run):
    """Everything that a kill may not change: the stages, what they propose, and the run itself."""
    return [*sorted((run / "stages").iterdir(), key=lambda path: (int(path.name[-1]), path.name)), run]


def twin(part, run, killed):
    return killed / part.relative_to(run)


def stage(folder):
    found = result(folder)
    return {"stage": folder.name, "differences": beside(folder, "differences")} | {key: found[key] for key in SHOWN}


def restart(folder):
    """Where a stage went on, and the last step that its first process had logged."""
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    at = next((place for place, line in enumerate(lines) if runs.RESUMED in line), None)
    if at is None:
        return None
    logged = max(line["step"] for line in lines[:at])
    return {"killed": folder.name, "continued_at": lines[at][runs.RESUMED], "logged": logged}


def alike(whole, given):
    """Whether two tests found the same, box for box."""
    found, theirs = (json.loads((folder / "detections_test.json").read_text()) for folder in (whole, given))
    precision = result(whole)["hardware"]["precision"]
    return {"alike": found == theirs, "detections": len(found), "precision": precision} | {
        "figures": result(whole)["figures"]
    }


def tested(folder):
    """A test of weights: its figures, and how far they are above RUN's."""
    found = result(folder)
    kept = {"test": found["row"], "members": len(found["members"]), "differences": beside(folder, "differences")}
    return kept | {key: found[key] for key in SHOWN}


def analysed(folder):
    """An analysis; its plot goes to the page's pictures, in few colours."""
    found = result(folder)
    name = f"blood_cells_{runs.slug(found['row']).replace('-', '_')}.png"
    plot = Image.open(folder / "plot.png").convert("RGB")
    plot.thumbnail((WIDTH, WIDTH))
    plot.quantize(COLORS).save(HERE / "pictures" / name, optimize=True)
    return {"analysis": found["row"]} | {key: found[key] for key in SHOWN}


def bits(folder):
    """A hash of a stage's weights and figures, or of the regions that it proposes."""
    told = hashlib.sha256()
    arrays = dict(regions(folder)) or weights(folder)
    for name in sorted(arrays):
        told.update(name.encode() + arrays[name].tobytes())
    return told.hexdigest()


def regions(folder):
    """The arrays of its files, by split and name."""
    for file in sorted(folder.glob("*.npz")):
        with np.load(file) as content:
            yield from ((f"{file.stem} {name}", content[name]) for name in content)


def weights(folder):
    """The weights as NumPy arrays, and the figures."""
    state = checkpoints.read(str(folder / "checkpoints" / "last.ckpt"))["state_dict"]
    figures = json.dumps(result(folder)["figures"], sort_keys=True).encode()
    return {name: value.cpu().numpy() for name, value in state.items()} | {"figures": np.frombuffer(figures, np.uint8)}


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
