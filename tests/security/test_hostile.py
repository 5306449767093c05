"""Files that anybody may have written, spoilt in one place: each is used, or refused in at most three lines."""

import contextlib
import io
import json

import numpy as np
import pytest
import torch
import yaml

from lit_vision import cli
from lit_vision.data.coco import CocoFormat
from lit_vision.data.formats import proposals
from lit_vision.data.image_folder import ImageFolder
from lit_vision.data.voc import VocFormat
from lit_vision.errors import InputError
from lit_vision.experiment import claims, yamlio
from lit_vision.runs import claim_runs, filenames
from lit_vision.sweeps import command, definition, points
from tests import record
from tests.report import dashboard_runs as made
from tests.security import hostile
from tests.twins import coco, folders, voc

KINDS = {}


def kind(function):
    KINDS[function.__name__] = function
    return function


@kind
def coco_json(folder):
    """Both as it is meant and with `bad: skip`."""
    coco.write(folder, {"train": 4, "val": 2}, [(1, "bolt"), (13, "nut"), (90, "washer")])
    file = folder / "annotations" / "instances_train.json"
    sound = json.loads(file.read_text())

    def attack(number):
        file.write_bytes(hostile.as_json(sound, number))
        names = ("annotations/instances_train.json", "annotations/instances_val.json")
        CocoFormat(str(folder), *names, bad="skip" if number % 2 else "fail").setup()

    return attack


@kind
def voc_xml(folder):
    voc.folder(folder, {"train": 3, "val": 2, "test": 2}, ("bolt", "nut"))
    file = folder / "Annotations" / "000001.xml"
    sound = file.read_bytes()

    def attack(number):
        file.write_bytes(hostile.as_xml(sound, number))
        VocFormat(str(folder), bad="skip" if number % 2 else "fail").setup()

    return attack


@kind
def voc_lists(folder):
    voc.folder(folder, {"train": 3, "val": 2, "test": 2}, ("bolt", "nut"))
    file = folder / "ImageSets" / "Main" / "train.txt"
    sound = file.read_bytes()

    def attack(number):
        spoilt = (
            hostile.text(sound, number) if number % 2 else f"000001\n{hostile.name(number)}\n".encode(errors="replace")
        )
        file.write_bytes(spoilt)
        VocFormat(str(folder), bad="skip" if number % 4 < 2 else "fail").setup()

    return attack


@kind
def class_and_file_names(folder):
    """A class folder, an image's name, and the files that are named after both."""

    def attack(number):
        name = hostile.name(number)
        safe = filenames.of(name)
        assert safe not in (".", "..", "")
        assert "/" not in safe
        (folder / safe).write_text("x")  # a disk takes it
        written = name.replace("/", "_").replace("\0", "_")
        for split in ("train", "val"):
            try:
                folders.save(
                    folder / str(number) / split / written / f"{written[:40]}.png", folders.picture(8, 8, 0, 3, 0)
                )
            except (OSError, ValueError):
                return  # no such name on this disk
            folders.save(folder / str(number) / split / "other" / "x.png", folders.picture(8, 8, 1, 3, 0))
        ImageFolder(str(folder / str(number))).setup()

    return attack


@kind
def sweeps(folder):
    files = [definition.find(name) for name in definition.names()]

    def attack(number):
        sound = yaml.safe_load(files[number % len(files)].read_text())
        file = folder / "sweep.yaml"
        file.write_bytes(hostile.as_yaml(sound, number))
        sweep = definition.load(file)
        for point in points.enumerate_all(sweep)[:2]:
            command.check(sweep, command.expand(sweep, point.values))

    return attack


