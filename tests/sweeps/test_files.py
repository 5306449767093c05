"""The sweep files: W&B's schema accepts them, its agent's macros give command lines that this program understands."""

import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml

from lit_vision.experiment import recipes, yamlio
from lit_vision.sweeps import command, definition, mark, points
from tests.cli.conftest import TINY, Command
from tests.recipes import test_detection_twins, test_protocol_rows, test_twins
from tests.sweeps import fake_agent
from tests.twins import cifar, coco, imagenet

FILES = sorted(definition.folder().glob("*.yaml"))
SCHEMA = json.loads((Path(__file__).parent / "wandb_schema.json").read_text())

# `format` is W&B's own: the schema tells whole numbers from others by it.
FORMATS = jsonschema.FormatChecker(())
FORMATS.checks("float")(lambda value: isinstance(value, float))
FORMATS.checks("integer")(lambda value: isinstance(value, int))

# Options that cut a sweep's trials down to the twin of their data. Public weights have no twin (`verify_…`), and
# `own_boxes` has a real data set of its own.
TINY_DETECTION = (*test_detection_twins.CUT, *test_detection_twins.UNFROZEN)
TESTED = (*test_protocol_rows.MEASURED, *test_protocol_rows.TEN_CROP)
HEAVY = {
    "cifar10_augmentation": test_twins.CUT,
    "cifar10_backbone": test_twins.CUT,
    "cifar10_optimizer": test_twins.CUT,
    "resnet_figure6": test_twins.CUT,
    "resnet_table6": test_twins.CUT,
    "resnet_tables2_3": (*test_twins.PHOTOS, *test_twins.CUT, *TESTED),
    "rectifiers_table1": (*test_twins.CUT, *test_twins.SMALL),
    "rectifiers_table2": (*test_twins.CUT, *test_twins.SMALL),
    "fpn_depth": TINY_DETECTION,
    "fpn_table1": TINY_DETECTION,
    "fpn_table6": TINY_DETECTION,
    "retinanet_depth": TINY_DETECTION,
    **{f"retinanet_table{number}": TINY_DETECTION for number in ("1a", "1b", "1c", "1d", "1e", "2", "3")},
    "retinanet_figure7": TINY_DETECTION,
    "overfit_coco": (*test_detection_twins.CUT, "--data.only", "[10000, 10001, 10002]"),
}


def content(file):
    return yaml.safe_load(file.read_text())


def two_points(file):
    """The first and the last point of a sweep; of `bayes`, two draws at random."""
    sweep = definition.load(file)
    if sweep.method == "bayes":
        sweep = definition.parse(sweep.content | {"method": "random"}, str(file))
    plan = points.enumerate_all(sweep)
    return [plan[0].values, plan[-1].values]


def arguments(file, values):
    """What W&B's agent would run for a point, from the verb on."""
    words = fake_agent.expand(content(file), values)
    assert words[:4] == ["/usr/bin/env", "python", "-m", "lit_vision"]
    return words[4:]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_wandb_s_schema_accepts_it(file):
    jsonschema.Draft7Validator(SCHEMA, format_checker=FORMATS).validate(content(file))
    assert content(file)["name"] == file.stem
    assert yamlio.load(file) == content(file)  # W&B's YAML reader takes 1e-4 for a text


@pytest.mark.parametrize(
    "wrong", [{"method": "gird"}, {"metric": {"goal": "minimize"}}, {"run_cap": 0}, {"paramters": {}}]
)
def test_the_schema_refuses_what_is_wrong(wrong):
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft7Validator(SCHEMA, format_checker=FORMATS).validate(content(FILES[0]) | wrong)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_file_says_how_to_run_it(file):
    head = file.read_text().partition("name:")[0]
    assert f"# lit-vision sweep run {file.stem} " in head.replace("\n", " ")
    assert f"# wandb sweep sweeps/{file.name}" in head


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_both_agents_give_two_points_the_same_command_which_resolves(file):
    sweep, seen = definition.load(file), set()
    for values in two_points(file):
        words = arguments(file, values)
        assert words == command.readable(command.expand(sweep, values))[1:]
        command.check(sweep, ["lit-vision", *words])
        seen.add(tuple(words))
    assert len(seen) == 2


def test_the_fake_agent_fills_in_every_macro():
    words = ["${env}", "${interpreter}", "${program}", "${args}", "${args_no_hyphens}", "${args_json}", "x"]
    got = fake_agent.expand({"program": "train.py", "command": words}, {"lr": 0.1, "flip": True})
    assert got == [
        *("/usr/bin/env", "python", "train.py", "--lr=0.1", "--flip=True"),
        *("lr=0.1", "flip=True", '{"lr": 0.1, "flip": true}', "x"),
    ]
    assert fake_agent.expand({"program": "train.py"}, {"lr": 1})[-2:] == ["train.py", "--lr=1"]


def trainings(recipe, row):
    """The rows whose training gives a row its weights: itself, the row it tests, or its members."""
    entry = recipes.read_card(recipe).rows[row]
    if entry.members:
        return {(member.recipe or recipe, member.row) for member in entry.members}
    if not entry.trains and not entry.weights_of:  # an analysis of the network as it is built
        return set()
    other, parent = entry.parent
    return {(other or recipe, parent or row)}


