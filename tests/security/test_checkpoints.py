"""Checkpoints from others: what they name is built only if it is on the list, for `predict` and `test` alike."""

import json

import pytest
from PIL import Image

from lit_vision import cli
from lit_vision.errors import InputError
from lit_vision.experiment import names as check
from lit_vision.experiment import recipes, trust
from lit_vision.runs import checkpoints
from lit_vision.session.assembler import assemble
from tests.security.conftest import PIPELINE

POPEN = "torch.distributed.elastic.multiprocessing.subprocess_handler.subprocess_handler.Popen"
V2 = "torchvision.transforms.v2"
CONV = {"in_channels": 1, "out_channels": 1, "kernel_size": 1}
PHOTOGRAPHS = "lit_vision.data.pipelines.photos.Photographs"


def part(path, **arguments):
    return {"class_path": path, "init_args": arguments}


def photographs(*train):
    return part(PHOTOGRAPHS, train=list(train), eval=[])


def predict(attack, pipeline):
    Image.new("RGB", (8, 8)).save("cat.png")
    file = attack.write(lambda content: content.update(pipeline=pipeline))
    return attack.refused("predict", "--ckpt_path", file, "cat.png")


def test_a_pipeline_builds_no_program_under_an_untyped_parameter(attack):
    message = predict(attack, photographs(part("torch.nn.Conv2d", **CONV, device=attack.popen)))
    assert "pipeline.train.0: torch.nn.Conv2d is nothing that a checkpoint may name" in message
    assert "it would run torch.nn.Conv2d, subprocess.Popen; give --trust-code" in message


def test_nor_where_the_class_itself_is_on_the_list(attack):
    message = predict(attack, photographs(part(f"{V2}.CutMix", labels_getter=attack.popen)))
    assert "pipeline.train.0.labels_getter: subprocess.Popen is nothing" in message


def test_text_is_not_parsed_into_a_part(attack):
    text = json.dumps(attack.popen)
    message = predict(attack, photographs(part(f"{V2}.CutMix", labels_getter=text)))
    assert "pipeline.train.0.labels_getter: " in message


def test_a_program_under_another_spelling(attack):
    other = part(POPEN, **attack.popen["init_args"])
    message = predict(attack, photographs(part(f"{V2}.CutMix", labels_getter=other)))
    assert f"it would run {POPEN}" in message


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("callbacks", "lightning.pytorch.callbacks.OnExceptionCheckpoint"),
        ("logger", "lightning.pytorch.loggers.CSVLogger"),
        ("profiler", "lightning.pytorch.profilers.SimpleProfiler"),
        ("plugins", "lightning.pytorch.plugins.TorchCheckpointIO"),
        ("strategy", "lightning.pytorch.strategies.SingleDeviceStrategy"),
    ],
)
def test_the_trainer_is_not_a_checkpoint_s(attack, key, path):
    value = [part(path)] if key in ("callbacks", "plugins") else part(path)
    file = attack.write(lambda content: content["config"].update(trainer={key: value, "precision": "32-true"}))
    message = attack.refused("test", "--ckpt_path", file, "--trainer.accelerator", "cpu")
    assert f"trainer.{key}: " in message
    assert f"it would run {path}" in message


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("optimizer", part("torch.optim.lr_scheduler.LambdaLR", lr_lambda="os.system")),
        ("optimizer", part(POPEN, args=["true"])),
        ("optimizer", "torch.hub.load"),
        ("optimizer", part("torch.optim.SGD", lr=0.1, foreach=part("subprocess.Popen", args=["true"]))),
        ("schedule", part("torch.load", f="evil.pt")),
        ("network", part("torch.hub.load", repo_or_dir="evil/evil", model="evil")),
        ("network", "evil.yaml"),
        ("network", "lit_vision.models.weights.classifiers.load"),
        ("network", {"class_path": "lit_vision.models.classifier.Classifier", "dict_kwargs": {"x": 1}}),
        ("class_names", part("subprocess.Popen", args=["true"])),
        ("channels_last", "!!python/object/apply:os.system [true]"),
    ],
    ids=str,
)
def test_parts_of_a_model(attack, key, value):
    file = attack.write(lambda content: content["config"]["model"]["init_args"].update({key: value}))
    message = attack.refused("test", "--ckpt_path", file)
    assert f"model.{key}" in message
    assert "--trust-code" in message


