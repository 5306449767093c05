"""A wrongly typed field of one run's files costs that run and no other: every field, six wrong values, three pages."""

import copy
import json
import re
from pathlib import Path

import pytest
import yaml

from lit_vision import cli
from lit_vision.report import collect, html
from lit_vision.report.comparison import comparison_json, comparison_page
from lit_vision.report.comparison.compare import compare, read
from lit_vision.report.dashboard.site import Site
from lit_vision.report.ledger import export, ledger, paper_tables
from tests.cli.conftest import TINY
from tests.report import dashboard_runs as made

WRONG = (None, "x", [], {}, -1, float("inf"))
FILES = ("result.json", "run.json", "config.yaml", "metrics.jsonl", "diagnosis.json", "per_image.jsonl")


def answers(detection):
    if detection:
        return [
            {"image": n, "name": "n", "objects": 2, "found": 1, "right": 1, "wrong": 0, "missed": 1, "f1": 0.5}
            for n in (0, 1)
        ]
    return [{"image": n, "name": "n", "truth": n, "predicted": 1, "score": 0.5, "truth_score": 0.1} for n in (0, 1)]


def fill(folder, detection):
    """Adds what a real run's files hold and the invented ones lack."""
    state = json.loads((folder / "run.json").read_text())
    sweep = {"name": "s", "trial": 1, "parameters": {"model.lr": 0.1}, "metric": "val/error", "goal": "minimize"}
    (folder / "run.json").write_text(
        json.dumps(state | {"digest": "d", "url": "https://w", "time": 1.0, "sweep": sweep})
    )
    told = json.loads((folder / "result.json").read_text())
    more = {"relations": {"depth": "holds"}, "also": {"test/loss": 1.0}, "claim": "c", "changed": {"model.lr": 0.1}}
    (folder / "result.json").write_text(json.dumps(told | more | {"sweep": sweep}))
    config = yaml.safe_load((folder / "config.yaml").read_text())
    more = {"trainer": {"max_steps": 400}, "origin": {"recipe": "r", "row": "r", "changed": ["model.lr"], "code": "c"}}
    (folder / "config.yaml").write_text(json.dumps(config | more | {"model": {"lr": 0.1}}))
    lines = (folder / "metrics.jsonl").read_text().splitlines()[:6]
    (folder / "metrics.jsonl").write_text("".join(line + "\n" for line in [*lines, '{"resumed_at": 120, "time": 1.0}']))
    (folder / "per_image.jsonl").write_text("".join(json.dumps(line) + "\n" for line in answers(detection)))


def trained(root):
    """The folder of a run that `lit-vision fit` left."""
    assert cli.main(["fit", *TINY, "--run", str(root)]) == 0
    return root


@pytest.fixture(scope="module", params=["classifier", "detector", pytest.param("trained", marks=pytest.mark.slow)])
def runs(request, tmp_path_factory):
    """A run to spoil beside a good one, which the spoilt one is compared with."""
    root = tmp_path_factory.mktemp(request.param)
    if request.param == "trained":
        folder = trained(root / "made")
    else:
        folder = getattr(made, request.param)(root / "made")
        fill(folder, request.param == "detector")
    for name in ("good", "bad"):
        (root / "runs" / name).mkdir(parents=True)
        for file in FILES:
            (root / "runs" / name / file).write_bytes((folder / file).read_bytes())
    return root / "runs"


def contents(file):
    """What a file holds: a value for each line of lines, else one."""
    text = file.read_text()
    return [json.loads(line) for line in text.splitlines()] if file.suffix == ".jsonl" else yaml.safe_load(text)


def put(file, content):
    lines = content if file.suffix == ".jsonl" else [content]
    # JSON is YAML but for the spelling of infinity.
    text = "\n".join(
        json.dumps(line).replace("Infinity", ".inf" if file.suffix == ".yaml" else "1e400") for line in lines
    )
    file.write_text(text + "\n")


def places(content, above=()):
    """Paths to every part; of a long list, the first two and the last."""
    yield above
    items = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, value in items:
        if isinstance(key, str) or key < 2 or key == len(content) - 1:
            yield from places(value, (*above, key))


def changed(content, place, value):
    if not place:
        return value
    found = copy.deepcopy(content)
    inner = found
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    return found


def all_pages(root):
    """Everything that report, dashboard and compare make of the runs; gives what was left out."""
    told = []
    found = collect.find([root], told.append)
    book = ledger.build(found)
    export.as_json(book), export.as_csv(book)
    html.render(paper_tables.document(book), root)
    site = Site([root], root.parent / "pages")
    site.write()
    assert (site.out / "good" / "index.html").is_file()
    assert site.left_out == told
    if not told:
        sides = compare(*read(root / "good", root / "bad"))
        comparison_page.document(sides, Path("a"), Path("b"))
        comparison_json.render(sides)
    return told


@pytest.mark.parametrize("every", [7, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", FILES)
def test_every_field(runs, name, every):
    """One of seven probes each time, all of them in the slow run."""
    file, tried, skipped = runs / "bad" / name, 0, 0
    content, before = contents(file), file.read_bytes()
    assert all_pages(runs) == []
    probes = [(place, value) for place in places(content) if place or file.suffix != ".jsonl" for value in WRONG]
    try:
        for place, value in probes[::every]:
            put(file, changed(content, place, value))
            told = []
            found = collect.find([runs], told.append)
            assert runs / "good" in [run.path for run in found]
            assert all(re.fullmatch(rf"left out: {re.escape(str(file))}\b.*", text) for text in told)
            tried, skipped = tried + 1, skipped + len(told)
            if not told or skipped == 1:
                assert all_pages(runs) == told
    finally:
        file.write_bytes(before)
    assert tried == len(probes[::every]) > 4
    assert skipped > tried // 5 or name == "per_image.jsonl", "that is read where two runs are compared"


@pytest.mark.parametrize(
    ("name", "place", "value", "told"),
    [
        ("result.json", ("figures",), [], "result.json: figures should be a mapping, got []"),
        ("result.json", ("steps",), "x", "result.json: steps should be a whole number from 0 on, got 'x'"),
        ("run.json", ("sweep", "parameters"), -1, "run.json: sweep.parameters should be a mapping, got -1"),
        ("config.yaml", ("trainer",), [], "config.yaml: trainer should be a mapping, got []"),
        (
            "metrics.jsonl",
            (2, "train/loss"),
            "x",
            "metrics.jsonl, line 3: train/loss should be a number or null, got 'x'",
        ),
        (
            "diagnosis.json",
            ("class_names", 0),
            {},
            "diagnosis.json: class_names[0] should be text or a whole number, got {}",
        ),
    ],
)
def test_file_and_field_are_named(runs, name, place, value, told):
    file = runs / "bad" / name
    before = file.read_bytes()
    put(file, changed(contents(file), place, value))
    said = []
    collect.find([runs], said.append)
    file.write_bytes(before)
    assert said == [f"left out: {file.parent}/{told}; restore it, or move its run elsewhere"]
