import hashlib
import re

import pytest
import torch
from PIL import Image
from torchvision.datasets import VOCDetection

from lit_vision.data.formats import findings, voc_file, voc_xml
from lit_vision.data.formats.voc_xml import Meaning
from lit_vision.data.names import VOC_CLASSES
from lit_vision.data.voc import VocFormat
from lit_vision.errors import InputError
from lit_vision.metrics.coco import CocoAP
from lit_vision.types import Detections
from tests.twins import voc


@pytest.fixture(autouse=True)
def _cache(monkeypatch, tmp_path_factory):
    monkeypatch.setenv("LIT_VISION_CACHE", str(tmp_path_factory.mktemp("cache")))


def one_image(base, *boxes, names=("ant",), size=(50, 70)):
    """A folder whose only image has some boxes; sides are checked against an image of 50 x 70 pixels."""
    voc.folder(base, {"train": 1}, names)
    voc.annotate(base, "000001", [{"name": names[0], "box": box} for box in boxes], size)
    Image.new("RGB", (70, 50)).save(base / "JPEGImages" / "000001.jpg")
    return base


def told(reading):
    return [(finding.file.name, finding.name, finding.kind, finding.fatal) for finding in reading.findings]


def test_boxes_labels_and_all_else(tmp_path):
    root = voc.write(tmp_path) / "VOCdevkit" / "VOC2007"
    found, faults = voc_xml.read(root, "train", Meaning(VOC_CLASSES))
    assert faults == []
    assert found.folder == root / "JPEGImages"
    assert list(found.files) == ["2007000.jpg", "2007001.jpg", "2007002.jpg", "2007003.jpg"]
    assert list(found.names) == ["2007000", "2007001", "2007002", "2007003"]
    assert found.image_ids.tolist() == [2007000, 2007001, 2007002, 2007003]
    assert found.sizes.tolist() == [[70, 50], [50, 70], [70, 50], [50, 70]]
    assert found.starts.tolist() == [0, 2, 3, 5, 5]
    # 3 5 22 30, from 1 and with both corners, is 20 x 26 pixels from 2, 4
    assert found.boxes.tolist() == [[2, 4, 22, 30], [22, 24, 42, 50], [2, 4, 22, 30], [2, 4, 22, 30], [22, 24, 42, 50]]
    assert found.area.tolist() == [20 * 26] * 5
    assert [VOC_CLASSES[label] for label in found.labels] == ["aeroplane", "person", "person", "tvmonitor", "aeroplane"]
    assert found.difficult.tolist() == [True, False, False, False, False]
    assert not found.crowd.any()


def test_pixels_below_a_box_are_the_object(tmp_path):
    root = voc.write(tmp_path) / "VOCdevkit" / "VOC2007"
    found = voc_xml.read(root, "train", Meaning(VOC_CLASSES)).annotations
    with Image.open(found.path(0)) as image:
        x1, y1, x2, y2 = (int(side) for side in found.boxes[0])
        assert image.crop((x1, y1, x2, y2)).convert("L").getextrema()[0] > 105
        assert image.crop((x1 - 2, y1 - 2, x1, y2)).convert("L").getextrema()[0] < 105


def test_agrees_with_torchvision(tmp_path):
    root = voc.write(tmp_path)
    other = VOCDetection(root, "2012", "trainval")
    found = voc_xml.read(root / "VOCdevkit" / "VOC2012", "trainval", Meaning(VOC_CLASSES)).annotations
    assert list(found.files) == [path.rpartition("/")[2] for path in other.images]
    for index in range(len(found)):
        shown = other[index][1]["annotation"].get("object", [])
        boxes = [[int(entry["bndbox"][key]) for key in ("xmin", "ymin", "xmax", "ymax")] for entry in shown]
        assert [[x1 + 1, y1 + 1, x2, y2] for x1, y1, x2, y2 in found.target(index).boxes.tolist()] == boxes
        assert [VOC_CLASSES[label] for label in found.target(index).labels] == [entry["name"] for entry in shown]


def test_splits_are_not_the_lists_of_one_class(tmp_path):
    root = voc.write(tmp_path) / "VOCdevkit" / "VOC2007"
    assert voc_xml.splits(root) == ["test", "train", "trainval", "val"]
    assert len(voc_xml.read(root, "person_train", Meaning(VOC_CLASSES)).annotations) == 4
    with pytest.raises(InputError) as raised:
        voc_xml.splits(root / "JPEGImages")
    assert str(raised.value) == (
        f"{root}/JPEGImages: not a folder in VOC format: there is no ImageSets/Main;\n"
        "expected Annotations/*.xml, ImageSets/Main/<split>.txt and JPEGImages/*.jpg"
    )


