import json
import math
import re

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.datasets import CocoDetection

from lit_vision.data.formats import coco_json, findings
from lit_vision.data.formats.coco_json import Category
from lit_vision.data.names import COCO_CATEGORIES
from lit_vision.data.pipelines import decode
from lit_vision.errors import InputError
from tests.twins import coco

CATEGORIES = [Category(*pair) for pair in COCO_CATEGORIES]


@pytest.fixture(autouse=True)
def _cache(monkeypatch, tmp_path_factory):
    monkeypatch.setenv("LIT_VISION_CACHE", str(tmp_path_factory.mktemp("cache")))


def read(root, split="val2017", **options):
    return coco_json.read(root / "annotations" / f"instances_{split}.json", root / split, **options)


def spoil(root, change, split="val2017"):
    """The findings after a change of the file's content, as (name, kind, fatal), and the annotations."""
    path = root / "annotations" / f"instances_{split}.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    found = read(root, split)
    assert all(finding.file == path for finding in found.findings)
    return [(finding.name, finding.kind, finding.fatal) for finding in found.findings], found


def entry(content, number):
    return next(item for item in content["annotations"] if item["id"] == number)


def test_boxes_labels_and_all_else(tmp_path):
    found, faults = read(coco.write(tmp_path))
    assert faults == []
    assert found.folder == tmp_path / "val2017"
    assert list(found.files) == ["000000030000.jpg", "000000030001.jpg", "000000030002.jpg"]
    assert found.image_ids.tolist() == [30000, 30001, 30002]
    assert found.sizes.tolist() == [[80, 60], [60, 80], [80, 60]]
    assert found.starts.tolist() == [0, 1, 3, 3]
    # x, y, width, height 2.5 4.25 20.5 24.75; ids 1, 13, 90 are positions 0, 11, 79 of the 80 categories
    assert found.target(0).boxes.tolist() == [[2.5, 4.25, 23.0, 29.0]]
    assert found.labels.tolist() == [0, 79, 11]  # in the file's order within an image
    assert found.crowd.tolist() == [False, True, False]
    assert found.area.tolist() == [20.5 * 24.75 / 2] * 3
    assert not found.difficult.any()
    dtypes = [found.boxes.dtype, found.labels.dtype, found.crowd.dtype, found.area.dtype, found.starts.dtype]
    assert dtypes == [torch.float64, torch.int64, torch.bool, torch.float64, torch.int64]


def test_agrees_with_torchvision(tmp_path):
    root = coco.write(tmp_path, {"train2017": 6})
    found = read(root, "train2017").annotations
    other = CocoDetection(root / "train2017", root / "annotations" / "instances_train2017.json")
    ids = [category.id for category in CATEGORIES]
    for index in range(len(found)):
        image, expected = other[index]
        target = found.target(index)
        expected = sorted(expected, key=lambda one: one["bbox"])
        mine = sorted(zip(target.original_boxes.tolist(), target.labels.tolist(), strict=True))
        assert [[x1, y1, x2 - x1, y2 - y1] for (x1, y1, x2, y2), _ in mine] == [one["bbox"] for one in expected]
        assert [ids[label] for _, label in mine] == [one["category_id"] for one in expected]
        assert torch.equal(decode.read(found.path(index)), torch.from_numpy(np.array(image)).permute(2, 0, 1))


def test_categories(tmp_path):
    root = coco.write(tmp_path, categories=((90, "b"), (7, "c"), (13, "a")), used=(90, 7, 13))
    path = root / "annotations" / "instances_val2017.json"
    assert coco_json.categories(path) == [Category(7, "c"), Category(13, "a"), Category(90, "b")]
    assert read(root).annotations.labels.tolist() == [2, 1, 0]


def test_categories_of_coco_are_the_constant(tmp_path):
    assert coco_json.categories(coco.write(tmp_path) / "annotations" / "instances_val2017.json") == CATEGORIES
    assert (len(CATEGORIES), CATEGORIES[79]) == (80, (90, "toothbrush"))


