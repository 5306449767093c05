"""A run of two processes leaves what a run of one leaves: one folder, one W&B run, the same figures and pictures."""

import json
import re

import pytest
import torch

from lit_vision.runs import folder as runs
from tests.distributed import commands, world
from tests.distributed.test_evaluation import CLASSIFIER, DETECTOR
from tests.twins import folders, voc

# Group norm: no running statistics, which are rank zero's alone.
FIT = (
    *("fit", *CLASSIFIER[:-4], "--model.network.backbone.norm", "gn", "--data.max_per_device", "3"),
    *("--trainer.max_steps", "4", "--trainer.log_every_n_steps", "2", "--run", "run"),
)
AS_SEEN = ("step", "lr", "train/", "val/", "test/")


def lines(folder):
    """All lines without times, and the names of each rank's own figures."""
    content = runs.read_metrics(folder / "run" / "metrics.jsonl")
    own = {name for line in content for name in line if name.startswith("rank")}
    return [{name: value for name, value in line.items() if name.startswith(AS_SEEN)} for line in content], own


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """Folders of a run of one process and two accumulated halves of a batch, and of a run of two processes."""
    base = tmp_path_factory.mktemp("fitted")
    for size in (1, 2):
        folders.small(base / str(size) / "images", splits={"train": 8, "val": 7, "test": 7})
        (base / f"{size}.txt").write_text(world.run(commands.command, size, base / str(size), FIT)[0])
    return base


def test_every_logged_figure_is_the_one_of_one_process(fitted):
    (alone, own_alone), (together, own) = (lines(fitted / size) for size in "12")
    assert [line.keys() for line in together] == [line.keys() for line in alone]
    assert [line["step"] for line in alone] == [2, 2, 4, 4, 4]
    for line, expected in zip(together, alone, strict=True):
        assert line == pytest.approx(expected, rel=1e-5)
    names = ("images_per_s", "data_wait_s", "memory_mib")
    assert own_alone == {f"rank0/{name}" for name in names}
    assert own == {f"rank{rank}/{name}" for rank in (0, 1) for name in names}


def test_each_rank_s_speed_is_plausible(fitted):
    training = [
        line for line in runs.read_metrics(fitted / "2" / "run" / "metrics.jsonl") if "rank1/memory_mib" in line
    ]
    assert [line["step"] for line in training] == [2, 4]
    for line in training:
        for rank in (0, 1):
            assert 0 < line[f"rank{rank}/images_per_s"] < 1e5
            assert 0 <= line[f"rank{rank}/data_wait_s"] < 60
            assert 100 < line[f"rank{rank}/memory_mib"] < 1e5


def test_two_processes_leave_one_run(fitted):
    folder = fitted / "2"
    assert [path.parent.name for path in folder.rglob("run.json")] == ["run"]
    assert len(list(folder.rglob("*.wandb"))) == 1
    alone, together = (json.loads((fitted / size / "run/result.json").read_text()) for size in "12")
    assert together["hardware"]["devices"] == 2
    assert together["figures"] == pytest.approx(alone["figures"], rel=1e-5)
    text = (fitted / "2.txt").read_text()
    assert len(re.findall("21 images evaluated, 0 skipped", text)) == 2
    assert "run: run" in text


def test_the_weights_are_those_of_one_process(fitted):
    alone, together = (
        torch.load(fitted / size / "run/checkpoints/last.ckpt", weights_only=True)["state_dict"] for size in "12"
    )
    for name, weight in alone.items():
        torch.testing.assert_close(together[name], weight, rtol=1e-5, atol=1e-7)


ONE_STEP = ("--trainer.max_steps", "1", "--data.batch_size", "2")


def test_detections_and_pictures_are_written_once(tmp_path):
    for size in (1, 2):
        voc.folder(tmp_path / str(size) / "own", {"train": 4, "val": 3, "test": 21}, commands.NAMES)
    world.run(commands.command, 1, tmp_path / "1", ["fit", *DETECTOR[:-2], *ONE_STEP, "--run", "../trained"])
    for size in (1, 2):
        file = tmp_path / "trained" / "checkpoints" / "last.ckpt"
        world.run(commands.command, size, tmp_path / str(size), ["test", *DETECTOR, "--ckpt_path", str(file)])
    alone, together = (files(tmp_path / size / "run") for size in "12")
    assert alone.keys() == together.keys()
    kept = {name for name in alone if name.endswith((".jpg", ".txt")) or name.startswith("detections")}
    assert kept >= {"detections_test.json", "gallery/test_00.jpg", "gallery/test_07.jpg", "voc/comp4_det_test_bolt.txt"}
    assert [name for name in sorted(kept) if alone[name] != together[name]] == []
    assert len(json.loads(alone["detections_test.json"])) > 21


def files(folder):
    """Content by name."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
