"""What a run is called, from its `config.yaml`."""

import pytest

from lit_vision.loggers import wandb_identity

SAVED = {
    "card": {
        "paper": "1512.03385",
        "rows": {"resnet-20": {"where": "Table 6" + "x" * 80, "value": 8.75, "default": True}},
    },
    "origin": {"recipe": "resnet/cifar10", "row": "resnet-20", "changed": ["trainer.max_steps"], "code": "0.1.0+abc"},
    "seed_everything": 3,
    "trainer": {
        "logger": {"class_path": "lit_vision.loggers.wandb.Wandb", "init_args": {"project": "p", "entity": "e"}}
    },
}


def test_identity_comes_from_the_saved_configuration():
    identity = wandb_identity.of(SAVED)
    assert (identity.name, identity.group) == ("resnet-20, seed 3", "resnet/cifar10")
    assert identity.tags == ["1512.03385", "Table 6" + "x" * 57, "stand-in"]  # W&B takes 64 characters
    assert set(identity.config) == {"card", "code", "origin", "seed_everything", "trainer"}
    assert identity.config["code"] == "0.1.0+abc"


def test_without_card_and_row_the_recipe_names_the_run():
    identity = wandb_identity.of({"origin": {"recipe": "mine", "row": None}, "seed_everything": 0})
    assert identity[:3] == ("mine, seed 0", "mine", [])


@pytest.mark.parametrize(
    ("logger", "place"),
    [
        (SAVED["trainer"]["logger"], ("p", "e")),
        ([SAVED["trainer"]["logger"]], ("p", "e")),
        ({"class_path": "lit_vision.loggers.wandb.Wandb"}, ("lit-vision", None)),
        (False, ("lit-vision", None)),
    ],
)
def test_project_and_entity_are_the_logger_s(logger, place):
    assert tuple(wandb_identity.place({"trainer": {"logger": logger}}).values()) == place


def test_the_agent_s_id_is_taken(monkeypatch):
    monkeypatch.delenv("WANDB_RUN_ID", raising=False)
    assert len(wandb_identity.new_id()) == 8
    assert wandb_identity.new_id() != wandb_identity.new_id()
    monkeypatch.setenv("WANDB_RUN_ID", "q1w2e3r4")
    assert wandb_identity.new_id() == "q1w2e3r4"


@pytest.mark.parametrize(
    ("value", "expected", "difference"), [(9.0, 8.75, 0.25), (None, 8.75, None), (9.0, None, None)]
)
def test_summary_holds_the_paper_s_value_the_difference_and_the_verdict(value, expected, difference):
    result = {"value": value, "expected": expected, "verdict": "missed", "metric": "test/error"}
    assert wandb_identity.summary(result) == {
        "paper/value": expected,
        "paper/difference": difference,
        "paper/verdict": "missed",
        "test/error": value,
    }