def test_unknown_split(tmp_path):
    voc.folder(tmp_path, {"train": 1, "val": 1})
    message = f"{tmp_path}/ImageSets/Main/trian.txt: there is no such split; did you mean 'train'?"
    with pytest.raises(InputError, match=re.escape(message)):
        voc_xml.read(tmp_path, "trian", Meaning(voc.USED))


def test_class_names_are_found(tmp_path):
    voc.folder(tmp_path, {"train": 4}, ["wasp", "bee", "ant"])
    (tmp_path / "Annotations" / "broken.xml").write_text("<annotation>")
    assert voc_xml.class_names(tmp_path) == ["ant", "bee", "wasp"]
    assert voc_xml.read(tmp_path, "train", Meaning(["ant", "bee", "wasp"])).annotations.labels.tolist() == [
        2,
        1,
        1,
        0,
        2,
    ]
    with pytest.raises(InputError, match=f"no object is annotated in {tmp_path}/nothing/Annotations/"):
        voc_xml.class_names(tmp_path / "nothing")


@pytest.mark.parametrize("suffix", ["png", "jpeg", "JPG"])
def test_any_suffix(tmp_path, suffix):
    voc.folder(tmp_path, {"train": 2}, suffix=suffix)
    found, faults = voc_xml.read(tmp_path, "train", Meaning(voc.USED))
    assert faults == []
    assert list(found.files) == [f"000001.{suffix}", f"000002.{suffix}"]


def test_lists_with_suffixes_and_blank_lines(tmp_path):
    voc.folder(tmp_path, {"train": 3})
    (tmp_path / "ImageSets" / "Main" / "train.txt").write_text("000002.jpg\n\n000001  1\n")
    assert list(voc_xml.read(tmp_path, "train", Meaning(voc.USED)).annotations.names) == ["000002", "000001"]


def test_an_id_is_the_images_own(tmp_path):
    """Also where an image before is bad, and in a list of another order."""
    voc.folder(tmp_path, {"train": 4})
    (tmp_path / "Annotations" / "000001.xml").unlink()
    (tmp_path / "JPEGImages" / "000003.jpg").unlink()
    found = voc_xml.read(tmp_path, "train", Meaning(voc.USED))
    assert found.annotations.image_ids.tolist() == [2, 4]
    assert told(found) == [
        ("000001.xml", "image 000001", "missing annotation", True),
        ("000003.xml", "image 000003.jpg", "missing image", True),
    ]
    (tmp_path / "ImageSets" / "Main" / "train.txt").write_text("000004\n000002\n")
    assert voc_xml.read(tmp_path, "train", Meaning(voc.USED)).annotations.image_ids.tolist() == [4, 2]


def test_ids_of_all_kinds_of_names():
    assert voc_file.numbers(["000012", "2008_000015", "7"]) == [12, 2008000015, 7]
    blood, again = voc_file.numbers(["BloodImage_00343"]), voc_file.numbers(["other", "BloodImage_00343"])
    assert blood[0] == again[1] == int(hashlib.sha256(b"BloodImage_00343").hexdigest()[:13], 16)
    same = voc_file.numbers(["1", "01", "2"])
    assert (len({*same}), same[2]) == (3, 2)
    assert max(voc_file.numbers(["9" * 30, "caf\u00e9"])) < 2**53


def test_unlabelled_test_split(tmp_path):
    voc.folder(tmp_path, {"test": 3})
    for path in (tmp_path / "Annotations").iterdir():
        path.unlink()
    found, faults = voc_xml.read(tmp_path, "test", Meaning(voc.USED), labelled=False)
    assert (len(found), len(found.labels), faults) == (3, 0, [])
    assert found.sizes.tolist() == [[70, 50], [50, 70], [70, 50]]
    assert len(voc_xml.read(tmp_path, "test", Meaning(voc.USED)).findings) == 3


def test_bad_xml_and_duplicates(tmp_path):
    voc.folder(tmp_path, {"train": 2})
    (tmp_path / "Annotations" / "000001.xml").write_text("<annotation><size>")
    (tmp_path / "ImageSets" / "Main" / "train.txt").write_text("000001\n000002\n000002\n")
    found = voc_xml.read(tmp_path, "train", Meaning(voc.USED))
    assert told(found) == [
        ("train.txt", "image 000002", "duplicate id", True),
        ("000001.xml", "image 000001", "bad XML", True),
    ]
    assert found.findings[1].text == "no element found: line 1, column 18"
    assert list(found.annotations.names) == ["000002"]


