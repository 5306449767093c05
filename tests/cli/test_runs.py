"""Runs through the real command: folders, results, continuation, checkpoints that stand alone."""

import json
import os
import signal
from pathlib import Path

import pytest
import torch

from lit_vision import inference
from lit_vision.callbacks.checkpoint import LastCheckpoint
from lit_vision.experiment import yamlio
from lit_vision.runs import folder as runs
from tests.cli.conftest import TINY


@pytest.fixture
def interrupt(monkeypatch):
    """Presses Ctrl-C while the given optimiser step is being computed."""

    def arrange(step, times=1):
        pressed = []

        def hook(self, trainer, *_):
            if trainer.global_step == step - 1 and not pressed:
                pressed.append(step)
                for _ in range(times):
                    os.kill(os.getpid(), signal.SIGINT)

        monkeypatch.setattr(LastCheckpoint, "on_train_batch_start", hook)

    return arrange


def weights(folder):
    content = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)
    assert content["global_step"] == 8
    return content["state_dict"]


def figures(folder):
    lines = runs.read_metrics(folder / "metrics.jsonl")
    return [{k: v for k, v in line.items() if k != "time" and not k.startswith("rank")} for line in lines]


def test_fit_writes_the_folder_and_judges(command, only_run):
    out = command("fit", *TINY, "--seed_everything", "3")
    folder, result = only_run()
    assert folder.parent == Path("runs/quickstart/digits/digits")
    assert {path.name for path in folder.iterdir()} >= {"config.yaml", "run.json", "metrics.jsonl", "result.json"}
    assert (result["recipe"], result["row"], result["seed"]) == ("quickstart/digits", "digits", 3)
    assert (result["steps"], result["samples_seen"]) == (8, 8 * 64)
    assert result["expected"] == 1.5
    assert result["verdict"] == "stand-in"  # 8 steps are not the recipe's 400
    assert result["changed"] == {"trainer.max_steps": 8}
    assert set(result["figures"]) == {
        *("test/error", "test/error5", "test/loss", "train/error", "train/error5", "train/loss")
    }
    assert result["value"] == result["figures"]["test/error"]
    assert len(result["data"]["fingerprint"]) == 16
    assert torch.__version__.startswith(result["packages"]["torch"])
    assert f"{result['value']:.2f}" in out
    assert "stand-in, because it changes trainer.max_steps" in out
    steps = [(line["step"], sorted(k for k in line if "/" in k)[0]) for line in figures(folder)]
    assert steps == [
        *((2, "train/error"), (4, "train/error"), (4, "val/error"), (6, "train/error"), (8, "train/error")),
        *((8, "val/error"), (8, "test/error")),
    ]


def test_the_last_step_is_validated_whatever_the_interval(command, only_run):
    command("fit", *TINY, "--trainer.val_check_interval", "3", "--trainer.max_steps", "5")
    folder, _ = only_run()
    assert [line["step"] for line in figures(folder) if "val/error" in line] == [3, 5]


def test_saved_configuration_reruns_the_run(command, only_run):
    command("fit", *TINY)
    folder, result = only_run()
    folder.rename("first")
    command("fit", "--config", "first/config.yaml")
    _, second = only_run()
    assert second["figures"] == result["figures"]
    assert second["changed"] == result["changed"]
    assert second["verdict"] == "stand-in"
    assert (second["recipe"], second["row"]) == ("quickstart/digits", "digits")


def test_test_of_a_checkpoint_gives_the_error_that_fit_ended_with(command, only_run):
    command("fit", *TINY)
    folder, result = only_run()
    out = command("test", "--ckpt_path", folder / "checkpoints" / "last.ckpt")
    assert f"test/error   {result['value']:.2f}" in out
    assert len(list(Path("runs").rglob("run.json"))) == 1  # leaves no folder of its own
    smaller = command("test", "--ckpt_path", folder / "checkpoints" / "last.ckpt", "--data.eval_batch_size", "7")
    assert f"test/error   {result['value']:.2f}" in smaller
    validated = command("validate", "--ckpt_path", folder / "checkpoints" / "last.ckpt")
    assert "val/error" in validated


