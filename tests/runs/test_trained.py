"""Which finished trainings a later test may take up."""

import json

import pytest

from lit_vision.errors import InputError
from lit_vision.experiment import card
from lit_vision.runs import trained
from lit_vision.runs.results import Trained


def training(root, name, row="ten crop", finished=True, weights=True, **other):
    folder = root / "r/x" / "ten-crop" / name
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "config.yaml").write_text("seed_everything: 1\n")
    (folder / "run.json").write_text(json.dumps({"recipe": "r/x", "row": row, "digest": "d"}))
    if finished:
        result = {"recipe": "r/x", "row": row, "seed": 1, "steps": 9, "changed": {}, "stand_in": False}
        result |= {"metric": "test/error", "figures": {"test/error": 5.0}, "digest": "d"}
        (folder / "result.json").write_text(json.dumps(result | other))
    if weights:
        (folder / "checkpoints/last.ckpt").touch()
    return folder


def test_finished_ones_with_weights_newest_first(tmp_path):
    training(tmp_path, "1")
    training(tmp_path, "2", finished=False)
    training(tmp_path, "3", weights=False)
    training(tmp_path, "4", row="ten-crop")  # another row whose folder has the same name
    training(tmp_path, "5", seed=2)
    assert [(each.folder.path.name, each.seed) for each in trained.find("r/x", "ten crop", tmp_path)] == [
        ("5", 2),
        ("1", 1),
    ]


def test_identity_is_what_a_later_result_says(tmp_path):
    folder = training(tmp_path, "1", changed={"trainer.max_steps": 9}, stand_in=True)
    found = trained.of_run(folder, "r/x", "ten crop")
    changed = {"trainer.max_steps": 9}
    assert found.identity == Trained("r/x", "ten crop", str(folder), digest="d", seed=1, steps=9, changed=changed)
    assert found.stand_in
    assert found.test("a b").path == folder / "tests" / "a-b"
    assert found.analysis("a b").path == folder / "analyses" / "a-b"


def test_all_that_was_said_of_a_run_by_row(tmp_path):
    folder = training(tmp_path, "1")
    own = json.loads((folder / "result.json").read_text())
    for place, row, figures in (
        ("tests/flipped", "flipped", {"test/error": 4.0}),
        ("analyses/time-of-it", "time of it", {"analysis/total_ms": 30.0}),
    ):
        (folder / place).mkdir(parents=True)
        (folder / place / "result.json").write_text(json.dumps(own | {"row": row, "figures": figures}))
    assert trained.of_run(folder, "r/x", "ten crop").figures() == {
        "ten crop": {"test/error": 5.0},
        "flipped": {"test/error": 4.0},
        "time of it": {"analysis/total_ms": 30.0},
    }


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda root: root / "none", "there is no run; lit-vision fit --config r/x --row 'ten crop' makes one"),
        (lambda root: training(root, "1", finished=False), "is not finished; continue it with lit-vision fit --run"),
        (lambda root: training(root, "1", row="other"), "is a run of r/x, row 'other', but the weights asked for"),
        (lambda root: training(root, "1", weights=False), "holds no weights"),
    ],
)
def test_what_cannot_be_tested_is_told(tmp_path, make, told):
    with pytest.raises(InputError, match=told):
        trained.of_run(make(tmp_path), "r/x", "ten crop")


def test_a_damaged_result_is_told(tmp_path):
    folder = training(tmp_path, "1")
    (folder / "result.json").write_text("{")
    with pytest.raises(InputError, match=r"result\.json is damaged; restore it, or move its run elsewhere$"):
        trained.of_run(folder, "r/x", "ten crop")


def test_a_test_may_ask_the_pipeline_for_more_than_the_crop():
    rows = {
        "a": {"claim": "c", "default": True},
        "b": {"claim": "c", "weights_of": "a", "set": {"data.pipeline.test_crop": 256}},
    }
    assert card.parse({"rows": rows}, "f.yaml").rows["b"].parent == ("", "a")
