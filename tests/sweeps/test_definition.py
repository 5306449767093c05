"""Sweep files: what is read, and how slips are told."""

import pytest

from lit_vision.errors import InputError
from lit_vision.sweeps import definition

GOOD = {
    "program": "lit_vision",
    "command": ["${env}", "${interpreter}", "-m", "${program}", "fit", "--config", "quickstart/digits", "${args}"],
    "method": "grid",
    "metric": {"name": "val/error"},
    "parameters": {"model.optimizer.lr": {"values": [0.1, 0.2]}},
}


def test_reads_with_wandb_s_defaults():
    sweep = definition.parse(GOOD, "some/My file.yaml")
    assert (sweep.name, sweep.method, sweep.metric, sweep.goal) == ("my-file", "grid", "val/error", "minimize")
    assert (sweep.run_cap, sweep.early_terminate) == (None, None)


@pytest.mark.parametrize(
    ("early", "expected"),
    [
        ({"type": "hyperband", "min_iter": 3}, {"min_iter": 3, "eta": 3}),
        ({"type": "hyperband", "min_iter": 2, "eta": 4}, {"min_iter": 2, "eta": 4}),
        ({"type": "hyperband", "max_iter": 27, "s": 2}, {"min_iter": 3, "eta": 3}),  # rungs 3 and 9
    ],
)
def test_hyperband_s_first_rung(early, expected):
    assert definition.parse(GOOD | {"early_terminate": early}, "a.yaml").early_terminate == expected


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"method": "gird"}, "method is 'gird'; expected one of grid, random, bayes"),
        ({"method": "random"}, "run_cap is missing; a random sweep never ends by itself"),
        ({"run_cap": 0}, "run_cap is 0; expected a whole number"),
        ({"metric": None}, "metric is missing"),
        ({"metric": {"name": "a", "goal": "min"}}, "metric.goal is 'min'"),
        ({"metric": {"name": "a", "target": 1}}, "metric.target is not taken"),
        ({"parameters": {}}, "parameters is missing or empty"),
        ({"parameters": {"lr": {}}}, "parameters.lr is {}"),
        ({"command": None}, "command is missing"),
        ({"paramters": {}}, "paramters is no key of a sweep file; did you mean 'parameters'?"),
        ({"scheduler": {"engine": "optuna"}}, "scheduler is not taken by the local engine"),
        ({"early_terminate": {"type": "median"}}, "early_terminate is {'type': 'median'}"),
        ({"early_terminate": {"type": "hyperband"}}, "max_iter is missing"),
        ({"early_terminate": {"type": "hyperband", "min_iter": 1, "eta": 1.5}}, "early_terminate.eta is 1.5"),
        ({"early_terminate": {"type": "hyperband", "min_iter": 1, "strict": False}}, "is always strict"),
        ({"early_terminate": {"type": "hyperband", "min_iters": 1}}, "did you mean 'min_iter'?"),
    ],
)
def test_slips_are_told_with_file_and_key_in_three_lines(change, message):
    with pytest.raises(InputError) as told:
        definition.parse(GOOD | change, "mine.yaml")
    assert str(told.value).startswith("mine.yaml: ")
    assert message in str(told.value)
    assert len(str(told.value).splitlines()) <= 3


def test_finds_sweeps_by_name_and_names_the_nearest(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert definition.find("digits") == definition.find("sweeps/digits.yaml") == definition.folder() / "digits.yaml"
    with pytest.raises(InputError, match="no sweep 'digitz'; did you mean 'digits'"):
        definition.find("digitz")


def test_short_names_are_as_long_as_needed():
    keys = ["model.optimizer.lr", "data.lr", "data.batch_size", "lr"]
    assert list(definition.short_names(keys).values()) == ["optimizer.lr", "data.lr", "batch_size", "lr"]
