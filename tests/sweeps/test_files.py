"""The sweep files: W&B's schema accepts them, its agent's macros give command lines that this program understands."""

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from lit_vision.experiment import recipes, yamlio
from lit_vision.sweeps import command, definition, points
from tests.recipes import test_detection_twins, test_protocol_rows, test_twins
from tests.sweeps import fake_agent

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
    "retinanet_depth": TINY_DETECTION,
    "retinanet_table1e": TINY_DETECTION,
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
