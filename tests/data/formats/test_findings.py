import pytest
import torch
from lightning.pytorch.utilities.rank_zero import rank_zero_only

from lit_vision.data.formats import annotations, findings, voc_xml
from lit_vision.data.formats.findings import Finding, Reading
from lit_vision.data.formats.voc_xml import Meaning
from lit_vision.errors import InputError
from tests.twins import voc


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("LIT_VISION_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def sound(tmp_path):
    voc.folder(tmp_path, {"train": 3, "val": 2})
    return voc_xml.read(tmp_path, "train", Meaning(voc.USED)).annotations


def bad(file, number, kind="zero size", fatal=True):
    return Finding(file, f"annotation {number}", kind, f"bbox [{number}, 0, 0, 0]", fatal)


def test_nothing_found(sound, cache):
    assert findings.apply([Reading(sound, []), Reading(sound, [])], "fail") == [sound, sound]
    assert not (cache / "findings").exists()


def test_fail_lists_every_finding_in_a_file(sound, tmp_path):
    file = tmp_path / "train.json"
    found = [bad(file, 3), bad(file, 4, "clipped", fatal=False), bad(file, 5, "missing image"), bad(file, 6)]
    with pytest.raises(InputError) as raised:
        findings.apply([Reading(sound, found[:2]), Reading(sound, found[2:])], "fail")
    first, second, third = str(raised.value).splitlines()
    assert first == f"3 bad annotation(s) in {file} (2 zero size, 1 missing image), the first:"
    assert second == "annotation 3: zero size: bbox [3, 0, 0, 0]"
    prefix, suffix = "all are listed in ", "; mend them, or leave them out by --data.bad skip"
    assert third.startswith(prefix)
    assert third.endswith(suffix)
    listed = third.removeprefix(prefix).removesuffix(suffix)
    assert listed.endswith("findings.txt")
    with open(listed) as text:
        assert text.read().splitlines() == [str(finding) for finding in found]


def test_fail_with_several_files_names_the_first(sound, tmp_path):
    readings = [Reading(sound, [bad(tmp_path / "a.xml", 1), bad(tmp_path / "b.xml", 2)])]
    with pytest.raises(InputError) as raised:
        findings.apply(readings, "fail")
    lines = str(raised.value).splitlines()
    assert lines[0] == "2 bad annotation(s) in 2 files (2 zero size), the first:"
    assert lines[1] == f"{tmp_path}/a.xml: annotation 1: zero size: bbox [1, 0, 0, 0]"


def test_skip_counts_and_logs(sound, tmp_path, caplog):
    found = [bad(tmp_path / "a", 1), bad(tmp_path / "a", 2), bad(tmp_path / "a", 3, "clipped", fatal=False)]
    with caplog.at_level("INFO"):
        assert findings.apply([Reading(sound, found)], "skip") == [sound]
    assert "bad annotations left out: 2 zero size; listed in " in caplog.text
    assert "annotations mended: 1 clipped; listed in " in caplog.text


def test_notes_alone_never_fail(sound, tmp_path, caplog):
    with caplog.at_level("INFO"):
        findings.apply([Reading(sound, [bad(tmp_path / "a", 3, "clipped", fatal=False)])], "fail")
    assert "left out" not in caplog.text
    assert "annotations mended: 1 clipped" in caplog.text


def test_splits_that_share_a_file_tell_a_fault_once(sound, tmp_path):
    reading = Reading(sound, [bad(tmp_path / "a.xml", 1)])
    with pytest.raises(InputError, match=r"^1 bad annotation"):
        findings.apply([reading, reading], "fail")


def test_without_a_place_to_write(sound, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LIT_VISION_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(InputError, match=r"all are listed in no file, as .*/file/cache/findings/\w+ cannot be written"):
        findings.apply([Reading(sound, [bad(tmp_path / "a", 1)])], "fail")


def test_only_the_first_rank_writes(sound, tmp_path, monkeypatch, cache):
    monkeypatch.setattr(rank_zero_only, "rank", 1)
    with pytest.raises(InputError, match=r"findings\.txt"):
        findings.apply([Reading(sound, [bad(tmp_path / "a", 1)])], "fail")
    assert not (cache / "findings").exists()


def test_real_flaws(real_images):
    names = voc_xml.class_names(real_images / "bccd")
    readings = [voc_xml.read(real_images / "bccd", split, Meaning(names)) for split in ("train", "val", "test")]
    with pytest.raises(InputError, match=r"^2 bad annotation\(s\) in 2 files \(2 zero size\), the first:\n.*00343.xml"):
        findings.apply(readings, "fail")
    assert sum(len(kept.labels) for kept in findings.apply(readings, "skip")) == 4886


def test_concat_of_one_is_that_one(sound):
    assert annotations.concat([sound]) is sound


def test_concat_keeps_ids_that_are_unique(sound, tmp_path):
    other = voc_xml.read(tmp_path, "val", Meaning(voc.USED)).annotations
    assert annotations.concat([sound, other]).image_ids.tolist() == [1, 2, 3, 4, 5]
    third = sound.take(torch.tensor([2]))
    apart = annotations.concat([third, other])
    assert apart.image_ids.tolist() == [3, 4, 5]
    assert annotations.concat([third, third]).image_ids.tolist() == [0, 1]
    assert apart.folder == tmp_path / "JPEGImages"
    assert list(apart.files) == ["000003.jpg", "000004.jpg", "000005.jpg"]
    assert apart.starts.tolist() == [0, 0, 2, 2]
