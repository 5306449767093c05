"""Evidence comes from files, and no level from what merely looks like its condition."""

import runpy
from pathlib import Path

import pytest

from lit_vision.experiment import recipes

DERIVE = runpy.run_path(str(Path(__file__).parent / "derive.py"))
NETWORKS = DERIVE["parity"]()


def public(recipe, row):
    return DERIVE["equals_a_public_network"](recipes.resolve([recipe], row).config, NETWORKS)


def test_the_networks_of_the_parity_test_are_spelt_out():
    assert list(NETWORKS) == ["resnet18", "resnet34", "resnet50", "resnet101", "resnet152"]
    assert NETWORKS["resnet50"] == {"shortcut": "B", "stride_on": "3x3", "pool": "pad", "pad": "end", "norm": "bn"}
    assert NETWORKS["resnet34"] == {"shortcut": "B", "pool": "pad", "pad": "end", "norm": "bn"}


@pytest.mark.parametrize(
    ("recipe", "row", "expected"),
    [
        ("verify/imagenet", "resnet-50", True),
        ("resnet/imagenet", "resnet-34 B", True),
        ("resnet/imagenet", "resnet-34 A", False),  # another shortcut
        ("resnet/imagenet", "resnet-50", False),  # the stride in the 1x1
        ("resnet/imagenet", "plain-18", False),
        ("resnet/cifar10", "resnet-20", False),
        ("rectifiers/variance", "he", False),  # no classifier at all
    ],
)
def test_a_network_is_public_only_with_all_its_options(recipe, row, expected):
    assert public(recipe, row) is expected


def entry(row, error, changed=None, seed=1):
    figures = {"test/error": error, "train/error": error}
    return {"recipe": "resnet/cifar10", "row": row, "seed": seed, "changed": changed or {}, "figures": figures}


def test_a_claim_is_decided_by_runs_that_changed_the_same():
    short, shorter = {"trainer.max_steps": 1500}, {"trainer.max_steps": 10}
    assert DERIVE["decided"]([entry("plain-20", 30.0, short), entry("plain-56", 40.0, shorter)]) == set()
    found = DERIVE["decided"]([entry("plain-20", 30.0, short), entry("plain-56", 40.0, short)])
    assert found == {("resnet/cifar10", "plain-20"), ("resnet/cifar10", "plain-56")}


def test_a_claim_that_does_not_hold_is_decided_too():
    assert len(DERIVE["decided"]([entry("plain-20", 50.0), entry("plain-56", 40.0)])) == 2


def test_results_are_the_lines_with_a_recipe(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"recipe": "r", "row": "x"}\n{"what": "benchmark"}\n')
    (tmp_path / "b.jsonl").write_text('{"trainer": "plain PyTorch"}\n')
    assert DERIVE["results"](tmp_path) == [{"recipe": "r", "row": "x"}]
