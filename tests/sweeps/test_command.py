"""A trial's command line."""

import sys

import pytest

from lit_vision.errors import InputError
from lit_vision.sweeps import command, definition
from tests.sweeps.test_definition import GOOD

VALUES = {"row": "scale 400", "data.flip": True, "model.optimizer.lr": 1e-05}


def sweep(**change):
    return definition.parse(GOOD | change, "mine.yaml")


def test_macros_are_filled_in_as_wandb_does():
    words = command.expand(sweep(), VALUES)
    assert words[:7] == ["/usr/bin/env", sys.executable, "-m", "lit_vision", "fit", "--config", "quickstart/digits"]
    assert words[7:] == ["--row=scale 400", "--data.flip=True", "--model.optimizer.lr=1e-05"]
    assert command.readable(words)[:3] == ["lit-vision", "fit", "--config"]


def test_variables_and_arguments_without_equals(monkeypatch):
    monkeypatch.setenv("COCO_ROOT", "/data/coco")
    words = ["lit-vision", "fit", "--data.root", "${envvar:COCO_ROOT}", "${args_no_equals}"]
    assert command.expand(sweep(command=words), {"row": "R-50"}) == [*words[:3], "/data/coco", "--row", "R-50"]


@pytest.mark.parametrize(
    "head",
    [
        ["${env}", "${interpreter}", "-m", "${program}"],
        ["${interpreter}", "-m", "lit_vision"],
        ["${env}", "python", "-m", "lit_vision"],
        ["python3", "-m", "lit_vision"],
        ["${env}", "lit-vision"],
        ["lit-vision"],
    ],
)
def test_ways_to_call_this_program(head):
    words = command.expand(sweep(command=[*head, "fit", "--config", "quickstart/digits", "${args}"]), {})
    assert command.readable(words) == ["lit-vision", "fit", "--config", "quickstart/digits"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["${env}", "${interpreter}", "train.py", "${args}"], "a trial is `lit_vision fit` or `lit_vision test`"),
        (["sh", "-c", "touch ran", "lit_vision", "fit", "${args}"], "a trial is `lit_vision fit` or `lit_vision test`"),
        (["${env}", "X=1", "sh", "-c", "x", "lit-vision", "fit"], "a trial is `lit_vision fit` or `lit_vision test`"),
        (["${env}", "-S", "sh", "lit-vision", "fit"], "a trial is `lit_vision fit` or `lit_vision test`"),
        (["python", "-c", "import os", "lit_vision", "fit"], "a trial is `lit_vision fit` or `lit_vision test`"),
        (["python", "evil.py", "-m", "lit_vision", "fit"], "a trial is `lit_vision fit` or `lit_vision test`"),
        (["/tmp/evil/lit-vision", "fit", "${args}"], "a trial is `lit_vision fit` or `lit_vision test`"),
        (["./python", "-m", "lit_vision", "fit"], "a trial is `lit_vision fit` or `lit_vision test`"),
        (["lit_vision", "fit", "${args}"], "a trial is `lit_vision fit` or `lit_vision test`"),
        (["${program}", "fit"], "a trial is `lit_vision fit` or `lit_vision test`"),
        (["lit-vision", "predict", "${args}"], "a trial is `lit_vision fit` or `lit_vision test`"),
        (["lit-vision", "fit", "${args_no_hyphens}"], "${args_no_hyphens} is not taken here"),
    ],
)
def test_a_command_that_is_not_ours(words, message):
    with pytest.raises(InputError) as told:
        command.expand(sweep(command=words), {})
    assert message in str(told.value)
    assert len(str(told.value).splitlines()) <= 3


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["lit-vision", "fit", "--config", "quickstart/digitz"], "no recipe 'quickstart/digitz'"),
        (["lit-vision", "fit", "--config", "resnet/cifar10", "--row=resnet-21"], "resnet-21"),
        (["lit-vision", "fit", "--config", "quickstart/digits", "--run", "x"], "leave --run out"),
        (["lit-vision", "fit", "--row=resnet-20"], "fit needs --config RECIPE"),
        (["lit-vision", "fit", "--config", "quickstart/digits", "--trainer.max_steps.x=1"], "which has no keys"),
    ],
)
def test_what_every_trial_would_trip_over(words, message):
    with pytest.raises(InputError) as told:
        command.check(sweep(), words)
    assert message in str(told.value)
