"""Rows that test, join or analyse what others trained, through the real command."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from lit_vision import cli, inference
from lit_vision.data.digits import Digits
from lit_vision.loggers.wandb import Wandb
from lit_vision.ops import probability
from lit_vision.protocols.crops import TenCrop
from lit_vision.report import collect
from lit_vision.report.dashboard import pictures

RECIPE = ("--config", "quickstart/digits")
SHORT = (
    *("--trainer.max_steps", "8", "--trainer.val_check_interval", "8", "--trainer.log_every_n_steps", "4"),
    *("--trainer.logger", "false"),
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Three short trainings, seeds 1 to 3."""
    home = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        for seed in "123":
            assert cli.main(["fit", *RECIPE, *SHORT, "--seed_everything", seed, "--run", f"runs/seed{seed}"]) == 0
    return home / "runs"


@pytest.fixture
def seeds(trained):
    """The trainings in the working directory, where the command finds them."""
    home = Path("runs/quickstart/digits/digits")
    for seed in "123":
        shutil.copytree(trained / f"seed{seed}", home / f"2026-{seed}")
    return home


def result(folder):
    return json.loads((Path(folder) / "result.json").read_text())


def test_error(run, protocol):
    """Error in percent of a run's weights on the digits' test split."""
    data = Digits()
    data.setup()
    split = data.splits["test"]
    net = inference.load(run / "checkpoints/last.ckpt").net
    sizes = torch.tensor([[8, 8]]).expand(len(split), 2)
    with torch.inference_mode():
        predicted = protocol.score(net, split.images, sizes).argmax(1)
    return (predicted != split.labels).double().mean().item() * 100


test_error.__test__ = False


def test_a_later_test_goes_beside_the_run_and_says_what_it_tested(command, seeds):
    run = seeds / "2026-1"
    before = (run / "result.json").read_bytes()
    command("test", *RECIPE, "--row", "ten crop", "--run", run)
    found = result(run / "tests" / "ten-crop")
    assert found["figures"]["test/error"] == pytest.approx(test_error(run, TenCrop(7)))
    assert found["row"] == "ten crop"
    assert found["changed"] == {"trainer.max_steps": 8}
    assert found["stand_in"] is True
    assert found["samples_seen"] == 0
    own = json.loads(before)
    assert found["trained"] == {
        **{"recipe": "quickstart/digits", "row": "digits", "run": str(run), "digest": own["digest"]},
        **{"seed": 1, "steps": 8, "changed": own["changed"], "data": own["data"]["fingerprint"]},
    }
    assert (run / "result.json").read_bytes() == before
    diagnosis = json.loads((run / "tests/ten-crop/diagnosis.json").read_text())
    assert sum(line["count"] for line in diagnosis["per_class"]) == 299  # images, not views
    assert "test: 299 images evaluated, 0 skipped" in command.err


def test_validate_prints_and_writes_nothing(command, seeds):
    run = seeds / "2026-1"
    assert "val/error" in command("validate", *RECIPE, "--row", "ten crop", "--run", run)
    assert not (run / "tests").exists()


def test_fit_finds_the_training_of_the_same_configuration(command, seeds):
    command("fit", *RECIPE, *SHORT, "--row", "centre crop", "--seed_everything", 2)
    assert "trained already: runs/quickstart/digits/digits/2026-2" in command.err
    assert result(seeds / "2026-2/tests/centre-crop")["trained"]["seed"] == 2
    assert len(list(seeds.iterdir())) == 3


def test_fit_trains_what_is_missing_and_tests_it(command):
    command("fit", *RECIPE, *SHORT, "--row", "ten crop", "--protocol.size", 6, "--run", "mine")
    assert result("mine")["row"] == "digits"
    assert result("mine")["changed"] == {"trainer.max_steps": 8}
    found = result("mine/tests/ten-crop")
    assert found["changed"] == {"trainer.max_steps": 8, "protocol.size": 6}
    assert found["figures"]["test/error"] == pytest.approx(test_error(Path("mine"), TenCrop(6)))


def test_an_ensemble_averages_the_softmax_of_its_members(command, seeds):
    command("test", *RECIPE, "--row", "mean of three")
    (folder,) = Path("runs/quickstart/digits/mean-of-three").iterdir()
    found = result(folder)
    assert [member["seed"] for member in found["members"]] == [1, 2, 3]
    assert found["stand_in"] is True
    data = Digits()
    data.setup()
    split = data.splits["test"]
    nets = [inference.load(seeds / f"2026-{seed}/checkpoints/last.ckpt").net for seed in (1, 2, 3)]
    with torch.inference_mode():
        scores = probability.mean([net(split.images) for net in nets])
    error = (scores.argmax(1) != split.labels).double().mean().item() * 100
    assert found["figures"]["test/error"] == pytest.approx(error)
    state = json.loads((folder / "run.json").read_text())
    assert (state["recipe"], state["row"]) == ("quickstart/digits", "mean of three")


