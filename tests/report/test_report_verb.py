"""`lit-vision report` as a user calls it."""

import json

import pytest

from lit_vision.cli import main
from tests.report.factory import write


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_runs_folder_is_read_when_nothing_is_named(here, capsys):
    write(here / "runs" / "resnet" / "cifar10" / "r")
    assert main(["report"]) == 0
    assert "reproduced" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "start"),
    [("r.html", "<!doctype html>"), ("r.csv", "paper,table,"), ("r.json", '{\n "version": 1'), ("r.md", "# Ledger")],
)
def test_the_suffix_names_the_format(here, capsys, name, start):
    write(here / "r")
    assert main(["report", "r", "--out", f"new/{name}"]) == 0
    assert capsys.readouterr().out == f"new/{name}\n"
    assert (here / "new" / name).read_text().startswith(start)
    assert [file.name for file in (here / "new").iterdir()] == [name]


def test_a_format_of_choice(here, capsys):
    write(here / "r")
    assert main(["report", "r", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["version"] == 1


def test_runs_named_twice_count_once(here, capsys):
    write(here / "r")
    assert main(["report", "r", ".", str(here), "--format", "json"]) == 0
    runs = [run for t in json.loads(capsys.readouterr().out)["tables"] for e in t["entries"] for run in e["runs"]]
    assert len(runs) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "no folder nowhere; name a run's folder, or one that holds runs"),
        (["empty"], "no runs at or below empty; a run's folder holds run.json, lit-vision fit makes one"),
        (["r", "--out", "x.pdf"], "--out x.pdf: its suffix names no format; add --format markdown|csv|json|html"),
        (["r", "--out", "x"], "--out x: its suffix names no format; add --format markdown|csv|json|html"),
        (["r", "--format", "csv", "--out", "empty"], "--out empty is a folder; name a file in it"),
        (["r", "--fromat", "csv"], "lit-vision report: unknown option --fromat; did you mean '--format'?"),
        (
            ["r", "--out", "r/run.json/x.md"],
            "cannot write --out r/run.json/x.md: r/run.json is no folder; name another file",
        ),
    ],
)
def test_bad_input(here, capsys, arguments, message):
    write(here / "r")
    (here / "empty").mkdir()
    assert main(["report", *arguments]) == 2
    assert capsys.readouterr().err == f"error: {message}\n"


@pytest.mark.parametrize("content", ["[1]", '{"recipe": ', "", "\0", "[" * 100_000])
def test_a_damaged_result_is_skipped_and_said(here, capsys, content):
    write(here / "good")
    (write(here / "bad") / "result.json").write_text(content)
    assert main(["report", "."]) == 0
    out, err = capsys.readouterr()
    assert "1 finished run(s)" in out
    assert err == "warning: left out: bad/result.json is damaged; restore it, or move its run elsewhere\n"
    assert main(["report", "bad"]) == 2
    assert capsys.readouterr().err.endswith(
        "no runs at or below bad; a run's folder holds run.json, lit-vision fit makes one\n"
    )
