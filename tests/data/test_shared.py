"""Images that are both trained on and evaluated are found by file and by content, told, kept and, if asked, refused."""

import shutil
import warnings

import pytest
import torch
from PIL import Image

from lit_vision.data import shared
from lit_vision.data.coco import COCO
from lit_vision.data.digit_scenes import DigitScenes
from lit_vision.data.digits import Digits
from lit_vision.data.image_folder import ImageFolder
from lit_vision.data.shared import Shared
from lit_vision.data.voc import VocFormat
from lit_vision.errors import InputError
from tests.twins import coco, folders, voc


@pytest.fixture(autouse=True)
def _cache(monkeypatch, tmp_path_factory):
    monkeypatch.setenv("LIT_VISION_CACHE", str(tmp_path_factory.mktemp("cache")))


def files(folder, *contents):
    folder.mkdir()
    for number, content in enumerate(contents):
        (folder / f"{number}.jpg").write_text(content)
    return [str(folder / f"{number}.jpg") for number in range(len(contents))]


def test_the_same_file_and_the_same_content(tmp_path):
    train = files(tmp_path / "train", "one", "two", "three")
    test = [*files(tmp_path / "test", "six", "two", "other", "one!"), f"{tmp_path}/test/../train/2.jpg"]
    assert shared.find(train, test) == Shared([1, 4], 5, 5)
    assert shared.find(train, test[2:4]) == Shared([], 2, 2)
    assert shared.find(train, [*test, str(tmp_path / "missing.jpg")]) == Shared([1, 4], 6, 6)


def test_only_files_of_a_common_size_are_read_and_only_once(tmp_path, monkeypatch):
    train = files(tmp_path / "train", "one", "three", "fifteen")
    test = files(tmp_path / "test", "two", "one", "other size")
    read, digest = [], shared._digest
    monkeypatch.setattr(shared, "_digest", lambda path: read.append(path) or digest(path))
    assert shared.find(train, test).indices == [1]
    assert sorted(read) == sorted([train[0], test[0], test[1]])
    assert shared.find(train, test).indices == [1]
    assert len(read) == 3
    (tmp_path / "test" / "0.jpg").write_text("one")
    assert shared.find(train, test).indices == [0, 1]


def test_of_very_many_files_some_are_compared_by_content_and_all_by_name(tmp_path, monkeypatch):
    monkeypatch.setattr(shared, "_MOST", 3)
    train = files(tmp_path / "train", "a", "b", "c", "d", "e")
    test = [*files(tmp_path / "test", "a", "b", "c"), train[3], train[4]]
    assert shared.find(train, test) == Shared([0, 2, 3, 4], 5, 3)  # every second by content, of which 4 by its file
    facts = shared.watch({"train": train, "test": test}, lambda split, index: f"{split} {index}", "warn")
    assert facts["test"]["compared"] == 3


def test_pixels_in_memory():
    images = torch.arange(6, dtype=torch.uint8).view(6, 1, 1, 1).expand(6, 3, 2, 2)
    assert shared.find(images[:4], images[2:]) == Shared([0, 1], 4, 4)
    assert shared.find(images[:4], images[:, :, :1]) == Shared([], 6, 6)


def own(tmp_path, test="train"):
    """A VOC folder of which two of the three test images are trained on, one by its name and one under another."""
    voc.folder(tmp_path, {"train": 4, "val": 2, "test": 2})
    path = tmp_path / "ImageSets" / "Main" / "test.txt"
    path.write_text(path.read_text() + "000002\n")
    shutil.copy(tmp_path / "JPEGImages" / "000003.jpg", tmp_path / "JPEGImages" / "000007.jpg")
    return str(tmp_path)


TOLD = "2 of 3 test images are also trained on, as 000007, 000002"


def test_a_folder_in_voc_format_warns_once_with_count_and_examples(tmp_path):
    data = VocFormat(own(tmp_path), batch_size=2, keep_empty=True)
    with pytest.warns(UserWarning, match=f"^{TOLD}\n") as told:
        data.setup()
    assert len(told) == 1
    assert data.overlaps == {"test": {"shared": 2, "images": 3, "compared": 3, "examples": ["000007", "000002"]}}


def test_refuse_and_ignore(tmp_path):
    root = own(tmp_path)
    with pytest.raises(InputError) as raised:
        VocFormat(root, batch_size=2, keep_empty=True, overlap="refuse").setup()
    assert str(raised.value) == f"{TOLD}\nkeep them in one of the two, or accept it by data.overlap: warn"
    data = VocFormat(root, batch_size=2, keep_empty=True, overlap="ignore")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data.setup()
    assert data.overlaps == {}


def test_class_folders(tmp_path):
    root = folders.photographs(tmp_path)
    shutil.copy(root / "train" / "ant" / "002.jpg", root / "val" / "bee" / "again.jpg")
    data = ImageFolder(str(root), batch_size=4)
    with pytest.warns(UserWarning, match="1 of 10 val images are also trained on, as bee/again.jpg"):
        data.setup()
    assert list(data.overlaps) == ["val"]


def test_a_share_of_the_training_images_is_compared_too(tmp_path):
    """One picture twice in a folder may be trained on and watched."""
    for name in ("ant", "bee"):
        for number in range(10):
            folders.save(
                tmp_path / name / f"{number}.png", folders.picture(8, 8, 0, 2, 99 if name == "ant" else number)
            )
    with pytest.warns(UserWarning, match="2 of 4 val images are also trained on, as ant/"):
        ImageFolder(str(tmp_path), val_fraction=0.2, batch_size=4).setup()


def test_a_split_trained_on_and_tested_on(tmp_path):
    data = COCO(str(coco.write(tmp_path)), val="train2017", batch_size=2, keep_empty=True)
    with pytest.warns(UserWarning, match="6 of 6 val images are also trained on"):
        data.setup()


@pytest.mark.parametrize("build", [Digits, lambda: DigitScenes(train=8, val=2, test=2, batch_size=4)])
def test_the_embedded_data_share_nothing(build):
    data = build()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data.setup()
    assert data.overlaps == {}


def test_a_file_that_cannot_be_read_is_left_to_the_decoder(tmp_path):
    path = tmp_path / "a.jpg"
    Image.new("RGB", (4, 4)).save(path)
    assert shared.find([str(path)], [str(tmp_path)]) == Shared([], 1, 1)