def test_what_is_asked_before_reading_is_parsed_once(tmp_path, monkeypatch):
    path = coco.write(tmp_path) / "annotations" / "instances_val2017.json"
    assert coco_json.first_image(path) == "000000030000.jpg"
    with monkeypatch.context() as patch:
        patch.setattr(coco_json, "_load", lambda file: pytest.fail(f"{file} was parsed again"))
        assert coco_json.first_image(path) == "000000030000.jpg"
        assert coco_json.categories(path) == CATEGORIES
    path.write_text('{"images": [], "categories": [{"id": 3, "name": "other"}]}')
    assert coco_json.categories(path) == [Category(3, "other")]
    assert coco_json.first_image(path) == ""


def test_categories_of_another_split(tmp_path):
    """A split may lack classes; the same number for something else is refused."""
    root = coco.write(tmp_path, categories=((1, "ant"), (13, "bee")), used=(1, 13))
    more = [Category(0, "wasp"), Category(1, "ant"), Category(13, "bee")]
    assert read(root, categories=more).annotations.labels.tolist() == [1, 1, 2]
    path = root / "annotations" / "instances_val2017.json"
    with pytest.raises(InputError) as raised:
        read(root, categories=[Category(1, "ant"), Category(13, "cat")])
    assert str(raised.value) == (
        f"{path}: category 13 is 'bee' here, but 'cat' in the training annotations; all splits need the same categories"
    )


def test_images_without_objects_stay(tmp_path):
    found = read(coco.write(tmp_path)).annotations
    empty = found.target(2)
    assert (empty.boxes.shape, empty.labels.shape, empty.area.shape) == ((0, 4), (0,), (0,))


def test_a_test_set_has_no_annotations(tmp_path):
    root = coco.write(tmp_path)
    path = root / "annotations" / "instances_val2017.json"
    content = json.loads(path.read_text())
    objects = content.pop("annotations")
    path.write_text(json.dumps(content))
    found, faults = read(root, labelled=False)
    assert (len(found), len(found.labels), faults) == (3, 0, [])
    assert found.boxes.shape == (0, 4)

    with pytest.raises(InputError) as raised:
        read(root)
    assert str(raised.value) == (
        f"{path}: there is no list `annotations`, only categories, images;\n"
        "name it so, or give the file as data.test if its objects are not public"
    )
    path.write_text(json.dumps(content | {"annotatons": objects}))
    with pytest.raises(InputError, match="only annotatons, categories, images"):
        read(root, labelled=False)
    path.write_text(json.dumps(content | {"annotations": None}))
    with pytest.raises(InputError, match="annotations is None; it must be a list of objects"):
        read(root, labelled=False)


def test_id_list(tmp_path):
    root = coco.write_2014(tmp_path)
    lists = root / "annotations"
    mini = read(root, "val2014", ids=lists / "ids_minival2014.txt").annotations
    rest = read(root, "val2014", ids=lists / "ids_valminusminival2014.txt").annotations
    assert mini.image_ids.tolist() == [20001, 20003]
    assert rest.image_ids.tolist() == [20000, 20002]
    whole = read(root, "val2014").annotations
    assert torch.equal(mini.boxes, whole.take(torch.tensor([1, 3])).boxes)
    (lists / "ids.txt").write_text("20001\n7\n8\n")
    with pytest.raises(InputError, match=r"ids.txt: 2 of its 3 image ids are not in .*instances_val2014.json, as 7$"):
        read(root, "val2014", ids=lists / "ids.txt")
    (lists / "ids.txt").write_text("20001\nabc\n")
    with pytest.raises(InputError, match=r"expected one image id \(a number\) a line; got 'abc'"):
        read(root, "val2014", ids=lists / "ids.txt")
    with pytest.raises(InputError, match=r"none.txt: the list cannot be read: No such file"):
        read(root, "val2014", ids=lists / "none.txt")

    (lists / "ids.txt").write_bytes(b"\xef\xbb\xbf 20001 \r\n\r\n20003\r\n")
    assert read(root, "val2014", ids=lists / "ids.txt").annotations.image_ids.tolist() == [20001, 20003]
    for wrong in ("9" * 5000, "9" * 20, "-1", "\u00b2"):
        (lists / "ids.txt").write_text(f"20001\n{wrong}\n")
        with pytest.raises(InputError, match=r"expected one image id|1 of its 2 image ids") as raised:
            read(root, "val2014", ids=lists / "ids.txt")
        assert len(str(raised.value)) < 600
    (lists / "ids.txt").write_bytes(b"20001\n\xe9\n")
    with pytest.raises(InputError, match=r"ids.txt, line 2: byte 0xe9 is no UTF-8; save the list as UTF-8"):
        read(root, "val2014", ids=lists / "ids.txt")


