"""Commands beside `fit`: evaluation-only recipes, prediction, relations between rows."""

import json
from pathlib import Path

import pytest
from PIL import Image

from lit_vision import inference
from tests.cli.conftest import TINY


def test_the_variance_relation_is_judged_once_both_rows_ran(command):
    first = command("test", "--config", "rectifiers/variance", "--row", "he", "--trainer.logger", "false")
    assert "2 relation(s) wait for other rows" in first
    assert "reproduced" in first
    second = command("test", "--config", "rectifiers/variance", "--row", "xavier", "--trainer.logger", "false")
    assert "relation he-keeps-the-forward-signal: holds" in second
    assert "relation he-keeps-the-gradient: holds" in second
    (result,) = (json.loads(path.read_text()) for path in Path("runs/rectifiers/variance/xavier").rglob("result.json"))
    assert result["value"] == pytest.approx(-1, abs=0.1)
    assert result["figures"]["test/backward_slope"] == pytest.approx(-1, abs=0.1)


def test_predict_on_files_and_folders(command, only_run):
    command("fit", *TINY)
    checkpoint = only_run()[0] / "checkpoints" / "last.ckpt"
    Path("pictures").mkdir()
    for number in range(3):
        Image.new("L", (20, 30), 60 * number).save(f"pictures/{number}.png")
    Path("pictures/bad.jpg").write_text("no image")
    found = json.loads(
        command("predict", "--ckpt_path", checkpoint, "--top", "2", "pictures", "pictures/1.png", code=1)
    )
    assert [Path(entry["file"]).name for entry in found] == ["0.png", "1.png", "2.png", "bad.jpg", "1.png"]
    assert "not an image that can be read" in found[3]["error"]
    assert found[1]["classes"] == found[4]["classes"]
    assert len(found[0]["classes"]) == 2
    assert set(found[0]["classes"]) <= set("0123456789")
    assert found[0]["scores"][0] >= found[0]["scores"][1] > 0
    assert "nowhere: there is no such file or folder" in command.error("predict", "--ckpt_path", checkpoint, "nowhere")
    assert command.out == ""


def test_a_loaded_checkpoint_scores_as_the_test_did(command, only_run):
    from lit_vision.data.digits import Digits

    command("fit", *TINY)
    folder, result = only_run()
    predictor = inference.load(folder / "checkpoints" / "last.ckpt")
    data = Digits()
    data.setup()
    split = data.splits["test"]
    found = predictor.predict(split.images, top=1)
    wrong = sum(
        int(prediction.classes[0]) != label for prediction, label in zip(found, split.labels.tolist(), strict=True)
    )
    assert 100 * wrong / len(split.labels) == pytest.approx(result["value"], abs=1e-4)


def test_frozen_norm_over_random_weights_is_refused_at_the_start(command):
    message = command.error("fit", *TINY, "--model.network.backbone.norm", "frozen")
    assert "frozen layers hold none" in message
    assert "train with norm: bn or norm: gn" in message


def test_a_run_s_folder_is_tested_with_its_own_weights(command):
    command("fit", *TINY, "--run", "run")
    before = json.loads(Path("run/result.json").read_text())
    command("test", "--run", "run")
    after = json.loads(Path("run/result.json").read_text())
    assert after["figures"] == before["figures"]
    assert after["steps"] == before["steps"]
    command("test", "--ckpt_path", "run/checkpoints/last.ckpt", "--run", "again")
    assert json.loads(Path("again/result.json").read_text())["figures"]["test/loss"] == before["figures"]["test/loss"]
    assert Path("again/diagnosis.json").is_file()


def test_last_of_an_evaluation_is_that_of_a_run(command):
    command("fit", *TINY, "--run", "run")
    before, lines = json.loads(Path("run/result.json").read_text()), Path("run/metrics.jsonl").read_text()
    assert "test needs to know of which run; give --run DIR" in command.error("test", *TINY, "--ckpt_path", "last")
    command("test", "--run", "run", "--ckpt_path", "last")
    assert json.loads(Path("run/result.json").read_text())["figures"] == before["figures"]
    command("validate", "--run", "run")
    assert Path("run/metrics.jsonl").read_text() == lines  # a second look adds nothing to the run's own figures
    Path("run/result.json").unlink()  # as if it had been stopped before its end
    assert "run is not finished, and the test of half a training would pass" in command.error("test", "--run", "run")
    assert not Path("run/result.json").exists()


def test_a_run_goes_on_with_another_share_of_the_batch(command):
    command("fit", *TINY, "--run", "run")
    Path("run/result.json").unlink()
    out = command("fit", *TINY, "--run", "run", "--data.max_per_device", "32")
    assert "was started with another configuration" not in out
    assert json.loads(Path("run/result.json").read_text())["steps"] == 8


def test_a_checkpoint_s_name_is_told_by_what_lies_there(command):
    Path("run/checkpoints").mkdir(parents=True)
    Path("run/checkpoints/last.ckpt").touch()
    told = "; did you mean run/checkpoints/last.ckpt?"
    assert f"run: a folder; name a checkpoint's file{told}" in command.error("test", "--ckpt_path", "run")
    assert f"there is no such file{told}" in command.error("test", "--ckpt_path", "run/checkpoints/lst.ckpt")
