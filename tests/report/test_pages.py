"""The report as Markdown, HTML, CSV and JSON; hostile names stay text."""

import csv
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from lit_vision import cli
from lit_vision.report import collect, html, markdown, numbers
from lit_vision.report.document import Document, Grid, Link, Section
from lit_vision.report.ledger import export, paper_tables
from lit_vision.report.ledger.ledger import build
from tests.report.factory import write

HOSTILE = "<script>alert(1)</script>|x\n# y `z` [a](b) &lt; \x1b[31m"


@pytest.fixture
def runs(tmp_path):
    """Two seeds at full scale, a stand-in, a run of a sweep, an unfinished one."""
    write(tmp_path / "a", seed=1, figures={"test/error": 8.6})
    write(tmp_path / "b", seed=2, figures={"test/error": 9.0})
    write(tmp_path / "c", row="resnet-32", changed={"trainer.max_steps": 100}, figures={"test/error": 60.0})
    sweep = {"name": "rates", "trial": 3, "parameters": {"model.optimizer.lr": 0.2}}
    write(tmp_path / "d", changed={"model.optimizer.lr": 0.2}, figures={"test/error": 11.0}, sweep=sweep)
    write(tmp_path / "e", row="resnet-44", finished=False, curve=[(120, {"train/loss": 1.0})])
    return tmp_path


def cells(text, first):
    """Cells of the first Markdown row that begins with this."""
    line = next(line for line in text.splitlines() if re.match(rf"\| +{re.escape(first)} ", line))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_markdown(runs):
    text = markdown.render(paper_tables.document(build(collect.find([runs]))))
    assert "4 finished run(s), 1 unfinished." in text
    assert "Rows: 1 reproduced, 2 stand-in." in text
    full, stand_ins = text.split("## Stand-ins")
    assert "### 1512.03385, Table 6" in full
    twenty = cells(full, "resnet-20")
    assert twenty[1:7] == ["test/error", "8.75", "8.80 ± 0.28", "2", "+0.05", "0.5"]
    assert twenty[7:] == ["reproduced", "quoted, counts, steps", "60 min × 1", "8,192,000"]
    assert cells(full, "resnet-1202")[1:8] == ["test/error", "7.93", "-", "-", "-", "0.5", "not run"]
    assert "60.00" not in full
    assert "8.80" not in stand_ins
    assert "### 1512.03385, Table 6, other trainer.max_steps" in stand_ins
    assert "Changed: trainer.max_steps 100." in stand_ins
    assert "difference" not in stand_ins
    assert "rates, trial 3" in stand_ins
    assert f"{runs}/a" in full
    assert "]" not in full  # in a terminal, paths are no links
    assert re.search(r"resnet-44 +\| +1 +\| +120 of 64,000", text)
    assert "left out; --all lists them" in text
    assert "Table 2" not in text


def test_every_row_on_request(runs):
    text = markdown.render(paper_tables.document(build(collect.find([runs])), every_row=True))
    assert "### 1512.03385, Table 2" in text
    assert "### 1708.02002, Table 1e" in text
    assert "--all" not in text


def test_links_are_relative_to_the_file(runs):
    text = markdown.render(paper_tables.document(build(collect.find([runs]))), beside=runs / "docs")
    assert f"[{runs}/a](<../a>)" in text


def test_a_grid_stays_a_grid_whatever_its_cells_hold():
    page = Document("t", (HOSTILE,), [Section("s", (), [Grid(["h", "i"], [[HOSTILE, Link(HOSTILE, f"p/{HOSTILE}")]])])])
    text = markdown.render(page, beside=Path("p"))
    assert "<script" not in text
    assert "\x1b" not in text
    assert len(text.splitlines()) == 9
    row = text.splitlines()[-1]
    assert len(re.findall(r"(?<!\\)\|", row)) == 3
    assert r"\[a\](b)" in row
    assert "&amp;lt;" in row


