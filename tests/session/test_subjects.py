"""What an analysis calls the runs that it looks at."""

import json
from types import SimpleNamespace

import pytest

from lit_vision.runs import results
from lit_vision.runs.folder import RunFolder
from lit_vision.runs.trained import Trained
from lit_vision.session import subjects


def trained(folder, recipe, row, seed):
    content = {"recipe": recipe, "row": row, "seed": seed, "metric": "test/ap", "figures": {"test/ap": 30.0}}
    content |= {"digest": "d", "steps": 9, "changed": {}, "stand_in": False}
    folder.mkdir(exist_ok=True)
    (folder / results.NAME).write_text(json.dumps(content))
    return Trained(RunFolder(folder), {}, results.read(folder / results.NAME))


@pytest.mark.parametrize(
    ("runs", "names"),
    [
        ([("r/a", "deep", 1), ("r/a", "flat", 1)], ["deep", "flat"]),
        ([("r/a", "deep", 1), ("r/a", "deep", 2)], ["deep (seed 1)", "deep (seed 2)"]),
        ([("r/a", "deep", 1), ("r/b", "deep", 1)], ["r/a: deep", "r/b: deep"]),
        (
            [("r/a", "deep", 1), ("r/b", "deep", 1), ("r/b", "deep", 2)],
            ["r/a: deep", "r/b: deep (seed 1)", "r/b: deep (seed 2)"],
        ),
    ],
)
def test_runs_have_names_of_their_own(tmp_path, runs, names):
    images = SimpleNamespace(device="cpu", decoded=list, prepare=None)
    found = subjects.of_runs([trained(tmp_path / str(n), *run) for n, run in enumerate(runs)], images, False)
    assert [subject.name for subject in found] == names
    assert found[0].said() == {"deep": {"test/ap": 30.0}}