@pytest.mark.parametrize(
    ("step", "extra"),
    [
        (3, ()),  # inside an epoch
        (4, ()),  # at a validation
        (5, ("--data.batch_size", "224")),  # the last batch of the first epoch
        (6, ("--data.max_per_device", "32")),  # with accumulation
    ],
)
def test_ctrl_c_and_continuation_equal_the_uninterrupted_run(command, only_run, interrupt, step, extra):
    command("fit", *TINY, *extra, "--run", "whole")
    interrupt(step)
    out = command("fit", *TINY, *extra, code=130)
    assert "stopped; continue with the same command and --ckpt_path last" in out
    (state,) = Path("runs").rglob("run.json")
    assert torch.load(state.parent / "checkpoints" / "last.ckpt", weights_only=True)["global_step"] == step
    command("fit", *TINY, *extra, "--ckpt_path", "last")
    folder, _ = only_run()
    expected, got = weights(Path("whole")), weights(folder)
    assert expected.keys() == got.keys()
    assert all(torch.equal(expected[key], got[key]) for key in expected)
    assert figures(folder) == figures(Path("whole"))
    assert any("resumed_at" in line for line in (folder / "metrics.jsonl").read_text().splitlines())


@pytest.mark.slow
@pytest.mark.parametrize("extra", [(), ("--data.max_per_device", "112")], ids=["plain", "accumulated"])
@pytest.mark.parametrize("step", range(1, 8))
def test_every_step_is_a_place_to_stop(command, only_run, interrupt, step, extra):
    extra = ("--data.batch_size", "224", *extra)  # five steps an epoch
    test_ctrl_c_and_continuation_equal_the_uninterrupted_run(command, only_run, interrupt, step, extra)


def test_ctrl_c_twice_leaves_at_once(command, interrupt):
    interrupt(2, times=2)
    command("fit", *TINY, code=130)


def test_run_folder_by_name(command, interrupt):
    interrupt(3)
    command("fit", *TINY, "--run", "mine", code=130)
    message = command.error("fit", *TINY, "--run", "mine", "--data.batch_size", "32")
    assert "--run mine was started with another configuration: data.batch_size differ" in message
    message = command.error("fit", "--config", "quickstart/digit_scenes", "--run", "mine")
    assert "trainer.max_steps" in message
    assert " more differ" in message
    assert "class_path.class_path" not in message
    message = command.error("fit", *TINY, "--run", "mine", "--model.optimizer", "torch.optim.AdamW")
    assert "model.optimizer.class_path, model.optimizer.lr" in message
    wandb_id = json.loads(Path("mine/run.json").read_text())["wandb_id"]
    command("fit", "--run", "mine")  # its own configuration, without a recipe
    assert json.loads(Path("mine/result.json").read_text())["steps"] == 8
    assert json.loads(Path("mine/run.json").read_text())["wandb_id"] == wandb_id
    assert "mine is finished" in command("fit", *TINY, "--run", "mine")


def test_last_needs_the_same_configuration(command, interrupt):
    interrupt(3)
    command("fit", *TINY, code=130)
    message = command.error("fit", *TINY, "--seed_everything", "9", "--ckpt_path", "last")
    assert "no unfinished run in runs/quickstart/digits/digits has this configuration" in message


def test_killed_before_the_first_checkpoint_starts_again(command, only_run, interrupt):
    interrupt(2, times=2)
    command("fit", *TINY, code=130)
    assert not list(Path("runs").rglob("last.ckpt"))
    command("fit", *TINY, "--ckpt_path", "last")
    assert only_run()[1]["steps"] == 8


def test_a_changed_class_says_what_it_dropped(command, capsys):
    command(
        *("fit", *TINY, "--model.schedule", "torch.optim.lr_scheduler.MultiStepLR"),
        *("--model.schedule.milestones", "[2, 4]", "--trainer.max_steps", "2"),
    )
    assert "dropped with its class: model.schedule.steps: 400" in command.err + command.out


