"""Pipes and devices in a file's place are never waited for; names of any length and archives that swell are refused."""

import errno
import os
import time
import zipfile

import numpy as np
import pytest
import yaml

from lit_vision import files
from lit_vision.data.formats import coco_json, lists, proposals, voc_xml
from lit_vision.data.pipelines import decode
from lit_vision.errors import LONGEST, InputError
from lit_vision.experiment import recipes, yamlio
from lit_vision.models.weights import files as weights
from lit_vision.runs import checkpoints, claim_runs, durable, lock, plain_json
from lit_vision.session import stages
from lit_vision.sweeps import definition, points
from tests.cli.conftest import Command
from tests.security import hostile
from tests.twins import voc

READERS = {
    "a.yaml": yamlio.load,
    "run.json": lambda path: plain_json.read(path, "restore it"),
    "list.txt": lists.lines,
    "instances.json": coco_json.categories,
    "proposals.npz": proposals.read,
    "last.ckpt": lambda path: checkpoints.read(str(path)),
    "weights.pth": weights.read,
    "weights.safetensors": weights.read,
    "photo.jpg": decode.read,
    "size.png": decode.size,
    "lines.jsonl": claim_runs.read,
    "recipe.yaml": lambda path: recipes.find(str(path)),
    "sweep.yaml": lambda path: definition.find(str(path)),
}


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("kind", ["pipe", "device", "folder"])
def test_what_is_no_file_is_refused_at_once(tmp_path, name, kind):
    path = tmp_path / name
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        path.mkdir()
    assert hostile.outcome(lambda: READERS[name](path)) == hostile.REFUSED


def test_a_pipe_among_annotations_is_a_finding_and_no_wait(tmp_path):
    voc.folder(tmp_path, {"train": 2, "val": 1}, ("bolt",))
    (tmp_path / "Annotations" / "000001.xml").unlink()
    os.mkfifo(tmp_path / "Annotations" / "000001.xml")
    os.mkfifo(tmp_path / "ImageSets" / "Main" / "more.txt")
    assert voc_xml.splits(tmp_path) == ["more", "train", "val"]
    (found,) = voc_xml.read(tmp_path, "train", voc_xml.Meaning(["bolt"])).findings
    assert "it is a pipe or a device" in found.text
    with pytest.raises(InputError, match="there is no such split"):
        voc_xml.read(tmp_path, "more", voc_xml.Meaning(["bolt"]))


def test_a_pipe_in_place_of_what_a_run_writes(tmp_path):
    os.mkfifo(tmp_path / "metrics.jsonl")
    with pytest.raises(OSError, match="No such device or address"):
        durable.unlinked(tmp_path / "metrics.jsonl", os.O_WRONLY | os.O_APPEND)
    os.mkfifo(tmp_path / lock.FILE)
    lock.Claim(tmp_path).release()


def test_contents_and_their_limit(tmp_path):
    (tmp_path / "a").write_bytes(b"12345")
    assert files.content(tmp_path / "a", 5) == b"12345"
    with pytest.raises(OSError, match="it has 5 bytes, more than 4"):
        files.content(tmp_path / "a", 4)
    with pytest.raises(FileNotFoundError):
        files.content(tmp_path / "b")
    with pytest.raises(OSError, match="its name holds a NUL") as caught:
        files.content("a\0b")
    assert caught.value.errno == errno.EINVAL
    assert files.is_there(tmp_path / "a")
    assert not any(files.is_there(name) for name in (tmp_path, "a" * 300, "a\0b", "/dev/zero", tmp_path / "b"))


LONG = "a" * 300


