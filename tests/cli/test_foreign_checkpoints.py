"""Checkpoints of others, of other networks, incomplete ones: one message that names the file and what is wrong."""

import copy
import pickle
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lit_vision import cli, inference
from lit_vision.data.digits import Digits
from lit_vision.errors import InputError
from lit_vision.experiment import recipes
from lit_vision.runs import checkpoints
from lit_vision.session import preparation
from lit_vision.session.assembler import assemble
from tests.cli.conftest import TINY

ONE = (*TINY, "--trainer.max_steps", "1")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The content of a checkpoint of one step."""
    folder = tmp_path_factory.mktemp("trained")
    assert cli.main(["fit", *ONE, "--run", str(folder / "run")]) == 0
    return torch.load(folder / "run/checkpoints/last.ckpt", weights_only=True)


@pytest.fixture
def saved(trained, tmp_path, monkeypatch):
    """Saves the content with a change; returns the file's name."""
    monkeypatch.chdir(tmp_path)

    def save(change):
        content = copy.deepcopy(trained)
        torch.save(change(content) or content, "f.ckpt")
        return "f.ckpt"

    return save


def put(*path, value=None, drop=False):
    """A change of one entry."""

    def change(content):
        *parents, last = path
        for key in parents:
            content = content[key]
        if drop:
            del content[last]
        else:
            content[last] = value

    return change


WEIGHT = "network.fc.weight"
KINDS = {
    "a list": (lambda content: [1], "no checkpoint, it holds a list"),
    "a tensor": (lambda content: torch.ones(1), "no checkpoint, it holds a Tensor"),
    "weights alone": (lambda content: dict(content["state_dict"]), "carries no configuration"),
    "nothing": (lambda content: {"a": 1}, "carries no configuration"),
    "ours is text": (put("lit_vision", value="x"), "carries no configuration"),
    "configuration is text": (put("lit_vision", "config", value="x"), "carries no configuration"),
    "no model": (put("lit_vision", "config", "model", drop=True), "model of its configuration is missing"),
    "data is text": (put("lit_vision", "config", "data", value="x"), "data of its configuration is a str"),
    "card is a list": (put("lit_vision", "config", "card", value=[1]), "card of its configuration is a list"),
    "origin is a list": (put("lit_vision", "config", "origin", value=[1]), "origin of its configuration is a list"),
    "no weights": (put("state_dict", drop=True), "it holds no weights (state_dict)"),
    "empty weights": (put("state_dict", value={}), "it holds no weights (state_dict)"),
    "weights are a list": (put("state_dict", value=[1]), "it holds no weights (state_dict)"),
    "a weight is text": (put("state_dict", WEIGHT, value="x"), f"state_dict['{WEIGHT}'] is no tensor"),
    "a weight is missing": (put("state_dict", WEIGHT, drop=True), f"of another network: it has no {WEIGHT} (1 of "),
    "a weight of another shape": (
        put("state_dict", WEIGHT, value=torch.ones(3, 2)),
        f"of another network: {WEIGHT} is [3, 2] there and [10, 64] here",
    ),
    "a weight too many": (put("state_dict", "other", value=torch.ones(1)), "the network has no other (1 names"),
    "names are a number": (put("lit_vision", "class_names", value=3), "its class_names are no list of names"),
    "names are numbers": (put("lit_vision", "class_names", value=[3]), "its class_names are no list of names"),
    "fewer names": (put("lit_vision", "class_names", value=list("01234")), "has 5 classes, the data 10"),
    "no step": (put("global_step", drop=True), "global_step is missing"),
    "a step that is text": (put("global_step", value="x"), "global_step is damaged"),
    "no version": (put("pytorch-lightning_version", drop=True), "pytorch-lightning_version is missing"),
    "no version number": (put("pytorch-lightning_version", value="x"), "pytorch-lightning_version is damaged"),
}


@pytest.fixture(scope="module")
def parts():
    """Model and data of the recipe."""
    assembler = assemble(recipes.resolve(["quickstart/digits"]), [])
    assembler.build()
    return assembler.model, assembler.datamodule


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_does_not_fit(saved, parts, kind):
    change, told = KINDS[kind]
    file = saved(change)

    def load():
        checkpoints.configuration(checkpoints.read(file), file, trust_code=False)
        preparation.refuse_unfit(file, *parts, training=False)

    with pytest.raises(InputError, match=re.escape(told)) as caught:
        load()
    assert "f.ckpt" in str(caught.value)
    assert len(str(caught.value).splitlines()) <= 3


@pytest.mark.parametrize("kind", ["a list", "card is a list", "no weights", "a weight is missing", "no version"])
def test_the_command_tells_it_and_leaves_nothing(command, saved, kind):
    change, told = KINDS[kind]
    assert told in command.error("test", "--ckpt_path", saved(change))
    assert [path.name for path in Path().iterdir()] == ["f.ckpt"]


# What a training needs beyond the weights; Lightning meets the last ones while it restores.
STATES = {
    "no optimiser": (put("optimizer_states", drop=True), "optimizer_states is missing"),
    "optimiser is text": (put("optimizer_states", value=["x"]), "optimizer_states is damaged"),
    "no loops": (put("loops", drop=True), "loops is missing"),
    "no schedule": (put("lr_schedulers", drop=True), "lr_schedulers is missing"),
    "empty loops": (put("loops", value={}), "cannot be restored into this run ("),
    "other groups": (
        lambda content: content["optimizer_states"][0]["param_groups"].append({"params": []}),
        "cannot be restored into this run (",
    ),
}


