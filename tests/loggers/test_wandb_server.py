"""W&B's server answers every request with an error: the run goes on, and W&B's files wait for a better one."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from lit_vision.loggers import wandb_files
from lit_vision.runs import folder as runs
from tests.cli.conftest import Command
from tests.loggers.test_wandb import DIGITS, KEY


@pytest.fixture
def command(capsys):
    return Command(capsys)


class Broken(BaseHTTPRequestHandler):
    """Answers everything with an error of its own."""

    def do_POST(self):
        self.send_response(500)
        self.end_headers()

    def do_GET(self):
        self.do_POST()

    def log_message(self, *_):
        pass


def test_a_server_that_only_errs_ends_nothing(command, monkeypatch):
    monkeypatch.setattr(wandb_files, "INIT_SECONDS", 2)
    monkeypatch.setattr(wandb_files, "FINISH_SECONDS", 2)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Broken)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.delenv("WANDB_MODE")
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{server.server_port}")
    began = time.monotonic()
    with pytest.warns(UserWarning, match="W&B could not start a run online"):
        command("fit", *DIGITS, "--run", "run")
    assert time.monotonic() - began < 30
    assert json.loads(Path("run/result.json").read_text())["steps"] == 4
    assert [line["step"] for line in runs.read_metrics(Path("run/metrics.jsonl"))] == [2, 4, 4, 4]
    assert list(Path("run/wandb").glob("offline-run-*/*.wandb"))
    server.shutdown()
