"""Figures of classes in the ledger."""

import json

from lit_vision.report import collect, markdown
from lit_vision.report.ledger import class_tables, export, paper_tables
from lit_vision.report.ledger.ledger import build
from tests.report.factory import write

CARD = {
    "title": "two classes",
    "rows": {
        "ran": {"where": "Table 6", "metric": "test/map", "value": 50.0, "by_class": [40.0, 60.5], "default": True},
        "waits": {"where": "Table 6", "metric": "test/map", "value": 55.0, "by_class": [50.0, 60.0], "set": {"a": 1}},
    },
}


def run(folder, seed, cat, dog, row="ran", **other):
    figures = {"test/map": 50.0, "test/map/cat": cat, "test/map/dog": dog, "test/ap/cat": 1.0}
    write(folder, recipe="own.yaml", row=row, seed=seed, figures=figures, card=CARD, **other)


def lines(text):
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]


def test_ours_stand_below_the_paper_s_with_the_data_s_names(tmp_path):
    run(tmp_path / "a", 1, 39.0, 61.0)
    run(tmp_path / "b", 2, 42.0, None)
    found = lines(markdown.render(paper_tables.document(build(collect.find([tmp_path])))))
    at = found.index(["row", "figures", "cat", "dog"])
    assert found[at + 2 : at + 4] == [["ran", "expected", "40", "60.5"], ["", "ours", "40.50", "61.00"]]


def test_they_are_in_json(tmp_path):
    run(tmp_path / "a", 1, 39.0, None)
    content = json.loads(export.as_json(build(collect.find([tmp_path]))))
    (entry,) = [entry for table in content["tables"] for entry in table["entries"] if entry["recipe"] == "own.yaml"]
    assert entry["by_class"] == [
        {"class": "cat", "expected": 40.0, "mean": 39.0},
        {"class": "dog", "expected": 60.5, "mean": None},
    ]
    others = [entry for table in content["tables"] for entry in table["entries"] if entry["row"] == "resnet-20"]
    assert all(entry["by_class"] == [] for entry in others)


def test_a_row_whose_runs_know_other_classes_is_not_mixed_up(tmp_path):
    write(tmp_path / "a", recipe="own.yaml", row="ran", figures={"test/map": 1.0, "test/map/cat": 2.0}, card=CARD)
    ledger = build(collect.find([tmp_path]))
    (entry,) = [entry for entry in ledger.entries if entry.recipe == "own.yaml"]
    assert class_tables.of(entry) == [("class 1", 40.0, None), ("class 2", 60.5, None)]
