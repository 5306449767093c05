"""Trainings in stages through the real command: what they hand on, and that no kill changes it."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from lit_vision.report import collect
from lit_vision.runs import folder as runs
from tests.cli import processes

SMALL = (
    *("--config", "quickstart/digit_stages", "--trainer.logger", "false", "--trainer.accelerator", "cpu"),
    *("--data.size", "64", "--data.train", "16", "--data.val", "4", "--data.test", "4", "--data.batch_size", "4"),
    *("--data.eval_batch_size", "4", "--trainer.max_steps", "4", "--trainer.val_check_interval", "4"),
    *("--trainer.log_every_n_steps", "2", "--checkpoint.every", "2", "--trainer.precision", "32-true"),
)
FIT = ("fit", *SMALL, "--run", "run")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The folder of an uninterrupted run."""
    folder = tmp_path_factory.mktemp("stages")
    assert processes.run(FIT, folder, folder / "log") == 0, (folder / "log").read_text()
    return folder / "run"


def weights(run):
    return torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]


def assert_equal(got, wanted):
    found = weights(got)
    assert [name for name, value in weights(wanted).items() if not torch.equal(found[name], value)] == []


def steps(run):
    return [line["step"] for line in runs.read_metrics(run / "metrics.jsonl") if "train/loss" in line]


def test_the_run_is_the_last_stage_and_the_earlier_ones_lie_in_it(whole):
    result = json.loads((whole / "result.json").read_text())
    assert (result["recipe"], result["row"]) == ("quickstart/digit_stages", "two stages")
    assert "test/ap50" in result["figures"]
    assert steps(whole) == steps(whole / "stages" / "proposals") == [2, 4]
    assert "regions.head.cls.weight" in {name.removeprefix("network.") for name in weights(whole)}
    assert "network.proposals.head.cls.weight" in weights(whole / "stages" / "proposals")


def test_proposals_are_those_of_each_image(whole):
    summary = json.loads((whole / "stages" / "regions" / "proposals.json").read_text())
    assert summary["of"] == "proposals"
    assert {split: entry["images"] for split, entry in summary["splits"].items()}.keys() == {"train", "val", "test"}
    test = np.load(whole / "stages" / "regions" / "test.npz")
    assert test["names"].tolist() == [f"test-{index}" for index in range(4)]
    assert np.diff(test["starts"]).max() <= 100
    assert (test["boxes"] >= 0).all()
    assert (test["boxes"] <= 64).all()


def test_reports_know_one_run(whole):
    assert [run.path for run in collect.find([whole])] == [whole]


def test_a_last_stage_that_is_done_again_begins_where_the_earlier_ones_ended(whole, tmp_path):
    folder = tmp_path
    shutil.copytree(whole, folder / "run")
    for name in ("result.json", "metrics.jsonl"):
        (folder / "run" / name).unlink()
    shutil.rmtree(folder / "run" / "checkpoints")
    process = processes.start(FIT, folder, folder / "log", crash=None)
    process.join(200)
    assert process.exitcode == 0, (folder / "log").read_text()
    assert "stage proposals\n" not in (folder / "log").read_text()  # it was done
    assert_equal(folder / "run", whole)


@pytest.mark.parametrize("place", ["run/stages/proposals", "run"])
def test_a_kill_in_either_stage_changes_nothing(whole, tmp_path, place):
    process = processes.start(FIT, tmp_path, tmp_path / "log")
    code = processes.signal_when(process, tmp_path / place / "checkpoints" / "last.ckpt", 9)
    assert code == -9, (tmp_path / "log").read_text()
    assert not (tmp_path / "run" / "result.json").exists()
    assert processes.run(FIT, tmp_path, tmp_path / "again") == 0, (tmp_path / "again").read_text()
    assert f"continuing {place}" in (tmp_path / "again").read_text()
    assert_equal(tmp_path / "run", whole)
    for stage in ("run", "run/stages/proposals"):
        assert steps(tmp_path / stage) == [2, 4]
    for split in ("train", "val", "test"):
        got, wanted = (np.load(base / "stages" / "regions" / f"{split}.npz") for base in (tmp_path / "run", whole))
        assert all(np.array_equal(got[name], wanted[name]) for name in ("names", "starts", "boxes", "scores"))


AGAIN = """\
card:
  metric: test/ap50
  rows: {again: {value: 50, source: the project's own, weights_of: "quickstart/digit_stages: two stages"}}
"""


def test_a_row_tests_the_last_stage_of_another_on_the_regions_of_its_run(whole, command, tmp_path):
    shutil.copytree(whole, tmp_path / "run")
    (tmp_path / "mine.yaml").write_text(AGAIN)
    command("test", "--config", "mine.yaml", "--row", "again", "--run", "run")
    own = json.loads((whole / "result.json").read_text())
    again = json.loads((tmp_path / "run" / "tests" / "again" / "result.json").read_text())
    assert (again["row"], again["trained"]["row"]) == ("again", "two stages")
    tested = {name: value for name, value in own["figures"].items() if name.startswith("test/")}
    assert {name: again["figures"][name] for name in tested} == tested


def test_until_ends_after_a_stage(tmp_path):
    options = [*FIT, "--row", "proposals alone"]
    assert processes.run(options, tmp_path, tmp_path / "log") == 0, (tmp_path / "log").read_text()
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert result["row"] == "proposals alone"
    assert 0 <= result["figures"]["test/proposal_ar100"] <= 100
    assert not (tmp_path / "run" / "stages").exists()
    assert Path(tmp_path / "run" / "checkpoints" / "last.ckpt").is_file()