def test_every_table_of_a_paper_is_swept_whole():
    """A grid over `row` names rows of its recipe, and the training of no row with a paper's number is left out."""
    swept = set()
    for file in FILES:
        for values in [point.values for point in points.enumerate_all(definition.load(file)) if "row" in point.values]:
            words = arguments(file, values)
            recipe = values.get("config") or words[words.index("--config") + 1]
            swept |= trainings(recipe, values["row"])
    printed = [row for row in recipes.every_row() if row[-1].value is not None and not row[-1].quoted]
    needed = {training for recipe, _, row, _ in printed for training in trainings(recipe, row)}
    alone = {("quickstart/digits", "digits")}  # the only such row of its recipe
    assert needed - swept == alone


def test_two_points_of_the_quickstart_run_under_wandb_s_agent(capsys, monkeypatch, tmp_path):
    """With what W&B's agent puts in the environment: the run takes the id it was given, and knows its sweep."""
    file = definition.folder() / "digits.yaml"
    for number, values in enumerate(two_points(file)):
        folder, run_id = tmp_path / str(number), f"run{number}"
        folder.mkdir()
        monkeypatch.chdir(folder)
        for name, text in fake_agent.environment(run_id, "sweep7", folder, values).items():
            monkeypatch.setenv(name, text)
        monkeypatch.delenv("LIT_VISION_RUN", raising=False)
        Command(capsys)(*arguments(file, values), *TINY[2:])
        (state,) = folder.rglob("run.json")
        written, result = json.loads(state.read_text()), json.loads((state.parent / "result.json").read_text())
        assert written["wandb_id"] == run_id
        assert written["sweep"] == result["sweep"] == {"name": "sweep7", "trial": run_id, "parameters": values}
        assert result["changed"]["model.optimizer.lr"] == values["model.optimizer.lr"]


def test_the_command_line_that_wandb_s_agent_runs_exists():
    words = fake_agent.expand(content(definition.folder() / "digits.yaml"), {}, interpreter=sys.executable)
    done = subprocess.run([*words[:4], "--help"], check=True, capture_output=True, text=True)
    assert "lit-vision sweep run FILE" in done.stdout


def test_a_run_outside_of_a_sweep_says_nothing(monkeypatch):
    for name in ("LIT_VISION_SWEEP", "WANDB_SWEEP_ID"):
        monkeypatch.delenv(name, raising=False)
    assert mark.read() == {}


def test_wandb_s_own_keys_are_ignored(tmp_path, monkeypatch):
    for name, text in fake_agent.environment("r", "s", tmp_path, {"a.b": 1}).items():
        monkeypatch.setenv(name, text)
    assert mark.read() == {"sweep": {"name": "s", "trial": "r", "parameters": {"a.b": 1}}}
    known = recipes.resolve(["quickstart/digits"], None, [("_wandb", {}), ("wandb_version", 1)])
    assert known.config == recipes.resolve(["quickstart/digits"]).config


@pytest.mark.slow
@pytest.mark.parametrize("name", [*HEAVY, "rectifiers_table3", "rectifiers_variance"])
def test_two_points_run_on_the_twin_of_their_data(capsys, monkeypatch, tmp_path, name):
    monkeypatch.chdir(tmp_path)
    options = [*HEAVY.get(name, ()), *_data(name, monkeypatch, tmp_path)]
    file = definition.folder() / f"{name}.yaml"
    metric = definition.load(file).metric
    for number, values in enumerate(two_points(file)):
        monkeypatch.delenv("LIT_VISION_RUN", raising=False)
        words = [*arguments(file, values), *options]
        Command(capsys)(*words, "--run", f"run{number}")
        logged = [json.loads(line) for line in Path(f"run{number}/metrics.jsonl").read_text().splitlines()]
        assert any(line.get(metric) is not None for line in logged), f"{metric} is not logged"


def _data(name, monkeypatch, tmp_path):
    if name.startswith(("cifar10", "resnet_figure6", "resnet_table6")):
        return "--data.root", str(cifar.install(monkeypatch, tmp_path / "twin"))
    if name in ("resnet_tables2_3", "rectifiers_table1", "rectifiers_table2"):
        return "--data.root", str(imagenet.class_folders(tmp_path / "twin"))
    if name in ("rectifiers_table3", "rectifiers_variance"):
        return ()
    root = coco.write_2014(coco.write(tmp_path / "twin"))
    named = [{"id": number, "name": text} for number, text in coco.COCO_CATEGORIES]
    images = coco.content_of("test-dev2017", 2)["images"]
    coco.save(root / "annotations" / "image_info_test-dev2017.json", {"images": images, "categories": named})
    (root / "test2017").mkdir()
    for image, source in zip(images, sorted((root / "val2017").iterdir()), strict=False):
        (root / "test2017" / image["file_name"]).write_bytes(source.read_bytes())
    return "--data.root", str(root)