@pytest.mark.parametrize(
    "words",
    [
        *([("sweep", action, LONG) for action in ("status", "best", "resume", "run")]),
        ("fit", "--config", LONG),
        ("recipes", "show", LONG),
        ("recipes", "cp", "quickstart/digits", LONG),
        ("test", "--ckpt_path", LONG),
        ("predict", "--ckpt_path", LONG, "a.jpg"),
        ("fit", "--config", "quickstart/own_boxes", "--data.root", LONG),
        ("claims", "run", LONG),
        ("report", LONG),
        ("compare", LONG, LONG),
        ("test", "--run", LONG),
        ("fit", "--config", "quickstart/digits", "--run", LONG),
        ("sync", LONG),
        ("slurm", LONG),
        ("score", LONG, "test/ap=3", "--server", "x", "--on", "2026-11-30"),
    ],
    ids=" ".join,
)
def test_a_name_that_no_file_can_have_is_told(capsys, tmp_path, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    message = Command(capsys).error(*words)
    assert LONG[:80] in message or "holds no sweep" in message


def test_recipes_are_copied_to_odd_places_or_not_at_all(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    command = Command(capsys)
    (tmp_path / "link.yaml").symlink_to(tmp_path / "elsewhere.yaml")
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "file").write_text("x")
    for place in ("link.yaml", "pipe.yaml", "file", "/dev/full", "/dev/null", "file/below.yaml", "/proc/x.yaml"):
        message = command.error("recipes", "cp", "quickstart/digits", place)
        assert "exists already" in message or "cannot write" in message
    assert not (tmp_path / "elsewhere.yaml").exists()  # a link that leads nowhere yet is no place, either


@pytest.mark.parametrize("name", ["stages", "stages/proposals"])
def test_a_link_among_stages_is_refused_before_anything_is_written(capsys, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "run" / name).parent.mkdir(parents=True)
    (tmp_path / "run" / name).symlink_to(tmp_path / "elsewhere")
    monkeypatch.setattr(stages, "_session", None)  # nothing is trained
    message = Command(capsys).error("fit", "--config", "quickstart/digit_stages", "--run", "run")
    assert f"run/{name} is a link that leads out of the run's folder" in message
    assert not list((tmp_path / "elsewhere").iterdir())


def test_an_archive_that_would_swell_is_not_unfolded(tmp_path):
    path = tmp_path / "proposals.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("boxes.npy", b"\0" * (64 << 20))
    with pytest.raises(InputError, match="would unfold to 67,108,864, more than 200 times as many"):
        proposals.read(path)
    np.savez_compressed(
        path,
        **{"names": np.array([f"{n:012}" for n in range(5_000)]), "starts": np.zeros(5_001, np.int64)},
        **{"boxes": np.zeros((0, 4), np.float32), "scores": np.zeros(0, np.float32)},
    )
    assert len(proposals.read(path)) == 5_000  # names alone shrink most


@pytest.mark.parametrize("kind", ["values", "int_uniform", "q_uniform"])
def test_a_grid_of_millions_is_refused_at_once(tmp_path, kind):
    axis = {
        "values": {"values": list(range(3_000))},
        "int_uniform": {"min": 0, "max": 10**15},
        "q_uniform": {"distribution": "q_uniform", "min": 0, "max": 1e15, "q": 1},
    }[kind]
    sweep = yaml.safe_load(definition.find("digits").read_text()) | {"method": "grid"}
    file = tmp_path / "s.yaml"
    file.write_text(yaml.safe_dump(sweep | {"parameters": {f"model.{name}": axis for name in "abc"}}))
    began = time.process_time()
    with pytest.raises(InputError, match="more than 100,000"):
        points.enumerate_all(definition.load(file))
    assert time.process_time() - began < 2


def test_messages_are_bounded_whatever_they_quote():
    told = str(InputError(f"class {'x' * 100_000}\x1b[31m\u202e; choose another"))
    assert len(told) == LONGEST
    assert told.endswith("\\x1b[31m\\u202e; choose another")
    assert str(InputError("a\nb\nc\nd")) == "a\nb\nd"  # what to do stands last
    assert str(InputError("é 🙂 “x”\tb")) == "é 🙂 “x”\tb"