def test_joined_splits_lie_below_one_root(tmp_path):
    root = coco.write_2014(tmp_path)
    ids = root / "annotations" / "ids_valminusminival2014.txt"
    parts = [read(root, "train2014"), read(root, "val2014", ids=ids)]
    found = findings.join([findings.below(root, part) for part in parts]).annotations
    assert found.folder == root
    assert found.files[3:5] == ["train2014/COCO_train2014_000000010003.jpg", "val2014/COCO_val2014_000000020000.jpg"]
    assert all(found.path(index).is_file() for index in range(len(found)))
    assert found.image_ids.tolist() == [10000, 10001, 10002, 10003, 20000, 20002]
    assert found.target(5).labels.tolist() == parts[1].annotations.target(1).labels.tolist()
    assert found.starts[-1] == len(found.labels) == sum(len(part.annotations.labels) for part in parts)


BOXES = {
    "zero size": ([5, 5, 0, 9], [5, 5, 0.001, 9]),
    "swapped corners": ([5, 5, 9, -3],),
    "outside the image": ([70, 5, 9, 9], [5, 81, 9, 9], [-20, 5, 20, 9]),
    "not a box": ([math.nan, 5, 9, 9], [5, 5, math.inf, 9], [5, 5, 9], None, "box", [5, 5, "x", 9], [None, 5, 9, 9]),
}


@pytest.mark.parametrize(("kind", "box"), [(kind, box) for kind, boxes in BOXES.items() for box in boxes])
def test_bad_box_is_left_out(tmp_path, kind, box):
    told, found = spoil(
        coco.write(tmp_path), lambda content: entry(content, 300000).update(bbox=box)
    )  # of 60 x 80 pixels
    assert told == [("annotation 300000 of image 30000", kind, True)]
    assert found.annotations.starts.tolist() == [0, 0, 2, 2]
    assert len(found.annotations.boxes) == 2


def test_text_of_a_bad_box(tmp_path):
    _, found = spoil(coco.write(tmp_path), lambda content: entry(content, 300000).update(bbox=[70, 5, 9, 9]))
    assert found.findings[0].text == "bbox [70, 5, 9, 9]; no part of it lies within 60 x 80 pixels"


def test_box_that_sticks_out(tmp_path):
    """By up to a pixel it is rounding and stays what the evaluation compares with; beyond, it is clipped and noted."""

    def change(content):
        entry(content, 300000)["bbox"] = [-0.5, 1, 61.2, 79.4]
        entry(content, 300010)["bbox"] = [-30, 10, 200, 20]

    told, found = spoil(coco.write(tmp_path), change)
    assert told == [("annotation 300010 of image 30001", "clipped", False)]
    assert found.annotations.boxes[0].tolist() == [-0.5, 1, pytest.approx(60.7), pytest.approx(80.4)]
    assert [0, 10, 80, 30] in found.annotations.boxes.tolist()


def test_objects_of_nothing_known(tmp_path):
    def change(content):
        entry(content, 300000)["category_id"] = 12
        entry(content, 300010)["image_id"] = 4
        entry(content, 300011)["category_id"] = [1]
        content["annotations"].append("nonsense")

    told, found = spoil(coco.write(tmp_path), change)
    assert set(told) == {
        ("annotations[3]", "bad annotation", True),
        ("annotation 300010 of image 4", "unknown image", True),
        ("annotation 300000 of image 30000", "unknown category", True),
        ("annotation 300011 of image 30001", "unknown category", True),
    }
    assert len(found.annotations.labels) == 0
    assert "category_id 12 is not among the categories" in [finding.text for finding in found.findings]


def test_duplicate_ids(tmp_path):
    def change(content):
        content["annotations"].append(dict(entry(content, 300000), bbox=[1, 1, 2, 2]))
        content["images"].append(dict(content["images"][1], file_name="other.jpg"))

    told, found = spoil(coco.write(tmp_path), change)
    assert told == [
        ("image 30001", "duplicate id", True),
        ("annotation 300000 of image 30000", "duplicate id", True),
    ]
    assert found.annotations.target(0).boxes.tolist() == [[2.5, 4.25, 23.0, 29.0]]


