"""Run folders from others, and links in one's own: nothing is executed, nothing is written elsewhere."""

import json
import os
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from PIL import Image

from lit_vision import cli
from lit_vision.callbacks import gallery
from lit_vision.callbacks.detections import DetectionFiles
from lit_vision.diagnosis import pictures as diagnosis_pictures
from lit_vision.errors import InputError
from lit_vision.experiment import yamlio
from lit_vision.loggers import wandb_panels
from lit_vision.report import collect
from lit_vision.report.dashboard.site import Site
from lit_vision.runs import durable, ownership
from lit_vision.runs import folder as runs
from lit_vision.runs.folder import RunFolder
from lit_vision.types import Detections
from lit_vision.verbs import sync
from tests.cli.conftest import TINY
from tests.report import dashboard_runs as made
from tests.security.test_checkpoints import V2, part, photographs

BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 10)
)


@pytest.fixture
def foreign(attack):
    """A folder as it comes out of an archive: its files are the user's, and its digest is right."""
    run = RunFolder(attack.folder / "foreign")
    run.path.mkdir()
    config = {
        "model": {"class_path": "lit_vision.tasks.signal.SignalPropagation"},
        "data": {
            "class_path": "lit_vision.data.digits.Digits",
            "init_args": {"pipeline": photographs(part(f"{V2}.CutMix", labels_getter=attack.popen))},
        },
        "trainer": {"accelerator": "cpu", "logger": False},
    }
    run.config.write_text(yamlio.dump(config))
    run.note(recipe="x", row=None, digest=runs.digest(config), wandb_id="abc")
    return run


@pytest.mark.parametrize("told", [True, False], ids=["with digest", "without run.json"])
@pytest.mark.parametrize("verb", ["fit", "test", "validate"])
def test_a_foreign_folder_is_not_executed(attack, foreign, verb, told):
    if not told:
        (foreign.path / "run.json").unlink()
    message = attack.refused(verb, "--run", foreign.path)
    assert f"{foreign.config} was changed, or is not from you on this machine" in message
    assert "--trust-code" in message


def test_a_seal_of_another_user_is_none(attack, foreign, monkeypatch):
    monkeypatch.setenv("LIT_VISION_STATE", str(attack.folder / "theirs"))
    foreign.note(seal=ownership.seal(foreign))
    ownership.refuse_foreign(foreign)  # on their machine it is theirs
    monkeypatch.setenv("LIT_VISION_STATE", str(attack.folder / "mine"))
    assert "is not from you" in attack.refused("test", "--run", foreign.path)


def test_what_belongs_to_another_user_is_foreign(foreign, monkeypatch):
    foreign.note(seal=ownership.seal(foreign))
    ownership.refuse_foreign(foreign)
    mine = os.getuid()
    monkeypatch.setattr(ownership, "os", SimpleNamespace(**{**vars(os), "getuid": lambda: mine + 1}))
    monkeypatch.setattr(ownership, "seal", lambda run: run.state["seal"])
    with pytest.raises(InputError, match="is not from you"):
        ownership.refuse_foreign(foreign)


def test_one_s_own_folder_is_tested_and_a_change_is_noticed(attack, capsys):
    assert cli.main(["fit", *TINY, "--run", "run"]) == 0
    assert cli.main(["test", "--run", "run", "--trainer.logger", "false"]) == 0
    Path("run").rename("moved")
    assert cli.main(["test", "--run", "moved"]) == 0
    capsys.readouterr()
    config = Path("moved/config.yaml")
    config.write_text(config.read_text().replace("strategy: auto", "strategy: ddp"))  # no part of the run's digest
    assert "moved/config.yaml was changed" in attack.refused("test", "--run", "moved")


def test_the_key_is_for_the_user_alone(tmp_path, monkeypatch, foreign):
    monkeypatch.setenv("LIT_VISION_STATE", str(tmp_path / "state"))
    first = ownership.seal(foreign)
    assert first == ownership.seal(foreign)
    key = tmp_path / "state" / "seal.key"
    assert key.stat().st_mode & 0o077 == 0
    assert [path.name for path in key.parent.iterdir()] == ["seal.key"]
    monkeypatch.setenv("LIT_VISION_STATE", "/dev/null/none")
    assert ownership.seal(foreign) is None
    with pytest.raises(InputError, match="is not from you"):
        ownership.refuse_foreign(foreign)


