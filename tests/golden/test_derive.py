"""Marks come from files, and none from what merely looks like its condition."""

import runpy
from pathlib import Path

import pytest

from lit_vision.experiment import card as cards
from lit_vision.experiment import marks as row_marks
from lit_vision.experiment import recipes

DERIVE = runpy.run_path(str(Path(__file__).parent / "derive.py"))
NETWORKS = DERIVE["parity"]()


def public(recipe, row):
    return DERIVE["public_network"](recipes.resolve([recipe], row).config, NETWORKS)


@pytest.mark.parametrize(
    ("recipe", "row", "expected"),
    [
        ("verify/imagenet", "resnet-50", "resnet50"),
        ("resnet/imagenet", "resnet-34 B", "resnet34"),
        ("resnet/imagenet", "resnet-34 A", None),  # another shortcut
        ("resnet/imagenet", "resnet-50", None),  # the stride in the 1x1
        ("resnet/imagenet", "plain-18", None),
        ("resnet/cifar10", "resnet-20", None),
        ("rectifiers/variance", "he", None),  # no classifier at all
    ],
)
def test_a_network_is_public_only_with_all_its_options(recipe, row, expected):
    assert public(recipe, row) == expected


def entry(row, error, changed=None, seed=1):
    figures = {"test/error": error, "train/error": error}
    return {"recipe": "resnet/cifar10", "row": row, "seed": seed, "changed": changed or {}, "figures": figures}


def test_a_claim_is_decided_by_runs_that_changed_the_same():
    short, shorter = {"trainer.max_steps": 1500}, {"trainer.max_steps": 10}
    assert DERIVE["decided"]([entry("plain-20", 30.0, short), entry("plain-56", 40.0, shorter)]) == {}
    found = DERIVE["decided"]([entry("plain-20", 30.0, short), entry("plain-56", 40.0, short)])
    told = dict.fromkeys(("plain-56-trains-worse", "plain-56-tests-worse"), "holds (1 seed, stand-in)")
    assert found == {("resnet/cifar10", "plain-20"): told, ("resnet/cifar10", "plain-56"): told}


def test_a_claim_that_does_not_hold_is_decided_too():
    found = DERIVE["decided"]([entry("plain-20", 50.0), entry("plain-56", 40.0)])
    assert set(found["resnet/cifar10", "plain-20"].values()) == {"does not hold (1 seed)"}


def card(sets):
    rows = {name: {"value": 1, "set": keys} if keys else {"value": 1, "default": True} for name, keys in sets.items()}
    return cards.parse({"rows": rows}, "f.yaml")


def test_rows_that_differ_never_share_a_pin_unless_that_is_said():
    steps = DERIVE["steps"]
    warm = card({"plain": {}, "warm": {"model.schedule.warmup": 5}})
    pins = {"r": {"plain": 2.5, "warm": 2.5}}
    assert steps(pins, "r", warm, "plain") == {"loss": 2.5}
    assert steps(pins, "r", warm, "warm") is None
    assert steps({"r": {"plain": 2.5, "warm": 2.6}}, "r", warm, "warm") == {"loss": 2.6}
    scaled = card({"plain": {}, "400": {"data.pipeline.test": 400}})
    assert steps({"r": {"plain": 1.7, "400": 1.7}}, "r", scaled, "400") == {
        "loss": 1.7,
        "as": "plain",
        "because": "every scale is cut to the twin's 64 pixels",
    }
    tested = card({"val": {}, "test-dev": {"data.test": "test-dev2017"}})
    because = steps({"r": {"val": 3.5, "test-dev": 3.5}}, "r", tested, "test-dev")["because"]
    assert because == "the tested images are met after the pinned loss"


ROW = {"counts": {"parameters": 10}, "full": [8.7]}


def dated(derived, before=None, today="2026-12-01"):
    return DERIVE["dated"]({"r": {"a": derived}}, before or {}, today, f"code of {today}")


def test_a_mark_keeps_its_date_while_it_stands_on_the_same():
    first = dated(ROW, today="2026-11-01")
    assert first["r"]["a"]["full"] == {
        "basis": [8.7],
        "pins": {"counts": {"parameters": 10}},
        "date": "2026-11-01",
        "code": "code of 2026-11-01",
    }
    assert dated(ROW, first) == first
    again = dated(ROW | {"full": [8.8]}, first)["r"]["a"]
    assert (again["full"]["date"], again["counts"]["date"]) == ("2026-12-01", "2026-11-01")


def test_results_expire_when_what_the_code_builds_has_changed():
    first = dated(ROW, today="2026-11-01")
    changed = ROW | {"counts": {"parameters": 11}}
    later = dated(changed, first)
    assert later["r"]["a"]["counts"]["date"] == "2026-12-01"
    assert later["r"]["a"]["full"]["expired"] == "2026-12-01"
    assert row_marks.of(later, "r", "a") == ["counts"]
    assert dated(changed, later, "2026-12-02")["r"]["a"]["full"]["expired"] == "2026-12-01"
    assert row_marks.of(dated(changed | {"full": [8.8]}, later), "r", "a") == ["counts", "full"]


def test_a_claim_is_shown_with_its_verdict():
    shown = [
        row_marks.of({"r": {"a": {"claim": {"basis": basis}}}}, "r", "a")
        for basis in ({"x": "holds (1 seed)"}, {"x": "does not hold"}, {"x": "holds", "y": "undecided"})
    ]
    assert shown == [["claim (holds)"], ["claim (does not hold)"], ["claim (1 of 2 hold)"]]


def test_a_trial_is_shown_with_its_number_and_verdict():
    basis = {"C01": "holds", "C02": "undecided"}
    shown = row_marks.of({"r": {"a": {"trial": {"basis": basis}, "steps": {"basis": {}}}}}, "r", "a")
    assert shown == ["claim C01 (holds)", "claim C02 (undecided)", "steps"]
    expired = {"r": {"a": {"trial": {"basis": basis, "expired": "2026-01-01"}}}}
    assert row_marks.of(expired, "r", "a") == []


def test_claims_that_have_runs_mark_the_rows_of_their_arms():
    trials = DERIVE["tried"]()
    assert trials["quickstart/digits", "digits"]["C00"] == "holds"
    assert trials["rectifiers/variance", "he"] == {"C04": "equivalent"}
    assert not any("not run" in verdicts.values() for verdicts in trials.values())


def test_a_test_of_public_weights_counts_within_the_tolerance():
    row = cards.Row(metric="test/error", value=23.87, tolerance=0.05)
    met = {"steps": 0, "figures": {"test/error": 23.9}}
    assert DERIVE["of_results"](row, [met], None) == {"scored": [23.9]}
    assert DERIVE["of_results"](row, [{"steps": 0, "figures": {"test/error": 24.0}}], None) == {}
    assert DERIVE["of_results"](row, [met | {"steps": 9}], {"x": "holds"}) == {"claim": {"x": "holds"}, "full": [23.9]}


def test_the_page_explains_every_mark_that_is_given():
    page = (Path(__file__).parents[2] / "docs" / "evidence.md").read_text()
    given = {name for rows in row_marks.evidence().values() for marks in rows.values() for name in marks}
    assert {name for name in given if f"| `{name}` |" not in page} == set()
    assert all(reason in page for reason in DERIVE["CANNOT_SHOW"].values())


def test_results_are_the_lines_with_a_recipe(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"recipe": "r", "row": "x"}\n{"what": "benchmark"}\n')
    (tmp_path / "b.jsonl").write_text('{"trainer": "plain PyTorch"}\n')
    assert DERIVE["results"](tmp_path) == [{"recipe": "r", "row": "x"}]