def test_one_file_has_one_id(tmp_path):
    def change(content):
        again = dict(content["images"][0], id=7, file_name="./000000030000.jpg")
        content["images"].append(again)
        content["annotations"].append(dict(entry(content, 300000), id=1, image_id=7))

    told, found = spoil(coco.write(tmp_path), change)
    assert told == [("image 7", "duplicate file", True)]
    assert found.annotations.image_ids.tolist() == [30000, 30001, 30002]
    assert found.findings[0].text == "000000030000.jpg is image 30000 already"
    assert len(found.annotations.labels) == 3


@pytest.mark.parametrize(
    ("value", "crowd"),
    [("0", False), ("1", True), (True, True), (False, False), (1.0, True), ("false", False), (None, False)],
)
def test_iscrowd_as_text_or_number(tmp_path, value, crowd):
    told, found = spoil(coco.write(tmp_path), lambda content: entry(content, 300000).update(iscrowd=value))
    assert told == []
    assert bool(found.annotations.crowd[0]) is crowd


@pytest.mark.parametrize("value", ["maybe", 2, [1], math.inf])
def test_iscrowd_that_says_nothing(tmp_path, value):
    told, found = spoil(coco.write(tmp_path), lambda content: entry(content, 300000).update(iscrowd=value))
    assert told == [("annotation 300000 of image 30000", "bad flag", True)]
    assert len(found.annotations.crowd) == 2


def test_numbers_beyond_what_a_tensor_holds(tmp_path):
    def change(content):
        content["images"][0]["id"] = 2**63
        entry(content, 300000).update(image_id=30001, bbox=[1, 1, 10**400, 4], area=10**400)
        entry(content, 300010).update(id=10**400, area=10**400)

    told, found = spoil(coco.write(tmp_path), change)
    assert told == [
        ("images[0]", "bad image entry", True),
        ("annotation 300000 of image 30001", "not a box", True),
    ]
    assert found.findings[0].text == "id 9223372036854775808 is no number below 2^63"
    assert found.annotations.image_ids.tolist() == [30001, 30002]
    assert found.annotations.area.tolist() == [20.5 * 24.75 / 2, 20.5 * 24.75]  # the box's where the file's is none


def test_a_link_that_ends_nowhere_spoils_no_neighbour(tmp_path):
    root = coco.write(tmp_path)
    (root / "val2017" / "a.jpg").symlink_to("a.jpg")  # a circle
    told, found = spoil(root, lambda content: content["images"][0].update(file_name="a.jpg"))
    assert told == [("image 30000 (a.jpg)", "missing image", True)]
    assert found.annotations.image_ids.tolist() == [30001, 30002]


@pytest.mark.parametrize("name", ["\ud800.jpg", "a\0.jpg"])
def test_a_file_name_that_no_file_can_have(tmp_path, name):
    root = coco.write(tmp_path)
    told, found = spoil(root, lambda content: content["images"][0].update(file_name=name))
    assert told[0] == ("image 30000", "bad image entry", True)
    assert coco_json.first_image(found.findings[0].file) == "000000030001.jpg"
    found.findings[0].text.encode()


def test_annotations_need_no_ids_nor_areas(tmp_path):
    def change(content):
        for item in content["annotations"]:
            del item["id"], item["area"], item["iscrowd"]

    told, found = spoil(coco.write(tmp_path), change)
    assert told == []
    assert found.annotations.area.tolist() == [20.5 * 24.75] * 3
    assert not found.annotations.crowd.any()


def test_bad_image_entries(tmp_path):
    def change(content):
        content["images"][0]["id"] = "first"
        del content["images"][1]["file_name"]
        content["images"].append(3)
        content["annotations"] = []

    told, found = spoil(coco.write(tmp_path), change)
    assert told == [
        ("images[0]", "bad image entry", True),
        ("image 30001", "bad image entry", True),
        ("images[3]", "bad image entry", True),
    ]
    assert found.annotations.image_ids.tolist() == [30002]