def test_members_may_be_named(command, seeds):
    runs = [seeds / f"2026-{seed}" for seed in (1, 2, 3)]
    command("test", *RECIPE, "--row", "mean of three", "--run", "joint", "--members", *runs)
    assert [member["run"] for member in result("joint")["members"]] == [str(run) for run in runs]


@pytest.fixture
def logged(monkeypatch):
    """What goes to W&B."""
    said = {}
    monkeypatch.setattr(Wandb, "describe", lambda _, folder, run_id, identity: said.update(folder=folder, id=run_id))
    monkeypatch.setattr(Wandb, "summarise", lambda _, summary: said.update(summary))
    monkeypatch.setattr(Wandb, "log_picture", lambda _, name, file: said.update({name: file}))
    return said


def test_responses_are_measured_before_the_nonlinearity(command, seeds, logged):
    run = seeds / "2026-1"
    logger = ("--trainer.logger", "lit_vision.loggers.wandb.Wandb")
    command("test", *RECIPE, "--row", "responses", "--run", run, *logger)
    folder = run / "analyses" / "responses"
    arrays = np.load(folder / "arrays.npz")
    assert len(arrays["std"]) == 19  # the 3x3 layers of ResNet-20
    assert arrays["layers"][0] == "backbone.stem.conv"
    assert arrays["sorted"].tolist() == sorted(arrays["std"].tolist(), reverse=True)
    data = Digits()
    data.setup()
    net = inference.load(run / "checkpoints/last.ckpt").net
    with torch.inference_mode():
        stem = net.backbone.stem
        first = stem.norm(stem.conv(net.normalise(data.splits["test"].images)))
    assert arrays["std"][0] == pytest.approx(first.double().std(correction=0).item(), rel=1e-5)
    found = result(folder)
    assert found["value"] == found["figures"]["analysis/median_std"] == pytest.approx(np.median(arrays["std"]))
    assert (found["trained"]["run"], found["seed"]) == (str(run), 1)
    state = json.loads((run / "run.json").read_text())
    assert (logged["folder"], logged["id"]) == (run, state["wandb_id"])
    assert logged["responses/analysis/median_std"] == found["value"]
    assert logged["responses/plot"] == folder / "plot.png"
    with Image.open(folder / "plot.png") as plot:
        assert plot.size == (960, 750)


def test_an_analysis_of_several_runs_has_a_folder_of_its_own(command, seeds):
    command("test", *RECIPE, "--row", "curves")
    (folder,) = Path("runs/quickstart/digits/curves").iterdir()
    found = result(folder)
    assert [member["seed"] for member in found["members"]] == [1, 2, 3]
    assert (found["trained"], found["steps"], found["data"]) == (None, 0, {})  # no image was read
    assert (found["changed"], found["stand_in"]) == ({"trainer.max_steps": 8}, True)
    for seed in (1, 2, 3):
        own = result(seeds / f"2026-{seed}")["figures"]
        assert found["figures"][f"analysis/train_error/digits (seed {seed})"] == own["train/error"]
    assert found["value"] == found["figures"]["analysis/val_error/digits (seed 1)"]
    assert found["figures"]["analysis/first_step/digits (seed 1)"] is None  # 5 % is not reached in eight steps
    state = json.loads((folder / "run.json").read_text())
    assert (state["recipe"], state["row"]) == ("quickstart/digits", "curves")
    assert {file.name for file in folder.iterdir()} == {
        *("arrays.npz", "config.yaml", "plot.png", "result.json", "run.json")
    }
    assert len(pictures.plots(collect.read(folder))) == 1
    assert "analysis/val_error/digits (seed 3)" in command.out
    told = command.error("test", *RECIPE, "--row", "curves", "--run", folder)
    assert told == f"error: --run {folder} is a run already; row 'curves' needs a folder of its own"


def test_a_row_with_an_analysis_alone_trains_nothing(command):
    for folder, seed in (("a", 1), ("b", 1), ("c", 2)):
        command("test", *RECIPE, "--row", "signals at the start", "--seed_everything", seed, "--run", folder)
    first, again, other = (result(folder) for folder in "abc")
    assert first["figures"] == again["figures"] != other["figures"]
    assert first["figures"]["analysis/smallest_variance"] == pytest.approx(1, rel=0.01)
    assert (first["trained"], first["members"], first["seed"], other["seed"]) == (None, [], 1, 2)
    assert (first["changed"], first["stand_in"], first["verdict"]) == ({}, False, "no number printed")
    assert first["data"]["name"] == "Digits"
    assert len(np.load("a/arrays.npz")["gradient"]) == 19
    assert not Path("runs").exists()


def test_costs_are_judged_by_the_printed_ones_without_images_or_weights(command):
    for row in ("34 layers", "34 layers, plain"):
        command("test", "--config", "resnet/costs", "--row", row)
    assert "relation shortcuts-are-free: holds" in command.out
    (folder,) = Path("runs/resnet/costs/34-layers").iterdir()
    found = result(folder)
    assert (found["value"], found["verdict"]) == (3.644493824, "reproduced")
    assert found["figures"]["analysis/parameters"] == 21.623848
    assert (found["data"], found["split"], found["stand_in"]) == ({}, "", False)


