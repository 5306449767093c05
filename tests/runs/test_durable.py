import errno
import os
import random
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from lit_vision.errors import InputError
from lit_vision.runs import checkpoints, durable
from tests import record
from tests.faults import Crash, Faults, crash_points, operations

FIRST = ["mkdir", "open", "write", "fsync", "close", "replace", "open", "fsync", "close"]
SECOND = [*FIRST, "replace", "open", "fsync", "close"]  # last.ckpt to previous.ckpt, then the new one to last.ckpt


def content(step):
    generator = torch.Generator().manual_seed(step)
    weights = {"net.weight": torch.randn(8, 8, generator=generator), "net.count": torch.tensor(step)}
    return {"global_step": step, "state_dict": weights}


def step_of(folder):
    return checkpoints.read(str(checkpoints.recover(folder)))["global_step"]


@pytest.fixture
def folder(tmp_path):
    """A folder whose last checkpoint is of step 2 and the previous of step 1."""
    checkpoints.write(tmp_path / "run" / "last.ckpt", content(1))
    checkpoints.write(tmp_path / "run" / "last.ckpt", content(2))
    return tmp_path / "run"


def test_operations_of_a_write_in_order(tmp_path, monkeypatch):
    write = lambda: checkpoints.write(tmp_path / "new" / "last.ckpt", content(1))  # noqa: E731
    assert operations(write, durable, monkeypatch) == FIRST
    assert operations(write, durable, monkeypatch) == SECOND


@pytest.mark.parametrize(("names", "before"), [(FIRST, 0), (SECOND, 1), (SECOND, 2)])
def test_a_crash_at_any_operation_leaves_a_readable_checkpoint(tmp_path, monkeypatch, names, before):
    points = crash_points(names)
    assert len(points) == 2 * len(names) + 1
    for number, point in enumerate(points):
        folder = tmp_path / str(number)
        for step in range(before):
            checkpoints.write(folder / "last.ckpt", content(step))
        monkeypatch.setattr(durable, "os", Faults(crash=point))
        with pytest.raises(Crash):
            checkpoints.write(folder / "last.ckpt", content(before))
        monkeypatch.setattr(durable, "os", os)
        found = checkpoints.recover(folder)
        assert before == 0 or step_of(folder) in (before - 1, before), point
        assert found or not (folder / "last.ckpt").exists()
        checkpoints.write(folder / "last.ckpt", content(9))  # what the crash left behind is in nobody's way
        assert step_of(folder) == 9
        assert {path.name for path in folder.iterdir()} <= {"last.ckpt", "previous.ckpt"}
    record.append(what="crash points in one process", of=f"write number {before + 1} of a run", number=len(points))


def test_every_flipped_byte_is_found_or_changes_nothing(folder, capsys):
    last = folder / "last.ckpt"
    good = last.read_bytes()
    places = random.Random(0).sample(range(len(good)), 300)
    found = 0
    for place in places:
        last.write_bytes(good[:place] + bytes([good[place] ^ 0x10]) + good[place + 1 :])
        try:
            checkpoints.verify(last)
        except OSError:
            found += 1
        else:
            read = torch.load(last, weights_only=True)
            assert torch.equal(read["state_dict"]["net.weight"], content(2)["state_dict"]["net.weight"])
            assert (read["global_step"], read["state_dict"]["net.count"]) == (2, 2)
    assert found > 100


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (lambda last: last.write_bytes(last.read_bytes()[:-100]), "does not read back"),
        (lambda last: last.write_bytes(b""), "does not read back"),
        (lambda last: last.write_bytes(bytes(last.stat().st_size)), "does not read back"),
        (lambda last: last.write_bytes(flipped(last.read_bytes())), "its content was altered"),
        (lambda last: last.unlink(), "is missing"),
    ],
    ids=["torn", "empty", "zeros", "flipped", "gone"],
)
def test_the_previous_checkpoint_stands_in_and_the_user_is_told(folder, capsys, harm, told):
    last = folder / "last.ckpt"
    harm(last)
    assert checkpoints.recover(folder) == last
    message = capsys.readouterr().err
    assert f"warning: {last} " in message
    assert told in message
    assert "going on from the checkpoint before it" in message
    assert step_of(folder) == 1
    assert capsys.readouterr().err == ""  # it has taken its place
    (folder / "last.ckpt").write_bytes(b"x")
    with pytest.raises(InputError, match=r"no checkpoint of .* can be read: last.ckpt does not read .* is missing"):
        checkpoints.recover(folder)


def flipped(good):
    """One bit of a weight: torch would load it without a word."""
    place = good.index(content(2)["state_dict"]["net.weight"].numpy().tobytes()) + 5
    return good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :]


