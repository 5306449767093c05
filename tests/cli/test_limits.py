"""Values that no run can mean: three lines at most, the key, what to do, no folder left; and the helps."""

from pathlib import Path

import pytest

from lit_vision import cli
from lit_vision.experiment import yamlio
from tests.cli.conftest import TINY

DIGITS = ("fit", "--config", "quickstart/digits")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--trainer.max_steps", "0"), "--trainer.max_steps is 0; write the number of optimiser steps, or -1"),
        (("--trainer.max_steps", "-5"), "--trainer.max_steps is -5; write"),
        (("--trainer.max_steps", "null"), "--trainer.max_steps is null; write"),
        (("--trainer.max_epochs", "0"), "--trainer.max_epochs is 0; write"),
        (("--trainer.val_check_interval", "0"), "--trainer.val_check_interval is 0; write optimiser steps between"),
        (("--trainer.check_val_every_n_epoch", "0"), "--trainer.check_val_every_n_epoch is 0; write"),
        (("--trainer.log_every_n_steps", "0"), "--trainer.log_every_n_steps is 0; write"),
        (("--trainer.accumulate_grad_batches", "0"), "--trainer.accumulate_grad_batches is 0; write 1"),
        (("--trainer.gradient_clip_val", "-1"), "--trainer.gradient_clip_val is -1; write"),
        (("--trainer.limit_train_batches", "0"), "--trainer.limit_train_batches is 0; write"),
        (("--data.num_workers", "-1"), "--data.num_workers is -1; write"),
        (("--seed_everything", "-1"), "--seed_everything is -1; write a whole number"),
        (("--model.optimizer.lr", "-1"), "model.optimizer or model.schedule: Invalid learning rate: -1.0"),
        (("--model.optimizer.momentum", "-1"), "Invalid momentum value: -1.0"),
        (("--model.optimizer.weight_decay", "-1"), "Invalid weight_decay value: -1.0"),
        (
            ("--model.optimizer.nesterov", "true", "--model.optimizer.momentum", "0"),
            "Nesterov momentum requires a momentum",
        ),
        (("--model.schedule.steps", "0"), "model.schedule.steps is 0; write the optimiser steps of the whole run"),
        (("--model.schedule.warmup", "-3"), "model.schedule.warmup is -3; write 0 for none"),
        (("--model.schedule.warmup", "500"), "model.schedule.warmup is 500, but the schedule ends after 400 steps"),
        (("--trainer.accelerator", "tpu"), "--trainer.accelerator is tpu; this machine has auto, cpu"),
        (("--trainer.accelerator", "gpuu"), "--trainer.accelerator is gpuu; this machine has auto, cpu"),
        (("--trainer.strategy", "dpd"), "--trainer.strategy is dpd; did you mean 'ddp'?"),
        (("--trainer.devices", "0"), "--trainer.devices is 0; write the number of devices, or -1"),
        (("--trainer.num_nodes", "0"), "--trainer.num_nodes is 0; write the number of machines"),
        (("--trainer.limit_test_batches", "-1"), "--trainer.limit_test_batches is -1; write a share"),
        (("--trainer.limit_val_batches", "-1"), "--trainer.limit_val_batches is -1; write a share"),
        (("--checkpoint.monitor", "val/eror"), "checkpoint.monitor is val/eror, but checkpoint.best is 0"),
        (("--trainer.precision", "16-mixed", "--trainer.accelerator", "cpu"), "give --trainer.precision bf16-mixed"),
        (
            ("--trainer.accelerator", "cpu", "--trainer.devices", "3"),
            "does not divide by 3 device(s) x 1 accumulation step(s); choose a multiple of 3",
        ),
        (("--confg", "x"), "unknown option --confg; did you mean '--config'?"),
        (
            ("--checkpoint.best", "1", "--checkpoint.monitor", "val/eror"),
            "checkpoint.monitor: validation logs no val/eror; did you mean 'val/error'?",
        ),
    ],
    ids=lambda value: " ".join(value)[2:60] if isinstance(value, tuple) else "",
)
def test_a_value_that_no_run_can_mean(command, options, told):
    assert told in command.error(*DIGITS, "--trainer.logger", "false", *options)
    assert list(Path().iterdir()) == []


def test_a_bad_value_in_a_file_names_the_file(command):
    Path("mine.yaml").write_text("trainer: {max_steps: 0}\n")
    assert "mine.yaml: trainer.max_steps is 0; write" in command.error(*DIGITS, "--config", "mine.yaml")


def test_a_logger_whose_package_is_missing(command):
    logger = "{class_path: lightning.pytorch.loggers.TensorBoardLogger, init_args: {save_dir: x}}"
    message = command.error(*DIGITS, "--trainer.logger", logger)
    assert "ensorboard" in message
    assert list(Path().iterdir()) == []


def test_one_batch_is_one_batch(command):
    """1.0 is all of them; jsonargparse reads the one as the other."""
    limits = ("--trainer.limit_val_batches", "1", "--trainer.limit_test_batches", "1", "--data.eval_batch_size", "100")
    command("fit", *TINY, *limits, "--trainer.max_steps", "2", "--trainer.val_check_interval", "2", "--run", "run")
    assert "images evaluated" not in command.err  # a pass that is cut short counts no images
    assert "100% of the batches" not in command.err
    saved = yamlio.load(Path("run/config.yaml"))["trainer"]
    assert (repr(saved["limit_val_batches"]), repr(saved["limit_test_batches"])) == ("1", "1")


def test_a_typo_is_told_without_torch(capsys):
    import subprocess
    import sys

    code = "import sys; from lit_vision import cli; cli.main(sys.argv[1:]); print('torch' in sys.modules)"
    for arguments in (
        ["fit", "--confg", "quickstart/digits"],
        ["fit", "--config", "quickstart/digit"],
        ["fit", "--config", "quickstart/digits", "--row", "digit"],
        ["fit", "--config", "quickstart/digits", "--datta.batch_size", "3"],
    ):
        done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
        assert done.stdout == "False\n"
        assert "did you mean" in done.stderr


def test_the_version(command):
    assert command("--version").startswith("lit-vision 0.")


def test_help_tells_every_key(command):
    shown = command("fit", "--help")
    for told in (
        "--config ",
        "--trust-code",
        "--trainer.max_steps: int = -1",
        "--checkpoint.best: int = 0",
        "--nonfinite.policy",
    ):
        assert told in shown
    assert "depends on the recipe: lit-vision fit --config RECIPE --model.help" in shown


@pytest.mark.parametrize(
    ("section", "told"),
    [
        ("model", "--model.network.backbone.norm: Literal['bn', 'sync', 'frozen', 'gn'] = 'bn'"),
        ("data", "--data.batch_size: int = 64"),
    ],
)
def test_help_of_a_section_tells_the_recipe_s_own_classes(command, section, told):
    shown = command(*DIGITS, f"--{section}.help")
    assert told in shown
    assert "trainer:" not in shown


def test_the_resolved_configuration_is_printed_and_nothing_runs(command):
    shown = command(*DIGITS, "--trainer.max_steps", "7", "--print_config")
    content = yamlio.parse(shown)
    assert content["trainer"]["max_steps"] == 7
    assert content["origin"]["changed"] == ["trainer.max_steps"]
    assert content["data"]["init_args"]["eval_batch_size"] == 250
    assert list(Path().iterdir()) == []


def test_a_verb_after_a_flag_is_found(capsys):
    assert cli.main(["--trust-code", "fit"]) == 2
    assert "fit needs --config RECIPE" in capsys.readouterr().err