def test_every_figure_of_a_formula_is_judged(command):
    command("test", "--config", "rectifiers/variance", "--row", "standard deviations", "--run", "std")
    assert set(result("std")["verdicts"].values()) == {"reproduced"}
    assert len(result("std")["verdicts"]) == 4
    assert "analysis/std/512      0.021 (tolerance 0.0005)  0.02083    reproduced" in command.out


@pytest.mark.parametrize(
    ("analysis", "told"),
    [
        ("responses.Responses", "row 'he': SignalPropagation has no network that an analysis could look at"),
        ("curves.Curves", "analysis Curves: 'he' has logged no train/error; name rows that train by `members`"),
    ],
)
def test_an_analysis_that_does_not_fit_its_row_is_told(command, analysis, told):
    command("recipes", "cp", "rectifiers/variance", "mine.yaml")
    text = Path("mine.yaml").read_text()
    where = "      default: true\n"
    assert text.count(where) == 1
    Path("mine.yaml").write_text(text.replace(where, f"{where}      analysis: lit_vision.analyses.{analysis}\n"))
    assert command.error("test", "--config", "mine.yaml", "--run", "x") == f"error: {told}"
    assert not Path("x").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--row", "ten crop"), "row 'ten crop' tests the weights of 'digits': name a run of it by --run RUN,"),
        (
            ("--row", "ten crop", "--run", "none"),
            "--run none: there is no run; lit-vision fit --config quickstart/digits",
        ),
        (
            ("--row", "mean of three"),
            "there is no finished run of quickstart/digits, row 'digits' with seed 1, below runs",
        ),
        (
            ("--row", "mean of three", "--members", "a"),
            "--members names 1 run(s), but row 'mean of three' has 3 members",
        ),
        (("--row", "ten crop", "--members", "a"), "--members is for rows with members, and row 'ten crop' has none"),
    ],
)
def test_what_is_missing_is_told(command, arguments, told):
    assert told in command.error("test", *RECIPE, *arguments)


def test_other_runs_are_refused(command, seeds):
    named = ("--members", *(seeds / f"2026-{seed}" for seed in (1, 3, 2)))
    told = command.error("test", *RECIPE, "--row", "mean of three", *named)
    assert "has the seed 3, but the member is that of seed 2" in told
    run = seeds / "2026-1"
    content = result(run) | {"row": "other"}
    (run / "result.json").write_text(json.dumps(content))
    told = command.error("test", *RECIPE, "--row", "ten crop", "--run", run)
    assert "is a run of quickstart/digits, row 'other', but the weights asked for are those of" in told
    (run / "result.json").unlink()
    assert "is not finished; continue it" in command.error("test", *RECIPE, "--row", "ten crop", "--run", run)


def test_the_machine_of_the_test_need_not_be_the_training_s(command, seeds):
    """Options of the hardware reach the test of weights that were there; what was trained stays as it was."""
    options = ("--seed_everything", 3, "--data.max_per_device", 32)
    command("fit", *RECIPE, *SHORT, "--row", "mean of three", *options, "--run", "joint")
    assert "trained already: runs/quickstart/digits/digits/2026-1" in command.err
    found = yaml.safe_load(Path("joint/config.yaml").read_text())
    assert found["data"]["init_args"]["max_per_device"] == 32
    assert found["model"]["init_args"]["network"]["init_args"]["backbone"]["class_path"].endswith("resnet20")
    assert [member["seed"] for member in result("joint")["members"]] == [1, 2, 3]
    assert result("joint")["changed"] == {"trainer.max_steps": 8}


def test_typos_of_an_analysis_are_reported(command, seeds):
    command("recipes", "cp", "quickstart/digits", "mine.yaml")
    Path("mine.yaml").write_text(Path("mine.yaml").read_text().replace("{images: 299}", "{image: 299}"))
    told = command.error("test", "--config", "mine.yaml", "--row", "responses", "--run", seeds / "2026-1")
    assert "unknown key card.rows.responses.analysis.image; Responses takes no 'image'" in told


def test_a_protocol_of_another_task_is_refused(command):
    told = command.error("fit", *RECIPE, *SHORT, "--protocol", "lit_vision.protocols.flip.Flip")
    assert told == "error: protocol Flip is not for the task Classification: it is no ClassProtocol"


def test_prediction_looks_as_the_checkpoint_says(command):
    size = ("--protocol.class_path", "lit_vision.protocols.crops.TenCrop", "--protocol.size", "7")
    command("fit", *RECIPE, *SHORT, *size, "--run", "mine")
    predictor = inference.load("mine/checkpoints/last.ckpt")
    data = Digits()
    data.setup()
    image = data.splits["test"].images[:1]
    (found,) = predictor.predict([image[0]], top=10)
    scores = TenCrop(7).score(predictor.net, image, torch.tensor([[8, 8]])).softmax(1)[0]
    assert found.scores == pytest.approx(sorted(scores.tolist(), reverse=True))
    assert result("mine")["changed"] == {
        **{"trainer.max_steps": 8, "protocol.class_path": "lit_vision.protocols.crops.TenCrop", "protocol.size": 7}
    }
