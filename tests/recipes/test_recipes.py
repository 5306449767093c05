"""Every recipe and row: parses, builds with the pinned number of parameters, states the paper's figures."""

import json
import runpy
from pathlib import Path

import pytest

from lit_vision.experiment import compose, recipes, relations, yamlio
from lit_vision.session import describe
from tests.cli.conftest import Command

ROOT = Path(__file__).parents[2]
ROWS = json.loads((ROOT / "tests" / "golden" / "rows.json").read_text())
ALL = [(recipe, row) for recipe, _, row, _ in recipes.every_row()]
DERIVE = "python tests/golden/derive.py"

# The papers' numbers, typed a second time from the fact sheets.
TABLE_6 = {"resnet-20": 8.75, "resnet-32": 7.51, "resnet-44": 7.17, "resnet-56": 6.97, "resnet-1202": 7.93}
# A centre crop is not judged by Tables 2 and 3, which are 10-crop: the authors' README has 1-crop values of three nets.
ONE_CROP = {"resnet-50": 24.7, "resnet-101": 23.6, "resnet-152": 23.0}
ONE_CROP_TOP_5 = {"resnet-50": 7.8, "resnet-101": 7.1, "resnet-152": 6.7}
PUBLIC_CIFAR = {"resnet-20": 8.27, "resnet-32": 7.37, "resnet-44": 6.90, "resnet-56": 6.61, "resnet-110": 6.32}
TORCHVISION = {"resnet-18": 30.24, "resnet-34": 26.69, "resnet-50": 23.87, "resnet-101": 22.63, "resnet-152": 21.69}


def derive():
    """The names of the script that derives the pinned numbers."""
    return runpy.run_path(str(ROOT / "tests" / "golden" / "derive.py"))


@pytest.mark.parametrize(("recipe", "row"), ALL, ids=lambda value: value)
def test_builds_with_the_pinned_parameters(recipe, row):
    options = derive()["OWN_DATA"].get(recipe, ())
    facts = describe.facts(recipes.resolve([recipe], row, options))
    assert int(facts["parameters"].replace(",", "")) == ROWS[recipe][row], f"regenerate by {DERIVE} rows"


def test_evidence_is_as_derived():
    derived = derive()["evidence"]()
    assert derived == recipes.evidence(), f"regenerate by {DERIVE} evidence"


@pytest.mark.parametrize(
    ("recipe", "expected"),
    [
        ("resnet/cifar10", TABLE_6 | {"resnet-110": 6.61}),
        ("resnet/imagenet", ONE_CROP),
        ("verify/imagenet", TORCHVISION),
        ("verify/cifar10", PUBLIC_CIFAR),
    ],
)
def test_values_are_the_papers_or_the_named_source_s(recipe, expected):
    rows = {name: row for name, row in recipes.read_card(recipe).rows.items() if row.value is not None}
    assert {name: row.value for name, row in rows.items()} == expected
    assert {row.source == "paper" for row in rows.values()} == {recipe == "resnet/cifar10"}


def test_centre_crops_have_the_authors_one_crop_values():
    rows = recipes.read_card("resnet/imagenet").rows
    assert {name: row.also["test/error5"] for name, row in rows.items() if row.also} == ONE_CROP_TOP_5
    assert {rows[name].source for name in ONE_CROP} == {"KaimingHe/deep-residual-networks, README"}
    others = [row for name, row in rows.items() if name not in ONE_CROP]
    assert len(others) == 6
    assert all("by 10-crop" in row.claim and row.value is None for row in others)


def test_what_a_card_calls_the_paper_s_stands_in_a_table():
    """A value with the source `paper` names its table; whatever is derived, bounded or released says so."""
    for recipe, _, name, row in recipes.every_row():
        if row.value is not None and row.source == "paper":
            assert "Table" in row.where, (recipe, name)


def test_the_list_says_whose_value_it_is(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    command = Command(capsys)
    head, *lines = command("recipes", "ls").splitlines()
    value, whose = head.index("value "), head.index("whose value")
    found = {(line.split("  ")[0], line[head.index("row") :].split("  ")[0]): line for line in lines}
    seen = {key: (line[value:].split("  ")[0].strip(), line[whose:]) for key, line in found.items()}
    assert seen["resnet/cifar10", "resnet-20"] == ("8.75 ± 0.5", "paper")
    assert seen["resnet/imagenet", "resnet-50"] == ("24.7 ± 0.5", "KaimingHe/deep-residual-networks, README")
    assert seen["rectifiers/variance", "xavier"][1].startswith("derived from Equations 9 and 13")
    assert seen["resnet/imagenet", "plain-18"] == ("-", "-")
    entries = {(entry["recipe"], entry["row"]): entry for entry in json.loads(command("recipes", "ls", "--json"))}
    assert entries["resnet/cifar10", "resnet-20"]["source"] == "paper"
    assert entries["resnet/imagenet", "plain-18"]["source"] is None


def printed_value(card, ref):
    """The paper's figure of a row, of this recipe or another."""
    card = recipes.read_card(ref.recipe) if ref.recipe else card
    row = card.rows[ref.row]
    return row.also.get(ref.metric) if ref.metric and ref.metric != card.metric else row.value


def test_the_papers_own_figures_satisfy_the_relations_between_printed_rows():
    for recipe in recipes.names():
        card = recipes.read_card(recipe)
        for relation in card.relations:
            printed = relations.holds(relation.expr, lambda ref, card=card: printed_value(card, ref))
            assert printed in (True, None), relation.id


def test_resnet_110_warms_up_as_the_paper_says(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    shown = Command(capsys)("recipes", "show", "resnet/cifar10", "--row", "resnet-110")
    assert "# parameters: 1,727,962" in shown
    assert "# multiply-adds: 252,887,680 per image of 32 x 32" in shown
    assert "# schedule: 64,000 iterations of 128 images, 164.1 epochs of 390" in shown
    assert "# images seen: 8,192,000" in shown
    assert "class_path: lit_vision.tasks.optim.ErrorWarmup" in shown


def test_overlays_touch_hardware_only():
    allowed = ("trainer.", "data.num_workers", "data.max_per_device", "model.channels_last", "model.compile")
    for file in (recipes.folder() / "overlays").glob("*.yaml"):
        keys = compose.flatten(yamlio.load(file))
        assert all(key.startswith(allowed) for key in keys), file
        assert recipes.resolve(["resnet/cifar10", str(file)], "resnet-20").changed == []


def test_rows_are_few_keys():
    for recipe, row in ALL:
        assert len(recipes.read_card(recipe).rows[row].set) <= 5


def test_cp_gives_a_file_that_runs_as_the_recipe(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    command = Command(capsys)
    command("recipes", "cp", "resnet/cifar10", "mine.yaml")
    assert recipes.resolve(["mine.yaml"], "resnet-56").config == recipes.resolve(["resnet/cifar10"], "resnet-56").config
    assert "mine.yaml exists already" in command.error("recipes", "cp", "resnet/cifar10", "mine.yaml")