@pytest.mark.parametrize(
    "value",
    [
        part(f"{V2}.Lambda", lambd="os.system"),
        part(f"{V2}.SanitizeBoundingBoxes", labels_getter="os.system"),
        part(f"{V2}.RandomApply", transforms=["os.system"]),
        part(f"{V2}.RandomApply", transforms=[part(f"{V2}.Lambda", lambd="os.system")]),
        part(f"{V2}.Pad", padding=1, fill={"os.path": 1}),
        part(f"{V2}.ToDtype", dtype={"torch.load": None}),
        part(f"{V2}._misc.Lambda", lambd="os.system"),
        part("torch.jit.load", f="evil.pt"),
        part("lightning.pytorch.profilers.SimpleProfiler", dirpath="/", filename="x"),
        part("lit_vision.data.pipelines.decode.Image.open", fp="/etc/passwd"),
        part("lit_vision.diagnosis.callback.Diagnosis", folder="/"),
        part("lit_vision.build.part", kind="x", config={}),
        part("lit_vision.data.cifar.fetch", name="cifar10", root="/"),
        part("lit_vision.models.classifier.nn.Module"),
        part("torch.nn.Module"),
        {"class_path": ["lit_vision.data.pipelines.photos.paper"]},
        {"class_path": f"{V2}.Identity", "init_args": [1]},
    ],
    ids=str,
)
def test_transforms(value):
    with pytest.raises(InputError):
        trust.pipeline(photographs(value), "evil.ckpt")


def test_a_name_is_never_read_as_a_file(attack):
    (attack.folder / "lit_vision.data.pipelines.photos.paper").write_text(json.dumps(attack.popen))
    held = trust.pipeline("lit_vision.data.pipelines.photos.paper", "good.ckpt")
    assert held == part("lit_vision.data.pipelines.photos.paper")


def test_what_is_defined_elsewhere_is_not_taken_for_ours(monkeypatch):
    from lit_vision.data.pipelines import photos

    monkeypatch.setattr(photos, "paper", __import__("subprocess").Popen)
    with pytest.raises(InputError, match=r"lit_vision\.data\.pipelines\.photos\.paper, which is subprocess\.Popen"):
        trust.pipeline("lit_vision.data.pipelines.photos.paper", "evil.ckpt")


def test_neither_weights_nor_data_are_downloaded(attack):
    def change(content):
        content["config"]["data"] = part("lit_vision.data.cifar.CIFAR10", root="/nowhere", download=True)
        content["config"]["model"]["init_args"]["network"]["init_args"]["weights"] = "IMAGENET1K_V1"

    content = checkpoints.read(attack.write(change))
    config = checkpoints.configuration(content, "evil.ckpt", trust_code=False)
    assert config["data"]["init_args"] == {"root": "/nowhere", "download": False}
    assert config["model"]["init_args"]["network"]["init_args"]["weights"] is None


def test_a_recipe_s_name_leads_nowhere_else(attack):
    from lit_vision.runs import folder as runs

    assert runs.new("../../precious", "..").path.parts[:-1] == ("runs", "%2E.", "%2E.", "precious", "row")
    assert runs.new("resnet/cifar10", "resnet-20").path.parts[:-1] == ("runs", "resnet", "cifar10", "resnet-20")


def test_the_trusted_program_runs(attack):
    Image.new("RGB", (8, 8)).save("cat.png")
    own = part(f"{V2}.Lambda", lambd="torch.clone")
    file = attack.write(lambda content: content.update(pipeline=photographs(part(f"{V2}.Resize", size=[8, 8]), own)))
    assert cli.main(["predict", "--ckpt_path", file, "--trust-code", "cat.png"]) == 0


def test_an_honest_checkpoint_needs_no_option(attack, capsys):
    Image.new("RGB", (8, 8)).save("cat.png")
    assert cli.main(["predict", "--ckpt_path", attack.write(), "cat.png"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["file"] == "cat.png"
    assert trust.pipeline(PIPELINE, "good.ckpt") == PIPELINE


def test_a_resolved_detector_passes_unchanged(attack):
    """Its protocols have arguments without annotation, and its card has text that looks like names."""
    experiment = recipes.resolve(["quickstart/digit_scenes"])
    resolved = assemble(experiment, []).resolved()
    kept = {key: resolved[key] for key in ("model", "data", "seed_everything")} | {"card": experiment.card_content}
    kept["model"]["init_args"]["metrics"] = [
        part("lit_vision.metrics.coco.CocoAP", backend="fast", compute_on_cpu=False, dist_sync_fn=None),
        part("lit_vision.metrics.voc.VocAP"),
    ]
    assert trust.configuration(kept, "good.ckpt") == kept
    kept["model"]["init_args"]["metrics"][0]["init_args"]["dist_sync_fn"] = attack.popen
    with pytest.raises(InputError, match=r"metrics\.0\.dist_sync_fn: .*\n.* run subprocess\.Popen; give"):
        trust.configuration(kept, "evil.ckpt")


def test_every_recipe_and_row_is_on_the_list():
    rows = list(recipes.every_row())
    assert len(rows) > 40
    for name, row in [(name, row) for name, _, row, entry in rows if not entry.quoted]:
        config = recipes.resolve([name], row).config
        trust.configuration({key: config[key] for key in ("model", "data")}, name)


def test_a_resolved_configuration_passes_unchanged():
    experiment = recipes.resolve(["quickstart/digits"])
    check.names(experiment)
    resolved = assemble(experiment, []).resolved()
    kept = {key: resolved[key] for key in ("model", "data", "seed_everything")}
    assert trust.configuration(kept, "good.ckpt") == kept
