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
TABLES_2_3 = {
    **{"plain-18": 27.94, "plain-34": 28.54, "resnet-18": 27.88, "resnet-34 A": 25.03, "resnet-34 B": 24.52},
    **{"resnet-34 C": 24.19, "resnet-50": 22.85, "resnet-101": 21.75, "resnet-152": 21.43},
}
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
    [("resnet/cifar10", TABLE_6), ("resnet/imagenet", TABLES_2_3), ("verify/imagenet", TORCHVISION)],
)
def test_values_are_the_papers(recipe, expected):
    rows = recipes.read_card(recipe).rows
    assert {name: row.value for name, row in rows.items() if row.value is not None and name != "resnet-110"} == expected


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
