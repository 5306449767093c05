import json
from pathlib import Path

import pytest

from lit_vision import cli


class Command:
    """`lit-vision` in this process, in a folder of its own."""

    def __init__(self, capsys):
        self.capsys = capsys

    def __call__(self, *arguments, code=0):
        got = cli.main([str(argument) for argument in arguments])
        self.out, self.err = self.capsys.readouterr()
        assert got == code, self.err or self.out
        return self.out

    def error(self, *arguments):
        """The message of a command that must fail; at most three lines, exit code 2."""
        self(*arguments, code=2)
        message = self.err[self.err.index("error: ") :].strip()
        assert len(message.splitlines()) <= 3, message
        return message


@pytest.fixture
def command(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    return Command(capsys)


@pytest.fixture
def only_run():
    """The only run folder below `runs/` of the working directory, with its result."""

    def find():
        (state,) = Path("runs").rglob("run.json")
        return state.parent, json.loads((state.parent / "result.json").read_text())

    return find


# The quickstart at a size for tests: a few steps, a sixth of the images.
TINY = (
    *("--config", "quickstart/digits", "--trainer.max_steps", "8", "--trainer.val_check_interval", "4"),
    *("--trainer.log_every_n_steps", "2", "--trainer.logger", "false"),
)
