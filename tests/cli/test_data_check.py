"""`lit-vision data check`: everything planted is found, nothing else is, and what is left out is left out."""

import json
import os
from pathlib import Path

import pytest
from PIL import Image

from lit_vision.data import layout
from lit_vision.doctor import looks, names
from lit_vision.doctor.report import Report
from tests.twins import coco, folders, planting, voc

OF_SMALL_SETS = {"image without objects", "rare classes", "absent classes"}


@pytest.fixture
def check(command, tmp_path):
    """Checks something; returns what was found, as (split, kind, image), and the whole report."""

    def run(what, *options, code=0):
        command("data", "check", what, "--workers", "1", "--json", tmp_path / "report.json", *options, code=code)
        report = json.loads((tmp_path / "report.json").read_text())
        return [(each["split"], each["kind"], each["image"]) for each in report["problems"]], report

    return run


def missed_and_invented(planted, found):
    """What was planted and not found, and what was found and not planted."""
    return planted - set(found), set(surprising(found)) - planted


def surprising(found):
    """Without what is true of every tiny set, and small ones within it."""
    return [each for each in found if each[1] not in OF_SMALL_SETS]


def test_clean_sets_have_no_findings(check, tmp_path):
    """A crowd of COCO's twin has an outline of its own, no mask: that is no crowd without one."""
    found, report = check(planting.voc_folder(tmp_path / "voc"))
    assert surprising(found) == []
    assert report["splits"]["train"] == {"images": 16, "objects": 23, "difficult": 1}
    found, report = check(planting.coco_folder(tmp_path / "coco"))
    assert surprising(found) == []
    assert report["splits"]["val"]["crowds"] == 1
    assert surprising(check(planting.class_folders(tmp_path / "classes"))[0]) == []
    assert check("quickstart/digits")[0] == []


def test_a_space_around_a_class_name_is_a_note_beside_classes_that_are_alike():
    report = Report("mine", list(names.classes(["cat", "Cat", "dog "])))
    assert report.text().splitlines()[1:] == [
        "bad        1  alike class names",
        "              'cat' and 'Cat' are two classes",
        "note       1  space around a class name",
        "              'dog ' begins or ends with a space",
        "1 bad, 1 note",
    ]


def test_every_fault_of_a_voc_folder_is_found(check, tmp_path):
    planted = planting.plant_voc(planting.voc_folder(tmp_path / "voc"))
    found, report = check(tmp_path / "voc", code=1)
    assert missed_and_invented(planted, found) == (set(), set())
    texts = {(each["kind"], each["image"]): each["text"] for each in report["problems"]}
    assert texts["missing image", "000014"] == "image 000014.jpg: there is no such file; there is 000014.gif"
    assert texts["alike class names", ""] == "'Person' and 'person' are two classes"
    assert texts["custom tag", ""] == "2 objects have <blur>, which is not read; first in 000015.xml"
    assert texts["trained and evaluated on", "000001"] == "the same as 000017 of val"
    assert texts["nearly the same image", "000003"] == "looks like 000018 of val"
    assert texts["tiny image", "000025"] == "70 x 12 pixels"
    assert texts["relative box", "000007"].endswith("shares of the image in place of pixels?")


def test_every_fault_of_coco_files_is_found(check, tmp_path):
    planted = planting.plant_coco(planting.coco_folder(tmp_path / "coco"))
    found, report = check(tmp_path / "coco", code=1)
    assert missed_and_invented(planted, found) == (set(), set())
    texts = {(each["kind"], each["image"]): each["text"] for each in report["problems"]}
    assert texts["missing image", "013.jpg"].endswith("there is no such file; there is 013.JPG")
    assert texts["swapped corners", "002.jpg"].endswith("or its lower above its upper")


def test_every_fault_of_class_folders_is_found(check, tmp_path):
    planted = planting.plant_classes(planting.class_folders(tmp_path / "classes"))
    found, _ = check(tmp_path / "classes", code=1)
    assert missed_and_invented(planted, found) == (set(), set())


def test_different_categories_are_told_whatever_else_is_there(check, tmp_path):
    root = planting.coco_folder(tmp_path / "coco")
    content = json.loads((root / "val.json").read_text())
    content["categories"][0]["name"] = "Person"
    (root / "val.json").write_text(json.dumps(content))
    found, report = check(root, code=1)
    assert ("", "refused", "") in found
    (text,) = (each["text"] for each in report["problems"] if each["kind"] == "refused")
    assert "category 1 is 'Person' here, but 'person' in the training annotations" in text


def test_a_bomb_and_a_huge_image(check, tmp_path, monkeypatch):
    root = folders.photographs(tmp_path / "classes", splits={"train": 2, "val": 1})
    monkeypatch.setattr(looks, "HUGE", 40 * 60)
    Image.new("L", (60, 50)).save(root / "train" / "ant" / "000.jpg")
    Image.new("L", (100, 100)).save(root / "train" / "ant" / "001.jpg")
    monkeypatch.setenv("LIT_VISION_MAX_PIXELS", "9000")
    found, _ = check(root, code=1)
    assert ("train", "huge image", "ant/000.jpg") in found
    assert ("train", "decompression bomb", "ant/001.jpg") in found