@pytest.mark.parametrize("kind", STATES)
def test_training_on_from_a_file_that_cannot(command, saved, kind):
    change, told = STATES[kind]

    def changed(content):
        change(content)

    assert told in command.error("fit", *ONE, "--ckpt_path", saved(changed))
    assert [path.name for path in Path().iterdir()] == ["f.ckpt"]


PREDICTING = ["ours is text", "no model", "no weights", "a weight is missing", "names are a number"]


@pytest.mark.parametrize("kind", PREDICTING)
def test_prediction_with_a_file_that_does_not_fit(saved, kind):
    change, told = KINDS[kind]
    with pytest.raises(InputError) as caught:
        inference.load(saved(change))
    assert told.replace("network.fc", "fc") in str(caught.value)


@pytest.mark.parametrize("key", ["class_names", "pipeline"])
def test_prediction_without_what_it_needs(saved, key):
    with pytest.raises(InputError):
        inference.load(saved(put("lit_vision", key, drop=True)))


class Bomb:
    def __reduce__(self):
        return print, ("boom",)


def _zip(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x", "y")


FILES = {
    "empty": (lambda path: path.write_bytes(b""), "not a readable checkpoint"),
    "text": (lambda path: path.write_text("no checkpoint"), "not a readable checkpoint"),
    "a folder": (lambda path: path.mkdir(), "a folder; name a checkpoint's file"),
    "another archive": (_zip, "not a readable checkpoint"),
    "a bomb": (lambda path: torch.save(Bomb(), path), "it is not opened, because it names"),
    "an old bomb": (lambda path: path.write_bytes(pickle.dumps(Bomb(), protocol=2)), "f.ckpt: "),
}


@pytest.mark.parametrize("kind", FILES)
def test_files_that_are_no_checkpoints(command, kind):
    make, told = FILES[kind]
    make(Path("f.ckpt"))
    message = command.error("test", "--ckpt_path", "f.ckpt")
    assert told in message
    # torch advises to load such a file in spite of all.
    assert "weights_only" not in message
    assert "boom" not in command.out


def test_the_same_classes_in_another_order_are_refused(command, saved):
    swapped = put("lit_vision", "class_names", value=["1", "0", *"23456789"])
    assert command.error("test", "--ckpt_path", saved(swapped)) == (
        "error: --ckpt_path f.ckpt calls class 0 '1', the data '0': the same classes in another order;\n"
        "every figure would be of the wrong class: list the data's classes in the checkpoint's order"
    )
    assert "calls class 0 '1'" in command.error("fit", *ONE, "--ckpt_path", "f.ckpt")


def test_other_classes_are_refused_and_silence_about_them_is_not(command, saved):
    other = put("lit_vision", "class_names", value=["cat", *"123456789"])
    message = command.error("test", "--ckpt_path", saved(other))
    assert "calls class 0 'cat', the data '0';\nname the data that the checkpoint was trained on" in message
    command("test", "--ckpt_path", saved(put("lit_vision", "class_names", drop=True)))


def test_another_network_by_configuration_is_refused(command, saved):
    file = saved(lambda content: None)
    options = ("--model.network.backbone", "lit_vision.models.backbones.resnet.resnet32")
    message = command.error("fit", *ONE, *options, "--ckpt_path", file)
    assert "f.ckpt is of another network: it has no network.backbone." in message


@pytest.mark.parametrize("name", ["cuda:9", "gpuu", "tpu"])
def test_a_device_that_is_not_here(command, saved, name):
    message = command.error("predict", "--ckpt_path", saved(lambda content: None), "--device", name, "x.png")
    assert message.startswith(f"error: device '{name}' is not here; choose from: cpu")


def test_one_picture_is_one_picture(saved):
    predictor = inference.load(saved(lambda content: None))
    Image.new("L", (8, 8)).save("a.png")
    pixels = torch.zeros(3, 8, 8, dtype=torch.uint8)
    for image in ("a.png", Path("a.png"), Image.new("RGB", (8, 8)), pixels, pixels.permute(1, 2, 0).numpy()):
        assert len(list(predictor.predict(image))) == 1
    for images in (["a.png"] * 3, torch.stack([pixels] * 3), np.zeros((3, 8, 8, 3), np.uint8)):
        assert len(list(predictor.predict(images))) == 3


def test_pictures_that_cannot_be_written_are_refused_before_any_is_read(command, saved, monkeypatch):
    from lit_vision.verbs import predict

    monkeypatch.setattr(predict, "BoxPredictor", inference.ClassPredictor)
    Path("file").write_text("")
    message = command.error("predict", "--ckpt_path", saved(lambda content: None), "--pictures", "file/p", "x.png")
    assert message == "error: --pictures file/p: cannot write there (Not a directory); name another folder"


def test_the_digits_are_named_as_the_data_name_them(trained):
    assert trained["lit_vision"]["class_names"] == Digits().class_names
