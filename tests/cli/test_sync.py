"""`lit-vision sync`: one W&B run from local files, equal to what training logged, entry for entry."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import wandb
from PIL import Image

from lit_vision import cli
from lit_vision.callbacks.checkpoint import LastCheckpoint
from lit_vision.runs import folder as runs
from lit_vision.verbs import sync
from tests import wandb_frames

SHORT = (
    *("--config", "quickstart/digits", "--trainer.max_steps", "4", "--trainer.val_check_interval", "4"),
    *("--trainer.log_every_n_steps", "1"),
)
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def continued(tmp_path_factory):
    """A run that Ctrl-C stopped after step 3 and that was continued: two offline pieces."""
    folder = tmp_path_factory.mktemp("continued") / "run"
    pressed = []

    def press_once(self, trainer, *_):
        if trainer.global_step == 2 and not pressed:
            pressed.append(True)
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LastCheckpoint, "on_train_batch_start", press_once)
        patch.setenv("WANDB_MODE", "offline")
        assert cli.main(["fit", *SHORT, "--run", str(folder)]) == runs.INTERRUPTED
        wandb.teardown()
        time.sleep(1 - time.time() % 1)  # pieces are named by the second
        assert cli.main(["fit", *SHORT, "--run", str(folder)]) == 0
        wandb.teardown()
    return folder


@pytest.fixture
def folder(continued, tmp_path):
    """A copy of the continued run."""
    shutil.copytree(continued, tmp_path / "run", symlinks=True)
    return tmp_path / "run"


def local(folder):
    """The history that the run's own file tells, time aside."""
    lines = runs.read_metrics(folder / "metrics.jsonl")
    return [{key: value for key, value in line.items() if key != "time"} for line in lines]


def rebuilt(folder):
    """The offline files that `sync` has written, oldest first."""
    return sorted((folder / "wandb" / "sync" / "wandb").glob("offline-run-*/*.wandb"))


def test_a_continued_run_s_pieces_hold_every_figure_under_one_id(continued):
    one, two = wandb_frames.pieces(continued)
    own = json.loads((continued / "run.json").read_text())["wandb_id"]
    assert [wandb_frames.identity(file).run_id for file in (one, two)] == [own] * 2
    logged = [*wandb_frames.figures(one), *wandb_frames.figures(two)]
    assert logged == local(continued)
    assert [line["step"] for line in logged] == [1, 2, 3, 4, 4, 4]  # training, validation, test
    summary, result = (
        wandb_frames.updates(two, "summary"),
        json.loads((continued / "result.json").read_text()),
    )
    assert (summary["paper/value"], summary["paper/verdict"]) == (1.5, "stand-in")
    assert summary["paper/difference"] == pytest.approx(result["value"] - 1.5)
    assert summary["test/error"] == pytest.approx(result["value"])


def test_sync_builds_one_run_that_equals_the_local_files(folder, command):
    said = command("sync", folder)
    (file,) = rebuilt(folder)
    assert said.splitlines()[1] == f"wandb sync {file.parent}"
    assert "6 history entries; send it, and not the run's own offline pieces too" in said
    assert wandb_frames.figures(file) == local(folder)
    times = [line["_timestamp"] for line in wandb_frames.history(file)]
    assert times[: len(local(folder))] == [line["time"] for line in runs.read_metrics(folder / "metrics.jsonl")]
    trained = wandb_frames.pieces(folder)[-1]
    mine, theirs = wandb_frames.identity(file), wandb_frames.identity(trained)
    for field in ("run_id", "display_name", "run_group", "tags", "project", "entity"):
        assert getattr(mine, field) == getattr(theirs, field)
    assert list(mine.tags) == ["stand-in"]
    assert wandb_frames.configuration(file) == wandb_frames.configuration(trained)
    assert set(wandb_frames.configuration(file)) >= {"card", "code", "model", "data", "trainer"}
    summaries = [wandb_frames.updates(each, "summary") for each in (file, trained)]
    logged = {key for key in summaries[0] if not key.startswith("diagnosis/")}
    assert logged <= summaries[1].keys()
    for key in ("paper/value", "paper/difference", "paper/verdict", "test/error"):
        assert summaries[0][key] == summaries[1][key]