def test_missing_unreadable_and_other_images(tmp_path):
    """Their objects go with them, untold: one finding an image."""
    root = coco.write(tmp_path, {"val2017": 5})
    folder = root / "val2017"
    (folder / "000000030000.jpg").unlink()
    (folder / "000000030001.jpg").write_bytes(b"no image")
    Image.new("RGB", (30, 40)).save(folder / "000000030002.jpg")
    told = [finding[1:5] for finding in read(root).findings]
    assert told == [
        ("image 30000 (000000030000.jpg)", "missing image", "there is no such file", True),
        (
            "image 30001 (000000030001.jpg)",
            "unreadable image",
            f"{folder}/000000030001.jpg: not an image that can be read; replace or remove it",
            True,
        ),
        (
            "image 30002 (000000030002.jpg)",
            "other size",
            "annotated as 60 x 80 pixels, but the file has 30 x 40",
            True,
        ),
    ]
    left = read(root).annotations
    assert left.image_ids.tolist() == [30003, 30004]
    assert (left.starts.tolist(), left.labels.tolist()) == ([0, 1, 1], [0])


def test_image_turned_by_exif(tmp_path):
    """The upright size counts; annotations of the pixels as stored would be wrong ones."""
    root = coco.write(tmp_path)
    path = root / "val2017" / "000000030000.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (80, 60)).save(path, exif=exif)
    assert read(root).findings == []  # annotated as 60 x 80
    Image.new("RGB", (60, 80)).save(path, exif=exif)
    (finding,) = read(root).findings
    assert finding.text == "annotated as 60 x 80 pixels, but the file has 80 x 60, perhaps after its EXIF rotation"


def test_sizes_that_are_not_stated_come_from_the_image(tmp_path):
    def change(content):
        for image in content["images"]:
            del image["height"]
            image["width"] = None

    told, found = spoil(coco.write(tmp_path), change)
    assert told == []
    assert found.annotations.sizes.tolist() == [[80, 60], [60, 80], [80, 60]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", r"f.json: not valid JSON \(Expecting property name .*\); was it copied or downloaded whole\?"),
        ("[]", "f.json: not an annotation file in COCO format: expected lists images, .*; got list"),
        ('{"images": []}', "got keys images"),
        ('{"images": [], "categories": []}', "f.json: categories is empty; it must name the classes"),
        ('{"images": [], "categories": [{"id": 1}]}', "each of categories needs a number `id` and a `name`"),
        (
            '{"images": [], "categories": [{"id": 1, "name": "a"}, {"id": 1, "name": "b"}]}',
            "category id 1 is there twice, 'a' and 'b'; ids must be unique",
        ),
        (
            '{"images": [], "categories": [{"id": 1, "name": "a"}, {"id": 5, "name": "b"}, {"id": 7, "name": "a"}]}',
            "categories 1 and 7 are both named 'a'; names must be unique",
        ),
        (
            '{"images": [], "categories": [{"id": 9223372036854775808, "name": "a"}]}',
            r"category 9223372036854775808 \(a\) cannot be used; an id is a number below 2\^63",
        ),
        ('{"images": [], "categories": [{"id": 1e999, "name": "a"}]}', "each of categories needs a number `id`"),
        ("[" * 100_000, "f.json: not valid JSON"),
        ('{"images": ' + "1" * 5000 + "}", "f.json: not valid JSON"),
    ],
)
def test_no_annotation_file(tmp_path, content, message):
    (tmp_path / "f.json").write_text(content)
    with pytest.raises(InputError, match=message) as raised:
        coco_json.read(tmp_path / "f.json", tmp_path)
    assert len(str(raised.value).splitlines()) <= 3
    with pytest.raises(InputError, match=message):
        coco_json.categories(tmp_path / "f.json")


def test_missing_file(tmp_path):
    with pytest.raises(InputError, match=re.escape(f"{tmp_path}/f.json: there is no such annotation file; name")):
        coco_json.read(tmp_path / "f.json", tmp_path)
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations/instances_train.json").touch()
    near = f"did you mean '{tmp_path}/annotations/instances_train.json'?"
    with pytest.raises(InputError, match=re.escape(near)):
        coco_json.read(tmp_path / "instances_train.json", tmp_path)


def test_the_real_coco(real_images):
    root = real_images / "coco_tiny"
    found, faults = read(root, categories=CATEGORIES)
    assert faults == []
    assert (len(found), len(found.labels), int(found.crowd.sum())) == (80, 815, 11)
    assert found.labels.max() == 79
    assert (found.boxes[:, 2:] > found.boxes[:, :2]).all()