@pytest.mark.parametrize("verb", ["compare", "dashboard", "fit"])
def test_an_anchor_bomb(attack, foreign, verb):
    foreign.config.write_text(BOMB)
    where = {"compare": [foreign.path, foreign.path], "dashboard": [foreign.path], "fit": ["--config", foreign.config]}
    assert cli.main([verb, *map(str, where[verb])]) in (0, cli.BAD_INPUT)
    with pytest.raises(InputError, match=r"config\.yaml, line \d+: anchors unfold to more than 100000 values"):
        yamlio.load(foreign.config)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: &a [*a]\n", "an anchor holds itself"),
        ("a: &a {b: *a}\n", "an anchor holds itself"),
        ("a: " + "[" * 5000 + "]" * 5000, "nested too deeply"),
        ("a: 2001-99-99\n", "not readable as YAML"),
        ("a: " + "9" * 5000, "is a number beyond 64 bits"),
        ("# " + "x" * 2_000_000, "more than 2,000,000; no configuration is so large"),
    ],
    ids=["list", "mapping", "deep", "date", "number", "large"],
)
def test_other_bombs(tmp_path, text, message):
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(InputError, match=message):
        yamlio.load(tmp_path / "a.yaml")


def test_ordinary_anchors_still_work(tmp_path):
    (tmp_path / "a.yaml").write_text("base: &base {lr: 0.1}\nlist: [*base, *base, &one 1, *one]\n")
    assert yamlio.load(tmp_path / "a.yaml")["list"] == [{"lr": 0.1}, {"lr": 0.1}, 1, 1]


def found_by_voc(folder, names):
    """What a VOC run writes at a validation, with one detection of the first class."""
    one = Detections(torch.tensor([[1.0, 2.0, 3.0, 4.0]]), torch.tensor([0.5]), torch.tensor([0]))
    files = DetectionFiles(folder)
    files._found = [(1, one)]
    data = SimpleNamespace(
        category_ids=list(range(len(names))), voc_results="comp4_det_test", submission=lambda *_: {}, class_names=names,
        image_names=lambda split: {1: "000001"},
    )  # fmt: skip
    files._write(SimpleNamespace(sanity_checking=False, datamodule=data), "val")
    return sorted(path.name for path in (folder / "voc").iterdir())


def test_class_names_are_safe_file_names(tmp_path):
    run = tmp_path / "a" / "b" / "run"
    run.mkdir(parents=True)
    precious = tmp_path / "precious.txt"
    precious.write_text("mine")
    (run / "voc" / "comp4_det_test_").mkdir(parents=True)  # what a path through `..` needs on the way
    (run / "voc" / "comp4_det_test_").rmdir()
    names = ["/../../../../precious", "cat/dog", "n/a", "cat", "..", "é", "%2F", "", "x" * 300]
    files = found_by_voc(run, names)
    assert len(files) == len(names)
    assert "comp4_det_test_cat.txt" in files
    assert "comp4_det_test_cat%2Fdog.txt" in files
    assert precious.read_text() == "mine"
    assert max(len(file.encode()) for file in files) < 255
    text = (run / "voc" / "comp4_det_test_%2F..%2F..%2F..%2F..%2Fprecious.txt").read_text()
    assert text == "000001 0.500000 2.000000 3.000000 3.000000 4.000000\n"


def test_result_files_go_through_no_link(tmp_path):
    run, outside = tmp_path / "run", tmp_path / "outside"
    run.mkdir()
    outside.mkdir()
    (outside / "a.json").write_text("mine")
    (run / "detections_val.json").symlink_to(outside / "a.json")
    (run / "voc").symlink_to(outside)
    with pytest.raises(InputError, match="a link stands there"):
        found_by_voc(run, ["cat"])
    assert (outside / "a.json").read_text() == "mine"
    assert [path.name for path in outside.iterdir()] == ["a.json"]


