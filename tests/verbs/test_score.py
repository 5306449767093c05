"""What a server said, noted through the real command."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Command
from tests.report.factory import write

ON = ("--server", "test-dev", "--on", "2026-11-30")


@pytest.fixture
def command(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "run", recipe="retinanet/r50_fpn_coco", row="scale 400", figures={}, split="test-dev")
    return Command(capsys)


def test_a_server_row_is_scored(command):
    assert "Rows: 1 needs the server." in command("report", "run")
    out = command("score", "run", "test/ap=30.9", "test/ap50=45", *ON, "--source", "codalab.org, submission 7")
    assert out.splitlines()[:3] == [
        "run/scores.json: test-dev",
        "test/ap  paper 30.5  server 30.9  reproduced",
        "test/ap50  paper 47.8  server 45  missed (worse)",
    ]
    assert json.loads(Path("run/scores.json").read_text()) == {
        "test-dev": {
            "figures": {"test/ap": 30.9, "test/ap50": 45.0},
            "date": "2026-11-30",
            "source": "codalab.org, submission 7",
        }
    }
    (line,) = [line for line in command("report", "run").splitlines() if "| test/ap " in line and "30.90" in line]
    assert [cell.strip() for cell in line.split("|")][4:9] == ["30.5", "30.90", "1", "+0.40", "0.5"]
    assert "reproduced" in line


def test_a_second_answer_adds_to_the_first(command):
    command("score", "run", "test/ap=30.9", *ON)
    command("score", "run", "test/ap50=48.0", *ON)
    (score,) = json.loads(Path("run/scores.json").read_text()).values()
    assert score["figures"] == {"test/ap": 30.9, "test/ap50": 48.0}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("test/app=1", *ON), "test/app=1: nothing logs 'test/app'; did you mean 'test/ap'?"),
        (("test/ap=high", *ON), "test/ap=high: expected METRIC=VALUE, for example test/ap=35.5"),
        (("test/ap=nan", *ON), "test/ap=nan: expected METRIC=VALUE"),
        (("test/ap=1", "--server", "test-dve", "--on", "2026-11-30"), "did you mean 'test-dev'?"),
        (("test/ap=1", "--server", "test-dev", "--on", "30.11."), "--on 30.11.: expected a date as 2026-11-30"),
    ],
)
def test_bad_input_is_told_and_nothing_written(command, arguments, message):
    assert message in command.error("score", "run", *arguments)
    assert not Path("run/scores.json").exists()


def test_an_unfinished_run_cannot_be_scored(command, tmp_path):
    write(tmp_path / "open", finished=False)
    assert "open has no result yet" in command.error("score", "open", "test/ap=1", *ON)
