"""Known data sets say how many images their authors published, and what differs from that is told."""

import re

import pytest

from lit_vision.data.cifar import CIFAR10, CIFAR100
from lit_vision.data.coco import COCO
from lit_vision.data.digits import Digits
from lit_vision.data.fetch import catalog
from lit_vision.data.image_folder import ImageFolder
from lit_vision.data.imagenet import ImageNet
from lit_vision.data.voc import VOC
from tests.twins import cifar, coco, folders, imagenet, voc


def ready(data):
    data.setup()
    return data


@pytest.mark.parametrize(
    ("name", "build"),
    [
        ("cifar10", CIFAR10),
        ("cifar100", CIFAR100),
        ("imagenet", ImageNet),
        ("digits", Digits),
        ("coco2017", COCO),
        ("voc2007", VOC),
        ("voc2012", lambda: VOC(train="12", test="12")),
    ],
)
def test_numbers_are_those_of_the_catalogue(name, build, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = re.findall(r"([\d,]+) (?:train|val|test)", catalog.find(name).images)
    assert list(build().official().values()) == [int(number.replace(",", "")) for number in words]


def test_the_splits_of_2014_make_those_of_2017():
    old = COCO(train="trainval35k", val="minival2014").official()
    new = COCO(train="train2017", val="val2017").official()
    assert old == new == {"train": 118_287, "val": 5_000}
    parts = COCO(train="train2014", val="valminusminival2014").official()
    assert sum(parts.values()) == 118_287
    both = COCO(train="trainval2014", val="val2014").official()
    assert both["train"] == parts["train"] + both["val"]
    assert COCO(train="trainval2014", val=None, monitor="test").official() == {"train": both["train"]}
    assert COCO(train="val2014", val="val2014").official()["train"] == parts["val"] + 5_000
    first = COCO(train="train2014", val="first5k2014")  # FPN, Table 6
    assert (first.official()["val"], first.official_split) == (5_000, "val")
    assert COCO(test="test-dev2017").official()["test"] == 20_288
    assert "test" not in COCO(test="test2015").official()  # no sheet of ours says how many


def test_what_a_server_holds_is_the_server_s_split():
    assert (VOC(test="07").official_split, VOC(test="12").official_split) == ("test", "server")


def test_unions_of_voc_are_sums():
    numbers = {train: VOC(train=train, test="12").official()["train"] for train in ("07", "12", "07+12", "07++12")}
    assert numbers == {"07": 5011, "12": 11_540, "07+12": 5011 + 11_540, "07++12": 5011 + 4952 + 11_540}


def test_the_whole_data_set_lacks_nothing():
    data = ready(Digits())
    assert (data.found, data.shortfall()) == ({"train": 1198, "val": 300, "test": 299}, {})


def test_what_differs_is_told(tmp_path):
    data = ready(COCO(str(coco.write(tmp_path / "coco")), batch_size=2))
    assert data.shortfall() == {"train": "6 of 118,287 images", "val": "3 of 5,000 images"}
    assert len(data.splits["train"]) < 6  # images without objects are left out on purpose, and not missing
    data = ready(VOC(str(voc.write(tmp_path / "voc") / "VOCdevkit"), batch_size=2))
    assert data.shortfall() == {"train": "7 of 5,011 images", "test": "3 of 4,952 images"}
    data = ready(ImageNet(str(imagenet.class_folders(tmp_path / "imagenet")), batch_size=4))
    assert data.shortfall()["train"].endswith(" of 1,281,167 images")
    assert data.shortfall()["val"].endswith(" of 50,000 images")


def test_a_share_for_validation_is_not_missing(tmp_path, monkeypatch):
    cifar.install(monkeypatch, tmp_path)
    data = ready(CIFAR10(str(tmp_path), val_fraction=0.5, batch_size=4))
    number = len(data.splits["train"]) + len(data.splits["val"])
    assert data.shortfall()["train"] == f"{number:,} of 50,000 images"


def test_a_users_own_data_lack_nothing(tmp_path):
    assert ready(ImageFolder(str(folders.small(tmp_path)), batch_size=4)).shortfall() == {}
