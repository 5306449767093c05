"""What a test may claim: neither random weights nor a stand-in under another name nor an edited configuration."""

import json
from pathlib import Path

import pytest
import torch
import yaml

from lit_vision.data.digits import Digits
from lit_vision.experiment import recipes
from tests.cli.conftest import TINY

LAST = "run/checkpoints/last.ckpt"
NO_LOGGER = ("--trainer.logger", "false")


def result(folder):
    return json.loads((Path(folder) / "result.json").read_text())


def test_random_weights_are_not_judged(command):
    message = command.error("test", "--config", "quickstart/digits", *NO_LOGGER)
    assert message.startswith(
        "error: test of quickstart/digits needs trained weights: name a finished run by --run DIR"
    )
    assert "--ckpt_path FILE" in message
    assert not Path("runs").exists()


def test_a_stand_in_stays_one_when_its_weights_are_tested_as_the_recipe(command):
    command("fit", *TINY, "--run", "run")
    trained = torch.load(LAST, weights_only=True)["lit_vision"]["trained"]
    steps = {"trainer.max_steps": 8}
    assert (trained["recipe"], trained["row"], trained["seed"], trained["changed"]) == (
        *("quickstart/digits", "digits", 1),
        steps,
    )
    out = command("test", "--config", "quickstart/digits", "--ckpt_path", LAST, "--run", "clean", *NO_LOGGER)
    assert f"weights of {LAST}: quickstart/digits, 8 steps" in out
    told, own = result("clean"), result("run")
    assert (told["changed"], told["verdict"], told["stand_in"]) == (steps, "stand-in", True)
    assert told["trained"] == trained | {"run": LAST, "steps": 8}
    assert own["trained"] is None
    assert told["digest"] != own["digest"]  # the recipe's own schedule against eight steps


def test_weights_of_another_recipe_are_a_stand_in(command, tmp_path):
    text = recipes.find("quickstart/digits").read_text().replace("max_steps: 400", "max_steps: 4")
    Path("mine.yaml").write_text(text)
    command("fit", "--config", "mine.yaml", "--trainer.val_check_interval", "4", *NO_LOGGER, "--run", "run")
    assert result("run")["changed"] == {}
    command("test", "--config", "quickstart/digits", "--ckpt_path", LAST, "--run", "clean", *NO_LOGGER)
    assert result("clean")["changed"] == {"weights": "trained as mine, row digits"}
    assert result("clean")["verdict"] == "stand-in"


def test_weights_that_do_not_say_what_trained_them_are_a_stand_in(command):
    command("fit", *TINY, "--run", "run")
    content = torch.load(LAST, weights_only=True)
    del content["lit_vision"]
    torch.save(content, "bare.ckpt")
    command("test", "--config", "quickstart/digits", "--ckpt_path", "bare.ckpt", "--run", "clean", *NO_LOGGER)
    assert result("clean")["changed"] == {"weights": "of a training that the checkpoint does not record"}


def test_training_that_starts_from_a_stand_in_is_one(command):
    command("fit", *TINY, "--run", "run", "--model.schedule.warmup", "3")
    command("fit", *TINY, "--run", "on", "--ckpt_path", LAST, "--trainer.max_steps", "10")
    assert result("on")["changed"] == {"trainer.max_steps": 8, "model.schedule.warmup": 3}


def test_an_edited_configuration_does_not_claim_the_row(command):
    command("fit", *TINY, "--run", "run")
    saved = yaml.safe_load(Path("run/config.yaml").read_text())
    saved["model"]["init_args"]["optimizer"]["init_args"]["weight_decay"] = 0.0
    saved["trainer"]["precision"] = "32-true"
    Path("edited.yaml").write_text(yaml.safe_dump(saved))
    command("fit", "--config", "edited.yaml", "--run", "edited")
    assert list(result("edited")["changed"]) == ["trainer.max_steps", "model.optimizer.weight_decay"]
    assert result("edited")["verdict"] == "stand-in"


def test_an_edit_that_claims_full_scale_is_noticed(tmp_path):
    experiment = recipes.resolve(["quickstart/digits"])
    origin = {"recipe": "quickstart/digits", "row": "digits", "changed": ["trainer.max_steps"]}
    saved = experiment.config | {"trainer": experiment.config["trainer"] | {"max_steps": 300}}
    origin["seal"] = recipes.seal(saved, origin)
    card = {"card": experiment.card_content}
    whole, honest = tmp_path / "whole.yaml", tmp_path / "honest.yaml"
    honest.write_text(yaml.safe_dump(card | {"origin": origin} | saved))
    whole.write_text(yaml.safe_dump(card | {"origin": origin | {"changed": []}} | saved))
    assert recipes.resolve([str(honest)]).changes() == {"trainer.max_steps": 300}
    assert recipes.resolve([str(whole)]).changes() == {"trainer.max_steps": 300}
    unknown = tmp_path / "unknown.yaml"
    unknown.write_text(yaml.safe_dump(card | {"origin": origin | {"recipe": "mine", "changed": []}} | saved))
    assert recipes.resolve([str(unknown)]).changes() == {"config.yaml": "edited by hand"}


@pytest.mark.parametrize(
    ("recipe", "key", "value"),
    [
        ("retinanet/r50_fpn_coco", "data.val", "train2017"),
        ("retinanet/r50_fpn_coco", "data.train", "val2017"),
        ("resnet/imagenet", "data.train", "elsewhere"),
    ],
)
def test_other_data_are_another_experiment(recipe, key, value):
    assert recipes.resolve([recipe], options=[(key, value)]).changes() == {key: value}


def test_another_tested_split_is_another_experiment():
    found = recipes.resolve(["retinanet/r50_fpn_coco"], "scale 400", [("data.test", None)])
    assert found.changes() == {"data.test": None}


def test_data_that_fall_short_of_the_published_set_make_a_stand_in(command, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(Digits, "shortfall", lambda self: {"train": "80 of 1,198 images"})
        command("fit", *TINY, "--run", "run")
    assert result("run")["changed"]["data"] == "train 80 of 1,198 images"
    command("test", "--config", "quickstart/digits", "--ckpt_path", LAST, "--run", "clean", *NO_LOGGER)
    assert result("clean")["changed"]["data"] == "train 80 of 1,198 images"
