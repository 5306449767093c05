"""Shared by the tests of recipes: the command, in a folder of its own."""

import pytest

from tests.cli.conftest import Command


@pytest.fixture
def command(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    return Command(capsys)