@pytest.mark.parametrize(
    ("box", "kind"),
    [
        ((20, 20, 20, 20), "zero size"),
        ((20, 20, 20, 30), "zero size"),
        ((30, 20, 20, 30), "swapped corners"),
        ((71, 10, 90, 20), "outside the image"),
        ((-20, 10, 0, 20), "outside the image"),
        (("nan", 10, 20, 20), "not a box"),
        (("", 10, 20, 20), "not a box"),
        (("1e400", 10, 20, 20), "not a box"),
    ],
)
def test_bad_box_is_left_out(tmp_path, box, kind):
    found = voc_xml.read(one_image(tmp_path, (1, 1, 9, 9), box), "train", Meaning(["ant"]))
    assert told(found) == [("000001.xml", "object 2 (ant)", kind, True)]
    assert found.annotations.boxes.tolist() == [[0, 0, 9, 9]]


def test_whole_image_is_no_finding(tmp_path):
    found, faults = voc_xml.read(one_image(tmp_path, (1, 1, 70, 50), (70, 50, 71, 51)), "train", Meaning(["ant"]))
    assert found.boxes.tolist() == [[0, 0, 70, 50], [69, 49, 70, 50]]
    assert [(finding.name, finding.kind, finding.fatal) for finding in faults] == [
        ("object 2 (ant)", "one pixel outside", False)
    ]


@pytest.mark.parametrize(
    ("corners", "edges"),
    [
        # xmin 3, ymin 5, xmax 22, ymax 30: pixels 3 to 22 counted from 1 are the edges 2 and 22, and so on.
        ("inclusive_1", [2, 4, 22, 30]),
        ("inclusive_0", [3, 5, 23, 31]),
        ("exclusive_0", [3, 5, 22, 30]),
    ],
)
def test_corners(tmp_path, corners, edges):
    found, faults = voc_xml.read(one_image(tmp_path, (3, 5, 22, 30)), "train", Meaning(["ant"], corners))
    assert (found.boxes.tolist(), faults) == ([edges], [])
    assert found.area.tolist() == [(edges[2] - edges[0]) * (edges[3] - edges[1])]


@pytest.mark.parametrize(
    ("corners", "box"),
    [("inclusive_1", (1, 1, 70, 50)), ("inclusive_0", (0, 0, 69, 49)), ("exclusive_0", (0, 0, 70, 50))],
)
def test_a_box_around_the_whole_image(tmp_path, corners, box):
    found, faults = voc_xml.read(one_image(tmp_path, box), "train", Meaning(["ant"], corners))
    assert (found.boxes.tolist(), faults) == ([[0, 0, 70, 50]], [])


def test_ignored_names_are_a_crowd_of_every_class(tmp_path):
    voc.folder(tmp_path, {"train": 1}, ("ant", "bee", "blur"))
    boxes = {"bee": (1, 1, 9, 9), "blur": (11, 11, 30, 40)}
    voc.annotate(tmp_path, "000001", [{"name": name, "box": box} for name, box in boxes.items()], (70, 50))
    found, faults = voc_xml.read(tmp_path, "train", Meaning(["ant", "bee"], ignore=["blur"]))
    assert faults == []
    assert found.boxes.tolist() == [[0, 0, 9, 9], [10, 10, 30, 40], [10, 10, 30, 40]]
    assert (found.labels.tolist(), found.crowd.tolist()) == ([1, 0, 1], [False, True, True])
    assert found.area.tolist() == [81, 600, 600]


def test_what_is_ignored_is_annotated(tmp_path):
    """A slip would train on what it was to leave aside."""
    voc.folder(tmp_path, {"train": 1}, ("ant", "bee", "blur"))
    names = [{"name": name, "box": (1, 1, 9, 9)} for name in ("ant", "blur")]
    voc.annotate(tmp_path, "000001", names, (70, 50))
    with pytest.raises(InputError, match=r"data.ignore blurr: nothing in .* has that name; did you mean 'blur'\?"):
        VocFormat(str(tmp_path), ignore=["blurr"], val=None, test=None)
    assert VocFormat(str(tmp_path), ignore=["blur"], val=None, test=None).class_names == ["ant"]