def test_options_may_stand_before_the_verb_and_win_over_the_row(command, only_run):
    command("--config", "quickstart/digits", "--row", "digits", "fit", *TINY[2:], "--trainer.max_steps=3")
    assert only_run()[1]["steps"] == 3


def test_accumulation_is_printed_and_must_divide(command):
    command("fit", *TINY, "--data.max_per_device", "16", "--trainer.max_steps", "1")
    told = command.err + command.out
    assert "batch 64 = 1 device(s) × 16 images × 4 accumulated; BatchNorm sees 16 images at a time" in told
    message = command.error("fit", *TINY, "--data.max_per_device", "48")
    assert "data.batch_size 64 does not divide by 1 device(s) x data.max_per_device 48" in message


def test_checkpoint_with_foreign_classes_needs_trust(command, only_run, tmp_path):
    command("fit", *TINY, "--trainer.max_steps", "1")
    file = only_run()[0] / "checkpoints" / "last.ckpt"
    content = torch.load(file, weights_only=True)
    content["lit_vision"]["config"]["model"]["init_args"]["schedule"] = {"class_path": "os.system", "init_args": {}}
    torch.save(content, "evil.ckpt")
    message = command.error("test", "--ckpt_path", "evil.ckpt")
    assert "evil.ckpt is not only data: model.schedule: os.system is nothing that a checkpoint may name" in message
    torch.save({"state_dict": {}}, "bare.ckpt")
    assert "bare.ckpt carries no configuration" in command.error("test", "--ckpt_path", "bare.ckpt")
    Path("text.ckpt").write_text("no checkpoint")
    assert "text.ckpt: not a readable checkpoint" in command.error("predict", "--ckpt_path", "text.ckpt", "x.png")


def test_card_and_configuration_are_saved_whole(command, only_run):
    command("fit", *TINY, "--trainer.max_steps", "1")
    saved = yamlio.load(only_run()[0] / "config.yaml")
    assert saved["card"]["rows"]["digits"]["value"] == 1.5
    assert saved["origin"]["row"] == "digits"
    assert saved["data"]["init_args"]["batch_size"] == 64
    assert saved["data"]["init_args"]["eval_batch_size"] == 250  # defaults too
    assert saved["model"]["init_args"]["optimizer"]["init_args"]["weight_decay"] == 1e-4


MEAN_IMAGE = (
    "--data.pipeline",
    "{class_path: lit_vision.data.pipelines.small.SmallImages, "
    "init_args: {pad: 1, flip: false, size: 8, mean: pixel, std: null}}",
)


def test_a_run_with_a_mean_image_goes_on_and_is_tested_and_predicts(command, only_run):
    """Its checkpoint holds an image where a fresh network holds three numbers."""
    command("fit", *TINY, *MEAN_IMAGE, "--trainer.max_steps", "4", "--run", "first")
    last = "first/checkpoints/last.ckpt"
    command("fit", *TINY, *MEAN_IMAGE, "--ckpt_path", last, "--run", "second")
    value = json.loads(Path("first/result.json").read_text())["value"]
    assert f"test/error   {value:.2f}" in command("test", "--ckpt_path", last)
    image = torch.zeros(3, 8, 8, dtype=torch.uint8)
    predictor = inference.load(last)
    assert list(predictor.net.normalise.mean.shape) == [3, 8, 8]
    assert len(next(iter(predictor.predict(image))).classes) == 5


def test_a_mean_of_two_colours_is_no_mean(command):
    command("fit", *TINY, "--run", "run")
    content = torch.load("run/checkpoints/last.ckpt", weights_only=True)
    content["state_dict"]["network.normalise.mean"] = torch.zeros(2, 8, 8)
    torch.save(content, "other.ckpt")
    told = "is of another network: network.normalise.mean is [2, 8, 8] there and [3, 1, 1] here"
    assert told in command.error("test", "--ckpt_path", "other.ckpt")
