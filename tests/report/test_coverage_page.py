"""The page of what the papers print, and the commands that show it."""

import json
import re

import pytest

from lit_vision.experiment import exhibits, recipes
from lit_vision.report import coverage_page, markdown
from tests.cli.conftest import Command
from tests.experiment.test_coverage import LISTED, RECIPE


@pytest.fixture
def lines(tmp_path, monkeypatch):
    """The page of a list and a recipe made by hand, each line without its padding."""
    (tmp_path / "small").mkdir()
    (tmp_path / "small" / "nets.yaml").write_text(RECIPE)
    (tmp_path / exhibits.FILE).write_text(LISTED)
    mark = {"basis": "a test"}
    of_a = {"quoted": mark, "steps": mark | {"expired": "today"}, "counts": mark}
    marks = {"small/nets": {"a": of_a, "c": {"quoted": mark}}}
    (tmp_path / "evidence.json").write_text(json.dumps(marks))
    monkeypatch.setattr(recipes, "folder", lambda: tmp_path)
    exhibits.papers.cache_clear()
    text = markdown.render(coverage_page.document(["1512.03385"]), tmp_path)
    yield re.sub(" +", " ", text).splitlines()
    exhibits.papers.cache_clear()


@pytest.mark.parametrize(
    "line",
    [
        "| A Paper | 6 | 4 | 2 | 1 | 1 | 2 |",
        "| It is deep | Table 1; Figure 1 | small/nets: relation left-falls, relation a-beats-c, a, b, analysis e; "
        "1 of 6 lines have no row yet |",
        "| It won | - | quoted: a place |",
        "## A Paper (1512.03385)",
        "| Table 1: errors | ours | own | small/nets: a | quoted, counts | S |",
        "| | deeper | own | small/nets: b | | |",
        "| | theirs | theirs | small/nets: quoted row c | quoted | |",
        "| | wider | own | quoted: no network is given | | |",
        "| | others, twice | theirs | no row yet | | |",
        "| Figure 1: curves | left | - | small/nets: a, relation left-falls, analysis e | quoted, counts | |",
        "| Figure 3: curves | all | - | no row yet | | |",
    ],
)
def test_the_page_says_what_stands_for_each_line(lines, line):
    assert line in lines


def test_the_command_prints_the_page_of_a_paper(capsys):
    command = Command(capsys)
    shown = command("recipes", "coverage", "--paper", "rectifiers")
    assert shown.startswith("# What the papers print, and what stands for it\n")
    assert "## Delving Deep into Rectifiers (1502.01852)" in shown
    assert "Deep Residual Learning" not in shown
    assert "--paper nothing: its exhibits are not listed" in command.error("recipes", "coverage", "--paper", "nothing")


def test_a_list_of_rows_ends_with_how_much_of_the_tables_there_is(capsys):
    command = Command(capsys)
    every = command("recipes", "ls").splitlines()
    assert re.fullmatch(r"\d+ of the 221 lines that these papers' tables print .* by the printed figure", every[-1])
    assert " of the 50 lines " in command("recipes", "ls", "--paper", "retinanet").splitlines()[-1]
    assert command("recipes", "ls", "--paper", "quickstart").splitlines()[-1].startswith("quickstart/")
    assert "of the 54 lines" not in command("recipes", "ls", "--json", "--paper", "resnet")


def test_a_row_of_a_line_that_no_paper_prints_is_not_shown(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    text = recipes.find("resnet/cifar10").read_text().replace("Table 6, ResNet-20", "Table 6, ResNet-2")
    (tmp_path / "mine.yaml").write_text(text)
    told = Command(capsys).error("recipes", "show", "mine.yaml")
    assert "mine.yaml: card.rows.resnet-20.where: Table 6 of Deep Residual Learning" in told
    assert "has no line 'ResNet-2'; did you mean" in told
