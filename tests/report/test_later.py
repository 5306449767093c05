"""Later tests and analyses of a run: results in rows of their own, and no runs."""

import json

import pytest
from PIL import Image

from lit_vision.report import collect
from lit_vision.report.dashboard import run_page
from lit_vision.report.dashboard.site import Site
from lit_vision.report.ledger.ledger import build
from lit_vision.runs import results
from lit_vision.verbs import sync
from tests.report import factory


@pytest.fixture
def run(tmp_path):
    """A training of the digits with a ten-crop test and an analysis."""
    folder = factory.write(tmp_path / "runs/quickstart/digits/digits/a", recipe="quickstart/digits", row="digits")
    for kind, row, figures in (
        ("tests", "ten crop", {"test/error": 3.25}),
        ("analyses", "responses", {"analysis/median_std": 0.5}),
    ):
        later = folder / kind / row.replace(" ", "-")
        later.mkdir(parents=True)
        content = factory.result(recipe="quickstart/digits", row=row, figures=figures, expected=None, trained={})
        (later / "result.json").write_text(json.dumps(content))
    Image.new("RGB", (1200, 900), "white").save(folder / "analyses/responses/plot.png")
    return folder


def test_they_are_found_with_their_run_and_not_as_runs(run, tmp_path):
    (found,) = collect.find([tmp_path])
    assert found.path == run
    assert [(later.row, later.path.parent.name) for later in found.later] == [
        ("ten crop", "tests"),
        ("responses", "analyses"),
    ]
    (named,) = collect.find([run / "tests" / "ten-crop"])
    assert named.row == "ten crop"


def test_the_ledger_has_one_training_and_three_results(run, tmp_path):
    ledger = build(collect.find([tmp_path]))
    entries = {
        entry.row: entry for table in ledger.tables for entry in table.entries if entry.recipe == "quickstart/digits"
    }
    assert {row: entry.values for row, entry in entries.items() if entry.runs} == {
        **{"digits": {1: 8.75}, "ten crop": {1: 3.25}, "responses": {1: 0.5}}
    }
    assert ledger.unfinished == ()


def test_relations_know_them(run, tmp_path):
    found = results.of_recipe("quickstart/digits", tmp_path / "runs")
    assert sorted(result.row for result in found) == ["digits", "responses", "ten crop"]


def test_the_run_s_page_shows_them_with_the_plot(run, tmp_path):
    content = run_page.content(collect.read(run))
    assert [(line["row"], line["metric"], line["ours"]) for line in content["later"]] == [
        ("ten crop", "test/error", "3.25"),
        ("responses", "analysis/median_std", "0.50"),
    ]
    (plot,) = content["plots"]
    assert plot.caption == "responses"
    site = Site([tmp_path / "runs"], tmp_path / "out")
    page = site.write().parent / "quickstart/digits/digits/a/index.html"
    text = page.read_text()
    assert "Later tests and analyses of these weights" in text
    assert plot.uri in text
    before = site.scan()[0].stamp
    (run / "tests/ten-crop/result.json").write_text(json.dumps(factory.result(row="ten crop")))
    assert site.scan()[0].stamp != before


def test_a_run_without_any_has_no_such_section(tmp_path):
    run = collect.read(factory.write(tmp_path / "run"))
    assert (run_page.content(run)["later"], run_page.content(run)["plots"]) == ([], [])


def test_sync_sends_their_figures_under_their_rows(run):
    assert sync._later(collect.read(run)) == {"ten-crop/test/error": 3.25, "responses/analysis/median_std": 0.5}