@pytest.mark.parametrize("gone", [False, True], ids=["torn", "gone"])
def test_a_crash_at_any_operation_of_going_back_can_be_gone_back_from(tmp_path, monkeypatch, gone):
    def broken(name):
        folder = tmp_path / name
        for step in (1, 2):
            checkpoints.write(folder / "last.ckpt", content(step))
        (folder / "last.ckpt").unlink() if gone else (folder / "last.ckpt").write_bytes(b"torn")
        return folder

    whole = broken("whole")
    names = operations(lambda: checkpoints.recover(whole), durable, monkeypatch)
    assert names == ["replace", "open", "fsync", "close"] * (1 if gone else 2)
    for number, point in enumerate(crash_points(names)):
        folder = broken(str(number))
        monkeypatch.setattr(durable, "os", Faults(crash=point))
        with pytest.raises(Crash):
            checkpoints.recover(folder)
        monkeypatch.setattr(durable, "os", os)
        assert step_of(folder) == 1, point
    of = f"going back from a last that is {'gone' if gone else 'torn'}"
    record.append(what="crash points in one process", of=of, number=2 * len(names))


def test_other_ranks_touch_nothing_and_name_the_file_that_rank_zero_brings_back(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("LOCAL_RANK", "1")
    (folder / "last.ckpt").write_bytes(b"torn")
    assert checkpoints.recover(folder) == folder / "last.ckpt"
    (folder / "last.ckpt").unlink()  # rank zero is between its two renames
    assert checkpoints.recover(folder) == folder / "last.ckpt"
    assert [path.name for path in folder.iterdir()] == ["previous.ckpt"]
    assert checkpoints.recover(tmp_path / "nowhere") is None


def test_nothing_written_is_no_fault(tmp_path):
    assert checkpoints.recover(tmp_path / "nowhere") is None


@pytest.mark.parametrize(
    ("operation", "number", "told"),
    [
        ("write", errno.ENOSPC, "No space left on device): the disk is full; make room"),
        ("fsync", errno.EIO, "Input/output error): check the disk"),
        ("open", errno.EROFS, "the file system is read-only; name another folder with --run DIR"),
        ("open", errno.EACCES, "the folder may not be written to"),
        ("replace", errno.ENOENT, "something deletes this run's files while it runs"),
    ],
)
def test_a_disk_fault_is_named_and_costs_no_checkpoint(folder, monkeypatch, operation, number, told):
    monkeypatch.setattr(durable, "os", Faults(error=(operation, number)))
    with pytest.raises(InputError) as raised:
        checkpoints.write(folder / "last.ckpt", content(3))
    assert told in str(raised.value)
    assert "last.ckpt" in str(raised.value) or "previous.ckpt" in str(raised.value)
    monkeypatch.setattr(durable, "os", os)
    assert step_of(folder) == 2


def test_a_write_that_the_disk_alters_is_found_before_the_rename(folder, monkeypatch):
    real = os.write
    monkeypatch.setattr(durable.os, "write", lambda handle, data: real(handle, bytes(data)[:-700] + bytes(700)))
    with pytest.raises(InputError, match="does not read back"):
        checkpoints.write(folder / "last.ckpt", content(3))
    monkeypatch.undo()
    assert step_of(folder) == 2


def test_weights_as_safetensors(tmp_path):
    weights = content(5)["state_dict"]
    weights["net.turned"] = weights["net.weight"].T
    checkpoints.write(tmp_path / "best-5.ckpt", {"global_step": 5, "state_dict": weights})
    checkpoints.export_weights(tmp_path / "best-5.ckpt")
    read = load_file(tmp_path / "best-5.safetensors")
    assert read.keys() == weights.keys()
    assert all(torch.equal(read[name], weights[name]) for name in weights)


@pytest.mark.parametrize("links", [True, False])
def test_a_second_name_outlives_the_first(folder, monkeypatch, links):
    if not links:
        monkeypatch.setattr(durable, "os", Faults(error=("link", errno.EPERM)))
    durable.same_content(folder / "last.ckpt", folder / "step-2.ckpt")
    checkpoints.write(folder / "last.ckpt", content(3))
    assert torch.load(folder / "step-2.ckpt", weights_only=True)["global_step"] == 2


def test_text_is_whole_or_not_there(tmp_path, monkeypatch):
    file = tmp_path / "config.yaml"
    durable.write_text(file, "größe: 1\n")
    for point in crash_points(FIRST):
        monkeypatch.setattr(durable, "os", Faults(crash=point))
        with pytest.raises(Crash):
            durable.write_text(file, "größe: 2\n")
        monkeypatch.setattr(durable, "os", os)
        assert file.read_text() in ("größe: 1\n", "größe: 2\n")


def test_folders_can_be_moved(folder, tmp_path):
    assert str(tmp_path).encode() not in (folder / "last.ckpt").read_bytes()
    shutil.move(folder, tmp_path / "elsewhere")
    assert step_of(Path(tmp_path / "elsewhere")) == 2


@pytest.mark.parametrize(
    ("number", "name", "expected"),
    [
        (errno.ENOSPC, None, True),  # a full disk seldom says at which file
        (errno.EROFS, "/elsewhere/picture.jpg", True),
        (errno.EACCES, "runs/a/gallery", True),
        (errno.EACCES, "/data/train/1.jpg", False),  # an image that may not be read is no fault of the run's folder
        (errno.ENOENT, "runs/a/gallery/1.jpg", False),
        (errno.ECONNRESET, None, False),
    ],
)
def test_faults_of_writing_are_told_from_others(number, name, expected):
    assert durable.is_of_writing(OSError(number, "", name), Path("runs/a")) is expected
