"""Output that nobody takes: what trains goes on, what only tells ends well, a full disk is an error."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lit_vision import cli, terminal
from tests.cli.conftest import TINY

SHORT = (*TINY, "--trainer.max_steps", "2", "--trainer.val_check_interval", "2")


@pytest.fixture
def streams(monkeypatch):
    """Puts real streams in place of both, over a pipe whose reader has gone, or over a device."""

    def put(kind):
        for name in terminal.STREAMS:
            monkeypatch.setattr(sys, name, open(_descriptor(kind), "w", encoding="utf-8"))  # noqa: SIM115

    yield put
    for name in terminal.STREAMS:
        terminal.silence(getattr(sys, name))


def _descriptor(kind):
    if kind == "full":
        return os.open("/dev/full", os.O_WRONLY)
    reader, writer = os.pipe()
    os.close(reader)
    return writer


@pytest.mark.parametrize("kind", ["broken pipe", "full"])
def test_fit_goes_on_when_its_output_is_gone(streams, monkeypatch, tmp_path, kind):
    monkeypatch.chdir(tmp_path)
    streams(kind)
    assert cli.main(["fit", *SHORT, "--run", "run"]) == 0
    assert json.loads(Path("run/result.json").read_text())["steps"] == 2
    assert Path("run/checkpoints/last.ckpt").is_file()


def test_fit_goes_on_without_any_stream(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for name in terminal.STREAMS:
        monkeypatch.setattr(sys, name, None)  # `>&- 2>&-`
    assert cli.main(["fit", *SHORT, "--run", "run"]) == 0
    assert Path("run/result.json").is_file()


def test_a_light_verb_ends_well_with_the_reader_it_had(streams):
    streams("broken pipe")
    assert cli.main(["recipes", "ls"]) == 0


def test_a_light_verb_that_cannot_write_says_so(capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdout", open("/dev/full", "w", encoding="utf-8"))  # noqa: SIM115
    assert cli.main(["recipes", "ls"]) == 2
    assert capsys.readouterr().err == (
        "error: cannot write the output (No space left on device); make room, or send it elsewhere\n"
    )


@pytest.mark.parametrize("arguments", [["--help"], ["recipes", "ls", "--json"]])
def test_an_ascii_terminal_gets_codes(arguments):
    line = [sys.executable, "-m", "lit_vision", *arguments]
    environment = os.environ | {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = subprocess.run(line, capture_output=True, env=environment, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    text = done.stdout.decode("ascii")
    assert json.loads(text) if "--json" in arguments else "\\u" in text


def test_an_error_names_a_file_that_is_no_utf_8(capfd):
    assert cli.main(["fit", "--config", os.fsdecode(b"caf\xe9.yaml")]) == 2
    assert "no file and no recipe 'caf\\udce9.yaml'" in capfd.readouterr().err


def test_the_bar_can_be_switched_off(command):
    command("fit", *TINY, "--trainer.enable_progress_bar", "false", "--run", "run")
    assert "train:" not in command.err
    command("fit", *TINY, "--run", "other")
    assert "train:" in command.err