def test_a_tail_that_was_done_again_is_dropped(folder, command):
    metrics = folder / "metrics.jsonl"
    lines = metrics.read_text().splitlines()
    marks = [index for index, line in enumerate(lines) if "resumed_at" in line]
    tail = {"step": 4, "time": 1.0, "train/loss": 99.0}  # logged after the checkpoint, lost with a kill
    metrics.write_text("\n".join([*lines[: marks[0]], json.dumps(tail), *lines[marks[0] :]]) + "\n")
    command("sync", folder)
    (file,) = rebuilt(folder)
    assert wandb_frames.figures(file) == local(folder)
    assert 99.0 not in [line.get("train/loss") for line in wandb_frames.history(file)]


def test_sync_is_done_once_until_something_changes_and_deletes_nothing(folder, command):
    (folder / "diagnosis.json").unlink(missing_ok=True)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    command("sync", folder)
    assert "built already, and nothing has changed since" in command("sync", folder)
    (first,) = rebuilt(folder)
    (folder / "gallery").mkdir()
    Image.new("RGB", (8, 8)).save(folder / "gallery" / "test_00.jpg")
    (folder / "diagnosis.json").write_text(json.dumps({"version": 1, "calibration_error": 2.5}))
    time.sleep(1 - time.time() % 1)
    assert f"not {first.parent} too, which is older" in command("sync", folder)
    _, second = rebuilt(folder)
    assert wandb_frames.updates(second, "summary")["diagnosis/calibration_error"] == 2.5
    assert [path for path in wandb_frames.uploaded(second) if "media/images/test/gallery" in path]
    assert wandb_frames.figures(second) == wandb_frames.figures(first)
    assert all(path.read_bytes() == content for path, content in before.items())


def test_an_unfinished_run_is_built_as_far_as_it_got(folder, command):
    (folder / "result.json").unlink()
    command("sync", folder)
    (file,) = rebuilt(folder)
    assert wandb_frames.figures(file) == local(folder)
    assert "paper/verdict" not in wandb_frames.updates(file, "summary")
    (ended,) = [record.exit for record in wandb_frames.records(file) if record.HasField("exit")]
    assert ended.exit_code == 1


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("metrics.jsonl", '{"step": 1\n{}\n', "metrics.jsonl, line 1 is no JSON; the file is damaged"),
        ("metrics.jsonl", '{"step": 1}\n', "metrics.jsonl is damaged: a line has no time"),
        ("metrics.jsonl", "[1]\n", "metrics.jsonl, line 1: its content should be a mapping, got [1]"),
        ("diagnosis.json", "{", "diagnosis.json is damaged"),
        ("result.json", "{", "result.json is damaged"),
        ("run.json", "{}", "run.json holds no wandb_id"),
        ("config.yaml", None, "config.yaml is gone"),
        ("wandb/sync/done.json", "{", "done.json is damaged; remove it"),
    ],
)
def test_a_damaged_run_is_told_before_w_b_starts(continued, command, monkeypatch, name, content, told):
    folder = Path("run")
    folder.mkdir()
    for each in ("metrics.jsonl", "result.json", "run.json", "config.yaml"):
        shutil.copy(continued / each, folder)
    monkeypatch.setattr(wandb, "init", lambda **_: pytest.fail("W&B was started"))
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(content) if content is not None else (folder / name).unlink()
    assert told in command.error("sync", folder)


def test_what_is_no_run_is_told(command, monkeypatch):
    assert "no folder nowhere; name a run's folder" in command.error("sync", "nowhere")
    Path("empty").mkdir()
    assert "no run at or below empty" in command.error("sync", "empty")
    assert "unknown option --onlin; did you mean '--online'?" in command.error("sync", "empty", "--onlin")
    assert "--online needs a key" in command.error("sync", "empty", "--online")
    monkeypatch.setenv("WANDB_MODE", "disabled")
    assert "WANDB_MODE is disabled" in command.error("sync", "empty")


class Online:
    """A W&B run that the server has, as far as `sync` asks."""

    url = "https://wandb.ai/me/lit-vision/runs/ab12cd34"

    def __init__(self, known):
        self.resumed = known is not None
        self.summary = {} if known is None else {"trainer/global_step": known}
        self.entries = []
        self.define_metric = self.finish = lambda *_, **__: None

    def log(self, entry):
        self.entries.append(entry)


