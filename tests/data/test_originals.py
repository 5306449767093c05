"""Names and pixels of single evaluated images, wherever they come from."""

import torch

from lit_vision.data.digit_scenes import DigitScenes
from lit_vision.data.digits import Digits
from lit_vision.data.image_folder import ImageFolder
from lit_vision.data.pipelines import decode
from lit_vision.data.voc import VocFormat
from tests.twins import folders, voc


def ready(data):
    data.setup()
    return data


def test_files_in_memory_keep_their_names(tmp_path):
    root = folders.small(tmp_path)
    data = ready(ImageFolder(str(root), batch_size=6))
    assert data.image_names("test") == dict(
        enumerate(["ant/000.png", "ant/001.png", "bee/000.png", "bee/001.png", "cat/000.png", "cat/001.png"])
    )
    assert len(data.image_names("val")) == 9
    assert torch.equal(data.original("test", 3), decode.read(root / "test/bee/001.png"))


def test_photographs_are_read_as_they_are(tmp_path):
    root = folders.photographs(tmp_path)
    data = ready(ImageFolder(str(root), batch_size=6))
    assert data.image_names("test")[5] == "cat/001.jpg"
    assert data.original("test", 5).shape == decode.read(root / "test/cat/001.jpg").shape


def test_a_share_of_the_training_images_keeps_its_names(tmp_path):
    root = folders.small(tmp_path, splits={"": 8})
    data = ready(ImageFolder(str(root), val_fraction=0.25, batch_size=6))
    names = data.image_names("test")  # there is no test split: val
    assert names == data.image_names("val")
    for number, name in names.items():
        assert torch.equal(data.original("test", number), decode.read(root / name))


def test_images_without_files_are_told_by_their_position():
    data = ready(Digits(monitor="test"))
    assert data.image_names("val") == data.image_names("test") == {number: str(number) for number in range(299)}
    assert torch.equal(data.original("test", 7), data.splits["test"].images[7])


def test_names_are_no_part_of_the_fingerprint(tmp_path):
    data = ready(ImageFolder(str(folders.small(tmp_path)), batch_size=6))
    before = data.fingerprint()
    data.splits = {name: type(split)(split.images, split.labels) for name, split in data.splits.items()}
    assert data.fingerprint() == before


def test_images_with_boxes(tmp_path):
    voc.folder(tmp_path, {"train": 4, "val": 3}, ("bolt", "nut"))
    data = ready(VocFormat(str(tmp_path), test=None))
    names = data.image_names("test")
    assert names == data.image_names("val")
    assert list(names.values()) == ["000005", "000006", "000007"]
    number = list(names)[1]
    assert torch.equal(data.original("test", number), decode.read(tmp_path / "JPEGImages/000006.jpg"))
    assert ready(DigitScenes(train=2, val=2, test=2)).original("test", 1).shape == (3, 128, 128)