def test_detections_in_an_ignored_region_count_neither_way(tmp_path):
    """One object that is found, and a detection of the other class within the region: as if it were not there."""
    voc.folder(tmp_path, {"train": 1}, ("ant", "bee", "blur"))
    shown = [{"name": "ant", "box": (1, 1, 20, 20)}, {"name": "blur", "box": (25, 25, 50, 60)}]
    voc.annotate(tmp_path, "000001", shown, (70, 50))
    found = Detections(
        torch.tensor([[30.0, 30, 40, 40], [0, 0, 20, 20]]), torch.tensor([0.9, 0.8]), torch.tensor([0, 0])
    )
    # As a class of its own it is not found (0), and the first detection is wrong (a precision of one half for ants).
    for ignore, expected in (("blur",), 100.0), ((), 25.0):
        meaning = Meaning(["ant", "bee"] if ignore else ["ant", "bee", "blur"], ignore=ignore)
        metric = CocoAP()
        metric.update([found], [voc_xml.read(tmp_path, "train", meaning).annotations.target(0)])
        assert float(metric.compute()["ap50"]) == pytest.approx(expected, abs=0.5)


@pytest.mark.parametrize(
    ("value", "difficult"), [("1", True), ("True", True), (" yes ", True), ("0", False), ("false", False), ("", False)]
)
def test_difficult_in_words(tmp_path, value, difficult):
    one_image(tmp_path, (1, 1, 9, 9))
    voc.annotate(tmp_path, "000001", [{"name": "ant", "difficult": value, "box": (1, 1, 9, 9)}])
    found, faults = voc_xml.read(tmp_path, "train", Meaning(["ant"]))
    assert (found.difficult.tolist(), faults) == ([difficult], [])


def test_difficult_that_says_nothing(tmp_path):
    one_image(tmp_path, (1, 1, 9, 9))
    voc.annotate(tmp_path, "000001", [{"name": "ant", "difficult": "perhaps", "box": (1, 1, 9, 9)}])
    found = voc_xml.read(tmp_path, "train", Meaning(["ant"]))
    assert told(found) == [("000001.xml", "object 1 (ant)", "bad flag", True)]
    assert len(found.annotations.labels) == 0


XML = """<annotation><object><name>{}</name><bndbox>
<xmin>1</xmin><ymin>1</ymin><xmax>9</xmax><ymax>9</ymax></bndbox></object></annotation>"""


@pytest.mark.parametrize("codec", ["gb2312", "gb18030", "big5", "shift_jis", "euc-kr", "utf-16", "utf-8", "latin-1"])
def test_encodings(tmp_path, codec):
    name = {"latin-1": "caf\u00e9", "euc-kr": "\ud55c"}.get(codec, "\u4e2d")
    one_image(tmp_path, (1, 1, 9, 9))
    content = f'<?xml version="1.0" encoding="{codec}"?>\n{XML.format(name)}'.encode(codec)
    (tmp_path / "Annotations" / "000001.xml").write_bytes(content)
    assert voc_xml.class_names(tmp_path) == [name]
    found, faults = voc_xml.read(tmp_path, "train", Meaning([name]))
    assert (found.boxes.tolist(), faults) == ([[0, 0, 9, 9]], [])


@pytest.mark.parametrize(
    ("codec", "content", "text"),
    [
        ("klingon", b"", "its encoding 'klingon' is not known; save it as UTF-8"),
        ("zip", b"", "its encoding 'zip' is not known; save it as UTF-8"),
        ("gb2312", b"\xff\xff", "it is not in gb2312, the encoding that it declares; save it as UTF-8"),
        ("gb2312", b"<", "not well-formed (invalid token): line 1, column 1"),
    ],
)
def test_encodings_that_cannot_be_read(tmp_path, codec, content, text):
    one_image(tmp_path, (1, 1, 9, 9))
    start = f'<?xml version="1.0" encoding="{codec}"?>'.encode()
    (tmp_path / "Annotations" / "000001.xml").write_bytes(start + content + XML.format("ant").encode())
    (finding,) = voc_xml.read(tmp_path, "train", Meaning(["ant"])).findings
    assert (finding.kind, finding.text) == ("bad XML", text)