def test_the_real_blood_cells_have_the_two_known_boxes(check, real_images):
    """And one field was photographed twice, for train and for val."""
    found, _ = check(real_images / "bccd", code=1)
    assert sorted(found) == [
        ("train", "nearly the same image", "BloodImage_00038"),
        ("train", "zero size", "BloodImage_00343"),
        ("val", "zero size", "BloodImage_00338"),
    ]


def test_the_real_coco_images_have_nothing(check, real_images):
    found, _ = check(real_images / "coco_tiny")
    assert {kind for _, kind, _ in found} == {"rare classes"}


def test_anchors_of_the_recipe(check, tmp_path):
    """Boxes of 20 x 26 pixels in images of 50 x 70 are resized with their image before they are compared."""
    root = planting.voc_folder(tmp_path / "voc")
    asked = ("quickstart/own_boxes", f"--data.root={root}", "--data.test=null")
    _, report = check(*asked)
    fits = report["statistics"]["train, against the recipe's anchors"]
    assert fits["boxes that no anchor overlaps by 0.5"] == "0.0% of 23; keep_best: always gives some of them one"
    _, report = check(*asked, "--data.pipeline.test=20", "--data.pipeline.cap=40")
    tiny = report["statistics"]["train, against the recipe's anchors"]
    assert tiny["boxes that no anchor overlaps by 0.4"] == "100.0%"


