import importlib
from pathlib import Path

import pytest

from lit_vision.data.fetch import catalog
from lit_vision.data.module import DataModule
from lit_vision.errors import InputError

NAMES = [entry.name for entry in catalog.every()]


def test_names():
    classes = ["digits", "cifar10", "cifar100", "imagenet", "image_folder"]
    boxes = ["digit_scenes", "coco2017", "coco2014", "voc2007", "voc2012", "imagenet_loc", "imagenet_det"]
    own = ["coco_format", "voc_format"]
    assert classes + boxes + own == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_class_path_is_a_data_set(name):
    entry = catalog.find(name)
    module, _, attribute = entry.data.rpartition(".")
    cls = getattr(importlib.import_module(module), attribute)
    assert issubclass(cls, DataModule)
    if entry.classes and name != "image_folder":
        assert cls().num_classes == entry.classes


@pytest.mark.parametrize("name", NAMES)
def test_every_field_is_told(name):
    entry = catalog.find(name)
    assert all([entry.images, entry.size, entry.licence, entry.checksum, entry.root, entry.tree, entry.how])


@pytest.mark.parametrize("name", ["cifar10", "cifar100", "imagenet", "image_folder", "imagenet_loc", "imagenet_det"])
def test_trees_leave_the_root_open_and_nothing_else(name):
    shown = catalog.find(name).tree.replace("{root}", "/r")
    assert "/r/" in shown
    assert "{" not in shown


@pytest.mark.parametrize("name", ["cifar10", "cifar100", "imagenet", "imagenet_loc", "imagenet_det"])
def test_default_root_is_that_of_the_class(name):
    module, _, attribute = catalog.find(name).data.rpartition(".")
    cls = getattr(importlib.import_module(module), attribute)
    assert cls().root == Path(catalog.find(name).root)


def test_unknown_name():
    with pytest.raises(InputError, match=r"^no data set 'cifar1O'; did you mean 'cifar10'\?$"):
        catalog.find("cifar1O")
    with pytest.raises(
        InputError, match="no data set 'svhn'; choose from: cifar10, cifar100, coco2014, coco2017, coco_format, "
    ):
        catalog.find("svhn")