@kind
def proposal_files(folder):
    sound = {
        "names": np.array(["000001", "b"]),
        "starts": np.array([0, 2, 3]),
        "boxes": np.array([[0, 0, 9, 9], [1, 2, 3, 4], [5, 5, 9, 9]], dtype=np.float32),
        "scores": np.array([0.9, 0.1, 0.5], dtype=np.float32),
    }

    def attack(number):
        file = folder / "proposals.npz"
        file.write_bytes(hostile.as_npz(sound, number))
        proposals.read(file).check(["000001", "b"], torch.tensor([[20, 20], [20, 20]]))

    return attack


@kind
def claim_files(folder):
    """A claim, the note of its first run, and lines of its runs."""
    sound = {"claim": yamlio.load(claims.files()[0])["claim"]}
    note = {"digest": "x", "code": "1", "first_run": "2026-11-01", "claim": sound["claim"]}
    line = {
        **{
            "claim": "C00",
            "digest": "x",
            "arm": "plain",
            "seed": 11,
            "metric": "test/error",
            "figure": 3.0,
            "steps": 60,
        },
        **{"changed": {}, "configuration": "c", "code": "1", "data": {"name": "d"}, "duration_s": 1.0},
    }

    def attack(number):
        if number % 3 == 0:
            file = folder / "C77-spoilt.yaml"
            file.write_bytes(hostile.as_yaml(sound, number))
            claims.load(file)
        elif number % 3 == 1:
            (folder / "C00").mkdir(exist_ok=True)
            (folder / "C00" / claim_runs.NOTE).write_bytes(hostile.as_json(note, number))
            claim_runs.lines(claims.find("C00"), folder)
        else:
            (folder / "lines.jsonl").write_bytes(hostile.as_lines([line] * 3, number))
            claim_runs.read(folder / "lines.jsonl")

    return attack


@kind
def run_folders(folder):
    """One spoilt file of a run, read by the verbs that show runs; what they refuse, they exit with 2."""
    run = made.classifier(folder / "runs")
    files = [
        run / name for name in ("result.json", "metrics.jsonl", "run.json", "diagnosis.json") if (run / name).is_file()
    ]
    sound = {file: file.read_bytes() for file in files}
    verbs = (
        ("report", str(folder / "runs"), "--out", str(folder / "r.md")),
        ("dashboard", str(folder / "runs"), "--no-serve", "--out", str(folder / "pages")),
        ("compare", str(run), str(run.parent)),
    )

    def attack(number):
        file = files[number % len(files)]
        is_lines = file.suffix == ".jsonl"
        values = [json.loads(line) for line in sound[file].splitlines()] if is_lines else json.loads(sound[file])
        file.write_bytes((hostile.as_lines if is_lines else hostile.as_json)(values, number))
        try:
            for words in verbs[number % 2 :: 2] if number % 4 else verbs:
                with contextlib.redirect_stderr(io.StringIO()) as told, contextlib.redirect_stdout(io.StringIO()):
                    code = cli.main(list(words))
                if code != 0:
                    raise InputError(told.getvalue().removeprefix("error: ").strip())
        finally:
            file.write_bytes(sound[file])

    return attack


def outcomes(name, folder, cases):
    """What the cases of a kind came to, by number."""
    folder.mkdir(parents=True, exist_ok=True)
    attack = KINDS[name](folder)
    return {number: hostile.outcome(lambda number=number: attack(number)) for number in cases}


def held(name, folder, cases):
    """How many cases held; fails with those that did not."""
    found = outcomes(name, folder, cases)
    assert {number: what for number, what in found.items() if what not in (hostile.USED, hostile.REFUSED)} == {}
    assert set(found.values()) == {hostile.USED, hostile.REFUSED}  # the generator spoils, and not everything
    return len(found)


@pytest.mark.parametrize("name", KINDS)
def test_a_spoilt_file_is_used_or_refused(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    held(name, tmp_path / "files", range(12 if name == "run_folders" else 60))
    assert not list(tmp_path.rglob("ran"))


@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS)
def test_many_spoilt_files(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    count = held(name, tmp_path / "files", range(1_000, 1_300))
    record.append(what="spoilt files", of=name.replace("_", " "), number=count)