def test_a_terminal_shows_text_as_it_is_and_no_long_row_of_digits(tmp_path, capsys):
    write(
        tmp_path / "r",
        row="1e <= *2*",
        card={"rows": {"1e <= *2*": {"value": 8.75, "default": True}}},
        figures={"test/error": 178015797248.0},
    )
    assert cli.main(["report", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "| 1e <= *2* |" in out
    assert "&" not in out
    assert "1.78e+11" in out
    assert "178015797248" not in out


@pytest.mark.parametrize(
    ("value", "text"), [(999_999.0, "999999.00"), (1e6, "1e+06"), (1e21, "1e+21"), (-2e9, "-2e+09")]
)
def test_large_figures(value, text):
    assert numbers.figure(value) == text
    assert numbers.spread(1.0, 2e9) == "1.00 ± 2e+09"
    assert numbers.signed(1.78e11) == "+1.8e+11"


class Reader(HTMLParser):
    """Tags, links and text of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.links, self.text = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [value for name, value in attrs if name in ("href", "src")]

    def handle_data(self, data):
        self.text.append(data)


def test_html_is_self_contained_and_escaped(tmp_path):
    card = {"title": HOSTILE, "rows": {HOSTILE: {"where": HOSTILE, "value": 8.75, "default": True}}}
    write(tmp_path / "<b>run", recipe=HOSTILE, row=HOSTILE, card=card, changed={HOSTILE: HOSTILE}, code=HOSTILE)
    url = write(tmp_path / "j") / "run.json"
    url.write_text(json.dumps({"recipe": "resnet/cifar10", "url": "javascript:alert(1)"}))
    page = Reader(html.render(paper_tables.document(build(collect.find([tmp_path]))), tmp_path))
    assert not {"script", "b", "link", "img"} & set(page.tags)
    assert sorted(page.links) == ["%3Cb%3Erun", "j"]
    assert any("<script>alert(1)</script>" in text for text in page.text)


def test_html_holds_the_figures_and_follows_the_reader_s_mode(runs):
    text = html.render(paper_tables.document(build(collect.find([runs]))), runs)
    assert "prefers-color-scheme: dark" in text
    assert 'name="viewport"' in text
    assert "http" not in text
    assert 'data-name="ours" class="number"><span>8.80 ± 0.28</span>' in text
    assert '<a href="a">' in text


def test_csv_has_columns_of_their_own_for_stand_ins(runs):
    lines = list(csv.DictReader(io.StringIO(export.as_csv(build(collect.find([runs]))))))
    ran = [line for line in lines if line["verdict"] not in ("not run", "quoted")]
    assert [(line["row"], line["mean"], line["stand_in_mean"], line["n"], line["stand_in_n"]) for line in ran] == [
        ("resnet-20", "8.8", "", "2", ""),
        ("resnet-20", "", "11.0", "", "1"),
        ("resnet-32", "", "60.0", "", "1"),
    ]
    assert [line["difference"] != "" for line in ran] == [True, False, False]
    assert (ran[0]["paper"], ran[0]["table"], ran[0]["verdict"]) == ("1512.03385", "Table 6", "reproduced")
    assert ran[0]["runs"] == f"{runs}/a; {runs}/b"
    assert json.loads(ran[2]["changed"]) == {"trainer.max_steps": 100}
    assert ran[1]["sweep"] == "rates"


def test_csv_text_is_no_formula(tmp_path):
    write(tmp_path / "r", recipe="=cmd()", row="@x", card={"rows": {"@x": {"value": 8.75, "default": True}}})
    (line,) = csv.DictReader(io.StringIO(export.as_csv(build(collect.find([tmp_path])))))
    assert (line["recipe"], line["row"]) == ("'=cmd()", "'@x")


def test_json_is_what_its_schema_says(runs):
    content = json.loads(export.as_json(build(collect.find([runs]))))
    assert list(content) == ["version", "tables", "relations", "unfinished"]
    assert content["version"] == 1
    full = content["tables"][0]
    assert (full["paper"], full["table"], full["stand_in"], full["changed_keys"]) == (
        "1512.03385",
        "Table 6",
        False,
        [],
    )
    twenty = next(entry for entry in full["entries"] if entry["row"] == "resnet-20")
    assert list(twenty) == [
        *("recipe", "row", "where", "metric", "expected", "values", "mean", "spread", "n", "difference", "verdict"),
        *("tolerance", "claim", "evidence", "stand_in", "changed", "also", "cost", "by_class", "notes", "known"),
        "runs",
    ]
    assert twenty["values"] == [{"seed": 1, "value": 8.6}, {"seed": 2, "value": 9.0}]
    assert twenty["cost"] == {"hours": 1.0, "devices": [1], "hardware": ["H100"], "images_seen": 8192000.0}
    assert twenty["runs"][0]["run"] == f"{runs}/a"
    assert content["unfinished"][0]["step"] == 120
    sweep = [run["sweep"] for table in content["tables"] for entry in table["entries"] for run in entry["runs"]]
    assert {"name": "rates", "trial": 3, "parameters": {"model.optimizer.lr": 0.2}} in sweep
    relation = next(entry for entry in content["relations"] if entry["id"] == "depth-helps-20-32")
    assert (relation["verdict"], relation["figures"]) == ("not run", {"resnet-20": 8.8, "resnet-32": None})