@pytest.mark.parametrize("link", ["diagnosis", "gallery", "checkpoints", "metrics.jsonl", "voc", "wandb"])
def test_a_run_s_folder_with_a_link_out_of_it_is_refused(attack, link):
    outside = attack.folder / "outside"
    outside.mkdir()
    Path("run").mkdir()
    Path("run", link).symlink_to(outside)
    message = attack.refused("test", *TINY, "--run", "run")
    assert f"run/{link} is a link that leads out of the run's folder" in message
    assert list(outside.iterdir()) == []


def test_pictures_go_through_no_link(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (tmp_path / "diagnosis").symlink_to(outside)
    with pytest.raises(InputError, match="a link stands there"):
        diagnosis_pictures.save(tmp_path, "worst_00", lambda: Image.new("RGB", (2, 2)))
    assert list(outside.iterdir()) == []
    assert gallery.durable is durable


def test_files_are_written_anew_and_not_through_links(tmp_path):
    precious = tmp_path / "precious"
    precious.write_text("mine")
    (tmp_path / ".a.json.part").symlink_to(precious)
    (tmp_path / "a.json").symlink_to(precious)
    durable.write_text(tmp_path / "a.json", "theirs")
    assert precious.read_text() == "mine"
    assert not (tmp_path / "a.json").is_symlink()
    (tmp_path / "log").symlink_to(precious)
    with pytest.raises(OSError, match="symbolic links"), open(tmp_path / "log", "a", opener=durable.unlinked):
        pass


@pytest.mark.parametrize("kind", ["symlink_to", "hardlink_to"])
def test_the_dashboard_overwrites_nothing(tmp_path, kind):
    precious = tmp_path / "precious"
    precious.write_text("mine")
    root = made.project(tmp_path / "runs")
    getattr(root / ".index.html.part", kind)(precious)
    run = next(root.rglob("run.json")).parent
    getattr(run / ".index.html.part", kind)(precious)
    page = Site([root]).write()
    assert precious.read_text() == "mine"
    assert page.is_file() and not page.is_symlink()  # noqa: PT018


def test_the_dashboard_s_pages_stay_in_their_folder(tmp_path):
    root, outside, out = made.project(tmp_path / "runs"), tmp_path / "outside", tmp_path / "pages"
    outside.mkdir()
    out.mkdir()
    key = next(root.rglob("run.json")).parent.relative_to(root).parts[0]
    (out / key).symlink_to(outside)
    with pytest.raises(InputError, match="a link stands there"):
        Site([root], out).write()
    assert not list(outside.rglob("index.html"))


def with_picture(folder, picture):
    folder.mkdir(exist_ok=True)
    worst = [{"image": 1, "name": "a", "f1": 0.5, "wrong": 1, "missed": 1, "picture": picture}]
    (folder / "diagnosis.json").write_text(json.dumps({"class_names": ["cat"], "worst": worst}))
    return wandb_panels.read(folder)["diagnosis/worst"].data[0][0]


def test_only_pictures_of_the_run_are_staged(tmp_path):
    run, private = tmp_path / "run", tmp_path / "private"
    for folder in (run / "diagnosis", private):
        folder.mkdir(parents=True)
        Image.new("RGB", (4, 4)).save(folder / "photo.jpg")
    (run / "diagnosis" / "link.jpg").symlink_to(private / "photo.jpg")
    (run / "gallery").mkdir()
    (run / "gallery" / "test_00.jpg").symlink_to(private / "photo.jpg")
    assert with_picture(run, "diagnosis/photo.jpg") is not None
    for picture in ("../private/photo.jpg", str(private / "photo.jpg"), "diagnosis/link.jpg", "diagnosis.json", ""):
        assert with_picture(run, picture) is None, picture
    assert wandb_panels.gallery(run) == {}


def test_sync_refuses_links_and_ids_that_lead_elsewhere(tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    RunFolder(run).note(wandb_id="../../x")
    with pytest.raises(InputError, match=r"wandb_id is '\.\./\.\./x'"):
        sync.sync(collect.read(run), "offline")
    (run / "metrics.jsonl").symlink_to("/etc/hostname")
    with pytest.raises(InputError, match="is a link that leads out of the run's folder"):
        sync.sync(collect.read(run), "offline")