def test_quarantine_lets_training_go_on(command, check, tmp_path, caplog):
    """What is bad is left out of its split and counted; the list is text that can be edited."""
    root = planting.voc_folder(tmp_path / "voc")
    voc.annotate(root, "000001", [{"name": "person", "box": (20, 20, 20, 30)}], (70, 50))
    whole = (root / "JPEGImages" / "000019.jpg").read_bytes()
    (root / "JPEGImages" / "000019.jpg").write_bytes(whole[: len(whole) * 9 // 10])
    check(root, "--write-quarantine", tmp_path / "q.txt", code=1)
    lines = (tmp_path / "q.txt").read_text().splitlines()
    assert lines[1:] == ["train\t000001\tzero size", "val\t000019\ttruncated image"]
    asked = ("quickstart/own_boxes", f"--data.root={root}", "--data.test=null")
    found, _ = check(*asked, f"--data.quarantine={tmp_path / 'q.txt'}", code=1)
    assert {kind for _, kind, _ in surprising(found)} == {"zero size", "truncated image"}, "a check sees everything"
    command(
        *("fit", "--config", asked[0], "--data.root", root, "--data.test", "null", "--trainer.max_steps", "1"),
        *("--trainer.val_check_interval", "1", "--trainer.logger", "false", "--data.num_workers", "0"),
        *("--data.quarantine", tmp_path / "q.txt", "--data.eval_batch_size", "1"),
    )
    printed = command.out + command.err + caplog.text
    assert "val: 9 images evaluated, 0 skipped, 1 in quarantine" in printed
    (result,) = Path("runs").rglob("result.json")
    assert json.loads(result.read_text())["changed"]["data.quarantine"] == str(tmp_path / "q.txt")


def test_quarantine_of_another_set_is_refused(command, tmp_path):
    root = folders.photographs(tmp_path / "classes", splits={"train": 2, "val": 1})
    for text, told in (
        ("train\tdog/000.jpg\n", "1 of its 1 train images are not in the data, as 'dog/000.jpg'"),
        ("ant/000.jpg\n", "expected a split (train, val), a tab and an image; got 'ant/000.jpg'"),
    ):
        (tmp_path / "q.txt").write_text(text)
        message = command.error(
            *("fit", "--config", "quickstart/own_classes", "--data.root", root),
            *("--data.quarantine", tmp_path / "q.txt", "--trainer.max_steps", "1", "--trainer.logger", "false"),
        )
        assert told in message


def test_the_page_shows_the_offenders(command, tmp_path):
    planting.plant_voc(planting.voc_folder(tmp_path / "voc"))
    command("data", "check", tmp_path / "voc", "--page", tmp_path / "out" / "page.html", code=1)
    text = (tmp_path / "out" / "page.html").read_text()
    assert "zero size (1, bad)" in text
    assert 'src="page_pictures/zero_size.jpg"' in text
    assert Image.open(tmp_path / "out" / "page_pictures" / "zero_size.jpg").size == (246, 246)


def test_what_was_seen_is_kept_by_content(command, tmp_path, monkeypatch):
    """A second check decodes nothing, not even after the folder was renamed; a changed file is looked at again."""
    root = folders.photographs(tmp_path / "classes", splits={"train": 2, "val": 1})
    monkeypatch.setenv("LIT_VISION_CACHE", str(tmp_path / "cache"))
    seen = []
    decode = looks._seen
    monkeypatch.setattr(looks, "_seen", lambda path, size: seen.append(path.name) or decode(path, size))
    command("data", "check", root)
    assert len(seen) == 9
    os.rename(root, tmp_path / "moved")
    command("data", "check", tmp_path / "moved")
    assert len(seen) == 9
    folders.save(tmp_path / "moved" / "val" / "ant" / "000.jpg", folders.picture(50, 50, 0, 3, 99))
    command("data", "check", tmp_path / "moved")
    assert len(seen) == 10


def test_what_was_seen_under_another_limit_is_looked_at_again(check, tmp_path, monkeypatch):
    """A picture that the user has allowed is no bomb any more."""
    root = folders.photographs(tmp_path / "classes", splits={"train": 2, "val": 1})
    Image.new("L", (100, 100)).save(root / "train" / "ant" / "001.jpg")
    monkeypatch.setenv("LIT_VISION_CACHE", str(tmp_path / "cache"))
    for limit, bombs in (("9000", 1), ("10000", 0), ("9000", 1)):
        monkeypatch.setenv("LIT_VISION_MAX_PIXELS", limit)
        found, _ = check(root, code=int(bombs > 0))
        assert surprising(found) == [("train", "decompression bomb", "ant/001.jpg")] * bombs


def test_a_folder_that_is_no_split_is_noted(check, tmp_path):
    root = planting.class_folders(tmp_path / "classes")
    (root / "val").rename(root / "valid")
    found, report = check(root)
    assert ("", "unread folder", "") in found
    (text,) = (each["text"] for each in report["problems"] if each["kind"] == "unread folder")
    assert text.startswith(f"{root}/valid is not read; splits are the folders train, val and test")


def test_layouts(tmp_path):
    planting.voc_folder(tmp_path / "voc")
    assert layout.guess(tmp_path / "voc")["init_args"] == {
        "root": str(tmp_path / "voc"),
        "train": "train",
        "val": "val",
        "test": None,
    }
    coco.write(tmp_path / "coco")
    assert layout.guess(tmp_path / "coco")["init_args"] == {
        "root": str(tmp_path / "coco"),
        "train": "annotations/instances_train2017.json",
        "val": "annotations/instances_val2017.json",
        "test": None,
    }
    voc.write(tmp_path / "official")
    there = layout.guess(tmp_path / "official" / "VOCdevkit" / "VOC2007")["init_args"]
    assert (there["train"], there["val"], there["test"]) == ("train", "val", "test"), "not trainval for val"


def test_links_to_nothing_and_pipes_are_bad(check, tmp_path):
    """Training would stop at them."""
    root = folders.photographs(tmp_path / "classes", splits={"train": 2, "val": 1})
    (root / "train" / "ant" / "gone.jpg").symlink_to(tmp_path / "nowhere.jpg")
    os.mkfifo(root / "val" / "ant" / "pipe.jpg")
    found, report = check(root, "--page", tmp_path / "page.html", code=1)
    assert surprising(found) == [
        ("train", "unreadable image", "ant/gone.jpg"),
        ("val", "unreadable image", "ant/pipe.jpg"),
    ]
    texts = {each["text"] for each in report["problems"] if each["kind"] == "unreadable image"}
    assert texts == {"there is no file that can be opened"}


def test_a_refusal_is_shown_whole(command, tmp_path):
    """Its end says what to do."""
    root = folders.photographs(tmp_path / "a_folder_with_quite_a_long_name", splits={"train": 2, "val": 1})
    (root / "val" / "zebra").mkdir()
    Image.new("RGB", (50, 50)).save(root / "val" / "zebra" / "0.jpg")
    command("data", "check", root, code=1)
    assert "only in val: zebra; only in train: -; every split needs the same class folders\n" in command.out


def test_a_folder_above_voc_names_the_folder_below(command, tmp_path):
    voc.write(tmp_path / "official")
    for above in ("official", "official/VOCdevkit"):
        message = command.error("data", "check", tmp_path / above)
        assert f"did you mean {tmp_path}/official/VOCdevkit/VOC2007?" in message


def test_a_folder_has_no_rows(command, tmp_path):
    root = folders.photographs(tmp_path / "classes", splits={"train": 2, "val": 1})
    message = command.error("data", "check", root, "--row", "four steps")
    assert message == f"error: --row four steps: {root} is a folder or a file; only a recipe has rows"


def test_an_empty_split_is_bad(check, tmp_path):
    """Training refuses it."""
    root = planting.voc_folder(tmp_path / "voc")
    (root / "ImageSets" / "Main" / "val.txt").write_text("")
    found, report = check(root, code=1)
    assert ("val", "empty split", "") in found
    assert report["splits"]["val"]["images"] == 0


def test_what_is_nothing(command, tmp_path):
    (tmp_path / "empty").mkdir()
    assert command.error("data", "check", tmp_path / "empty").startswith(
        f"error: {tmp_path}/empty: no class folders, no ImageSets/Main and no COCO file;"
    )
    assert "takes no --data.root" in command.error("data", "ls", "--data.root", "x")
    assert "--data.root needs a value" in command.error("data", "check", "x", "--data.root")