def test_lists_with_a_byte_order_mark_spaces_and_foreign_bytes(tmp_path):
    voc.folder(tmp_path, {"train": 3})
    for folder, suffix in (("Annotations", "xml"), ("JPEGImages", "jpg")):
        (tmp_path / folder / f"000003.{suffix}").rename(tmp_path / folder / f"my photo 1.{suffix}")
    path = tmp_path / "ImageSets" / "Main" / "train.txt"
    path.write_bytes(b"\xef\xbb\xbf000001  -1\r\n  000002 \r\nmy photo 1\r\n")
    found, faults = voc_xml.read(tmp_path, "train", Meaning(voc.USED))
    assert (list(found.names), faults) == (["000001", "000002", "my photo 1"], [])
    path.write_text("my photo 1\n")
    assert voc_xml.splits(tmp_path) == ["train"]
    path.write_bytes(b"000001\ncaf\xe9\n")
    with pytest.raises(InputError) as raised:
        voc_xml.read(tmp_path, "train", Meaning(voc.USED))
    assert str(raised.value) == f"{path}, line 2: byte 0xe9 is no UTF-8; save the list as UTF-8"


def test_the_folder_above_names_the_one_meant(tmp_path):
    voc.write(tmp_path)
    for root in (tmp_path, tmp_path / "VOCdevkit"):
        with pytest.raises(InputError, match=f"did you mean {tmp_path}/VOCdevkit/VOC2007\\?"):
            voc_xml.splits(root)


def test_folders_that_count_from_zero(tmp_path):
    """Their boxes move by a pixel, as in every reader of VOC; what then sticks out is clipped and noted."""
    found, faults = voc_xml.read(one_image(tmp_path, (0, 0, 69, 49)), "train", Meaning(["ant"]))
    assert found.boxes.tolist() == [[0, 0, 69, 49]]
    assert faults[0].text == "bndbox 0 0 69 49; it sticks out of 70 x 50 pixels by one; corners may count otherwise"
    assert not faults[0].fatal


def test_unknown_category(tmp_path):
    one_image(tmp_path, (1, 1, 9, 9), names=("tvmonitor",))
    found = voc_xml.read(tmp_path, "train", Meaning(["monitor", "person"]))
    assert told(found) == [("000001.xml", "object 1 (tvmonitor)", "unknown category", True)]
    assert found.findings[0].text == "there is no class of this name; did you mean 'monitor'?"
    assert len(found.annotations.labels) == 0


def test_decimals_and_no_difficult_flag(tmp_path):
    found, faults = voc_xml.read(one_image(tmp_path, ("45.70", "1.5", " 60 ", 20)), "train", Meaning(["ant"]))
    assert faults == []
    assert found.boxes.tolist() == [[pytest.approx(44.7), 0.5, 60, 20]]
    assert found.difficult.tolist() == [False]


def test_other_size(tmp_path):
    (finding,) = voc_xml.read(one_image(tmp_path, (1, 1, 9, 9), size=(70, 50)), "train", Meaning(["ant"])).findings
    assert (finding.name, finding.kind) == ("image 000001.jpg", "other size")
    assert finding.text == "annotated as 50 x 70 pixels, but the file has 70 x 50, perhaps after its EXIF rotation"
    for unstated in ((0, 0), ("", "")):
        found, faults = voc_xml.read(one_image(tmp_path, (1, 1, 9, 9), size=unstated), "train", Meaning(["ant"]))
        assert (found.sizes.tolist(), faults) == ([[50, 70]], [])


def test_years_joined(tmp_path):
    """07+12: the years keep their numbers apart."""
    devkit = voc.write(tmp_path) / "VOCdevkit"
    parts = [voc_xml.read(devkit / f"VOC{year}", "trainval", Meaning(VOC_CLASSES)) for year in (2007, 2012)]
    found = findings.join(parts).annotations
    assert found.folder == devkit
    assert found.image_ids.tolist() == [*range(2007000, 2007007), *range(2012000, 2012007)]
    assert found.files[6:8] == ["VOC2007/JPEGImages/2007006.jpg", "VOC2012/JPEGImages/2012000.jpg"]
    assert all(found.path(index).is_file() for index in range(14))
    second = parts[1].annotations
    assert torch.equal(found.target(7).boxes, second.target(0).boxes)
    assert len(found.target(7).boxes) == 2


def test_blood_cells(real_images):
    root = real_images / "bccd"
    names = voc_xml.class_names(root)
    assert names == ["Platelets", "RBC", "WBC"]
    readings = {split: voc_xml.read(root, split, Meaning(names)) for split in ("train", "val", "test")}
    assert [len(reading.annotations) for reading in readings.values()] == [205, 87, 72]
    assert sum(len(reading.annotations.labels) for reading in readings.values()) == 4888 - 2
    assert [told(reading) for reading in readings.values()] == [
        [("BloodImage_00343.xml", "object 4 (RBC)", "zero size", True)],
        [("BloodImage_00338.xml", "object 13 (RBC)", "zero size", True)],
        [],
    ]