@pytest.mark.parametrize(
    ("known", "sent", "told"),
    [(None, [1, 2, 3, 4, 4, 4], ""), (2, [3, 4, 4, 4], "W&B had its history up to step 2"), (4, [], "up to step 4")],
)
def test_online_only_what_w_b_does_not_have_yet_is_sent(folder, command, monkeypatch, known, sent, told):
    monkeypatch.delenv("WANDB_MODE")
    monkeypatch.setenv("WANDB_API_KEY", "a" * 40)
    run, asked = Online(known), []
    monkeypatch.setattr(wandb, "init", lambda **options: asked.append(options) or run)
    said = command("sync", folder)
    assert [entry["trainer/global_step"] for entry in run.entries if "trainer/global_step" in entry] == sent
    assert "diagnosis/per_class" in run.entries[-1]  # renewed
    assert run.summary["paper/verdict"] == "stand-in"
    assert run.url in said
    assert told in said
    assert (asked[0]["mode"], asked[0]["resume"]) == ("online", "allow")
    assert run.url in command("sync", folder, "--online")
    assert len(asked) == 1  # done already


def test_a_w_b_that_fails_is_told_and_can_be_tried_again(folder, command, monkeypatch):
    def broken(**_):
        raise OSError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(wandb, "init", broken)
        assert "W&B failed (disk full); nothing is lost" in command.error("sync", folder)
    assert "6 history entries" in command("sync", folder)


def test_sync_imports_no_torch():
    code = "import sys; from lit_vision.verbs import sync; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "False"


def test_last_step_of_a_run_without_history_is_none():
    assert sync._last_step(SimpleNamespace(resumed=True, summary={})) is None
    assert sync._last_step(SimpleNamespace(resumed=True, summary={"trainer/global_step": 7.0})) == 7


def test_inside_an_agent_the_given_id_is_taken_and_w_b_s_keys_are_ignored(tmp_path):
    """What `wandb agent` does to a trial: its environment, and parameters as options; nothing is written at home."""
    (tmp_path / "home").mkdir()
    (tmp_path / "sweep.yaml").write_text("wandb_version: 1\nseed_everything:\n  value: 3\n_wandb:\n  value: {a: 1}\n")
    (tmp_path / "arguments.json").write_text('{"seed_everything": 3, "_wandb": {"a": 1}, "wandb_version": 1}')
    arguments = [*SHORT[:2], "--trainer.max_steps=1", "--_wandb={'a': 1}", "--_wandb.b=2", "--config", "arguments.json"]
    removed = ("WANDB_CONFIG_DIR", "WANDB_CACHE_DIR", "WANDB_DATA_DIR", "WANDB_ARTIFACT_DIR", "XDG_CACHE_HOME")
    agent = {"WANDB_SWEEP_ID": "s1s2s3s4", "WANDB_RUN_ID": "q1w2e3r4", "WANDB_SWEEP_PARAM_PATH": "sweep.yaml"}
    home = {"HOME": str(tmp_path / "home"), "MPLCONFIGDIR": str(tmp_path / "matplotlib"), "PYTHONPATH": str(ROOT)}
    subprocess.run(
        [sys.executable, "-m", "lit_vision", "fit", *arguments, "--run", "trial"],
        check=True,
        capture_output=True,
        cwd=tmp_path,
        timeout=300,
        env={name: value for name, value in os.environ.items() if name not in removed} | agent | home,
    )
    folder = tmp_path / "trial"
    assert json.loads((folder / "run.json").read_text())["wandb_id"] == "q1w2e3r4"
    (file,) = wandb_frames.pieces(folder)
    run = wandb_frames.identity(file)
    assert (run.run_id, run.sweep_id, run.display_name) == ("q1w2e3r4", "s1s2s3s4", "digits, seed 3")
    assert wandb_frames.configuration(file)["seed_everything"] == 3
    assert "_wandb" not in (folder / "config.yaml").read_text()
    assert json.loads((folder / "result.json").read_text())["changed"] == {"trainer.max_steps": 1}
    assert list((tmp_path / "home").rglob("*")) == []
