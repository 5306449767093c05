import os
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from lit_vision.data.image_folder import ImageFolder
from lit_vision.data.pipelines import decode, photos
from lit_vision.data.pipelines.small import SmallImages
from lit_vision.errors import InputError
from tests.twins import folders


def ready(root=None, **options):
    data = ImageFolder(None if root is None else str(root), **options)
    data.setup()
    return data


def counts(data):
    return {name: split.labels.bincount(minlength=data.num_classes).tolist() for name, split in data.splits.items()}


def test_all_three_splits(tmp_path):
    data = ready(folders.small(tmp_path))
    assert data.class_names == ["ant", "bee", "cat"]
    assert counts(data) == {"train": [8] * 3, "val": [3] * 3, "test": [2] * 3}
    assert data.test_split == "test"
    first = decode.read(tmp_path / "val" / "bee" / "000.png")
    assert torch.equal(data.splits["val"].images[3], first)
    assert data.splits["val"].labels[3] == 1


def test_val_is_split_off_where_there_is_test_but_no_val(tmp_path, capsys):
    root = folders.small(tmp_path, splits={"train": 10, "test": 2})
    data = ready(root, val_fraction=0.2)
    assert counts(data) == {"train": [8] * 3, "val": [2] * 3, "test": [2] * 3}
    assert data.num_train == ImageFolder(str(root), val_fraction=0.2).num_train == 24
    other = ready(root, val_fraction=0.2, seed=5)
    assert torch.equal(other.splits["val"].images, data.splits["val"].images)


def test_the_split_is_printed(tmp_path, caplog):
    with caplog.at_level("INFO"):
        ready(folders.small(tmp_path, splits={"train": 10, "test": 2}), val_fraction=0.2)
    assert "val: 6 of 30 training images, stratified" in caplog.text
    assert "images: all 8x8, held in memory (pipeline lit_vision.data.pipelines.small.SmallImages)" in caplog.text


def test_size_known_before_setup_is_exact(tmp_path):
    """13 images a class, a tenth of them: one each, not 10 % of all 39."""
    root = folders.small(tmp_path, splits={"train": 13, "test": 1})
    data = ImageFolder(str(root), val_fraction=0.1)
    before = data.num_train
    data.setup()
    assert before == data.num_train == 36
    assert ImageFolder(str(root), monitor="test").num_train == 39


def test_a_class_of_one_image_stays_in_training(tmp_path):
    root = folders.small(tmp_path, splits={"": 6})
    for path in sorted((root / "cat").iterdir())[1:]:
        path.unlink()
    assert counts(ready(root, val_fraction=0.5)) == {"train": [3, 3, 1], "val": [3, 3, 0]}


def test_monitor_test(tmp_path):
    data = ready(folders.small(tmp_path, splits={"train": 4, "test": 2}), monitor="test")
    assert counts(data) == {"train": [4] * 3, "test": [2] * 3}
    watched = torch.cat([batch.images for batch in data.val_dataloader()])
    assert torch.equal(watched, data.splits["test"].images)


def test_monitor_test_goes_before_a_val_split(tmp_path):
    data = ready(folders.small(tmp_path), monitor="test")
    assert sum(len(batch.targets) for batch in data.val_dataloader()) == 6  # test has 2 of each class, val 3


def test_monitor_test_without_test(tmp_path):
    root = folders.small(tmp_path, splits={"train": 4, "val": 2})
    with pytest.raises(
        InputError, match=r"data\.monitor is test, but the data have no test split; set data\.monitor to val"
    ):
        ready(root, monitor="test")


def test_one_folder_of_classes(tmp_path, caplog):
    data = ready(folders.small(tmp_path, splits={"": 10}), val_fraction=0.3)
    assert counts(data) == {"train": [7] * 3, "val": [3] * 3}
    assert data.test_split == "val"


@pytest.mark.parametrize("splits", [{"": 4}, {"train": 4}, {"train": 4, "test": 2}])
def test_neither_val_nor_a_way_to_one(tmp_path, splits):
    with pytest.raises(InputError) as error:
        ready(folders.small(tmp_path, splits=splits))
    assert str(error.value) == (
        "ImageFolder has no val split; split one off by data.val_fraction (e.g. 0.1), "
        "or watch the test split by data.monitor: test"
    )


def test_splits_given_one_by_one(tmp_path):
    for name, count in (("a", 5), ("b", 3), ("c", 2)):
        folders.small(tmp_path / name, splits={"": count})
    train, val, test = (str(tmp_path / name) for name in "abc")
    assert counts(ready(train=train, val=val, test=test)) == {"train": [5] * 3, "val": [3] * 3, "test": [2] * 3}
    assert counts(ready(train=train, val=val)) == {"train": [5] * 3, "val": [3] * 3}
    assert counts(ready(train=train, test=test, monitor="test")) == {"train": [5] * 3, "test": [2] * 3}
    assert counts(ready(train=train, val=train)) == {"train": [5] * 3, "val": [5] * 3}  # the same folder twice


def test_a_given_split_goes_before_the_roots(tmp_path):
    root = folders.small(tmp_path / "root")
    other = folders.small(tmp_path / "other", splits={"": 4})
    assert counts(ready(root, val=str(other))) == {"train": [8] * 3, "val": [4] * 3, "test": [2] * 3}


def test_test_runs_on_val_and_says_so(tmp_path, caplog):
    data = ready(folders.small(tmp_path, splits={"train": 4, "val": 2}))
    with caplog.at_level("INFO"):
        tested = torch.cat([batch.images for batch in data.test_dataloader()])
    assert "the data have no test split: testing on val" in caplog.text
    assert torch.equal(tested, data.splits["val"].images)


def test_empty_class_folder(tmp_path):
    root = folders.small(tmp_path)
    (root / "val" / "bee" / "notes.txt").write_text("no image")
    for path in (root / "val" / "bee").glob("*.png"):
        path.unlink()
    with pytest.raises(InputError, match=r"val/bee holds no image; fill it or remove it$"):
        ImageFolder(str(root))


@pytest.mark.parametrize(
    ("remove", "message"),
    [
        (
            "train/bee",
            r"the classes of val \(.*val\) are not those of train \(.*train\):\nonly in val: bee; only in train: -; ",
        ),
        ("val/bee", r"the classes of val \(.*\) are not those of train \(.*\):\nonly in val: -; only in train: bee; "),
        (
            "test/cat",
            r"the classes of test \(.*\) are not those of train \(.*\):\nonly in test: -; only in train: cat; ",
        ),
    ],
)
def test_other_classes(tmp_path, remove, message):
    root = folders.small(tmp_path)
    shutil.rmtree(root / remove)
    with pytest.raises(InputError, match=message + "every split needs the same class folders"):
        ImageFolder(str(root))


def test_misspelt_class(tmp_path):
    root = folders.small(tmp_path)
    (root / "val" / "bee").rename(root / "val" / "Bee")
    with pytest.raises(InputError, match="only in val: Bee; only in train: bee; "):
        ImageFolder(str(root))


def test_missing_folders(tmp_path):
    root = folders.small(tmp_path / "root")
    with pytest.raises(InputError, match=r"data\.root .*gone: there is no such folder$"):
        ImageFolder(str(tmp_path / "gone"))
    with pytest.raises(InputError, match=r"data\.val .*gone: there is no such folder$"):
        ImageFolder(str(root), val=str(tmp_path / "gone"))
    with pytest.raises(
        InputError, match=r"no training images: give data\.root .* or data\.train; got root None, train None"
    ):
        ImageFolder()
    with pytest.raises(InputError, match=r"got root None, train None, val .*root/val, test None$"):
        ImageFolder(val=str(root / "val"))
    (tmp_path / "flat").mkdir()
    folders.save(tmp_path / "flat" / "a.png", folders.picture(8, 8, 0, 1, 0))
    for name in ("Annotations", "JPEGImages"):
        (tmp_path / "voc" / name).mkdir(parents=True)
    with pytest.raises(InputError, match=r"voc has boxes in VOC format, not class folders; quickstart/own_boxes"):
        ImageFolder(str(tmp_path / "voc"))
    with pytest.raises(InputError, match=r"flat has no class folders; expected .*flat/<class>/\*\.jpg$"):
        ImageFolder(str(tmp_path / "flat"))


def test_a_root_with_val_but_no_train(tmp_path):
    """Not taken for one folder with the classes `val` and `test`."""
    with pytest.raises(InputError, match="no training images"):
        ImageFolder(str(folders.small(tmp_path, splits={"val": 2, "test": 2})))


def test_small_images_are_held_in_memory(tmp_path):
    data = ready(folders.small(tmp_path, size=32))
    assert isinstance(data.pipeline, SmallImages)
    # an eighth of the side is the paper's 4 of 32
    config = {
        "class_path": "lit_vision.data.pipelines.small.SmallImages",
        "init_args": {"pad": 4, "flip": True, "size": 32},
    }
    assert data.pipeline_config == config
    assert (data.pipeline.pad, data.pipeline.flip, data.pipeline.input_size) == (4, True, (32, 32))
    assert data.splits["train"].images.shape == (24, 3, 32, 32)
    batch = next(iter(ready(tmp_path, batch_size=6).train_dataloader()))
    assert batch.images.shape == (6, 3, 32, 32)


@pytest.mark.parametrize(("size", "small"), [(64, True), (65, False), ((8, 12), False)], ids=["64", "65", "8x12"])
def test_the_choice_by_size(tmp_path, size, small, caplog):
    with caplog.at_level("INFO"):
        data = ImageFolder(str(folders.small(tmp_path, splits={"train": 2, "val": 1}, size=size)))
    assert isinstance(data.pipeline, SmallImages) == small
    assert (
        "lit_vision.data.pipelines.small.SmallImages" in caplog.text
        if small
        else "lit_vision.data.pipelines.photos.paper" in caplog.text
    )


def test_photographs_are_read_from_disk(tmp_path, caplog):
    with caplog.at_level("INFO"):
        data = ready(folders.photographs(tmp_path), batch_size=4)
    assert isinstance(data.pipeline, photos.Photographs)
    assert data.pipeline_config == {"class_path": "lit_vision.data.pipelines.photos.paper", "init_args": {}}
    assert "images: photographs, read from disk (pipeline lit_vision.data.pipelines.photos.paper)" in caplog.text
    assert data.splits["val"].images[3] == tmp_path / "val" / "bee" / "000.jpg"
    assert next(iter(data.train_dataloader())).images.shape == (4, 3, 224, 224)


def test_a_pipeline_of_ones_own_is_kept(tmp_path):
    mine = photos.paper(low=24, high=40, crop=20, short_side=24)
    data = ready(folders.small(tmp_path), pipeline=mine)
    assert data.pipeline is mine
    assert data.pipeline_config is None
    assert next(iter(data.val_dataloader())).images.shape == (9, 3, 20, 20)


def test_every_suffix_in_any_case_and_at_any_depth(tmp_path):
    root = folders.small(tmp_path, splits={"train": 2, "val": 1})
    folder = root / "train" / "ant"
    for number, suffix in enumerate(["JPG", "jpeg", "PNG", "bmp", "gif", "webp", "TIFF", "ppm"]):
        folders.save(folder / "deeper" / f"{number}.{suffix}", folders.picture(8, 8, 0, 3, number))
    (folder / "readme.txt").write_text("not an image")
    assert counts(ready(root))["train"] == [10, 2, 2]


def test_hidden_files_and_folders_are_no_images(tmp_path):
    """What macOS and notebooks leave behind."""
    root = folders.small(tmp_path, splits={"train": 2, "val": 1})
    (root / "train" / "ant" / "._000.png").write_bytes(b"AppleDouble")
    folders.save(root / "train" / "ant" / ".ipynb_checkpoints" / "0.png", folders.picture(8, 8, 0, 3, 0))
    folders.save(root / "train" / ".hidden" / "0.png", folders.picture(8, 8, 0, 3, 0))
    data = ready(root)
    assert data.class_names == ["ant", "bee", "cat"]
    assert counts(data)["train"] == [2, 2, 2]


def test_below_a_hidden_folder_everything_is_seen(tmp_path):
    root = folders.small(tmp_path / ".cache", splits={"train": 2, "val": 1})
    assert counts(ready(root)) == {"train": [2] * 3, "val": [1] * 3}


@pytest.mark.parametrize("share", [0.9, 0.02])
def test_a_truncated_small_image_is_named_before_training(tmp_path, share):
    root = folders.small(tmp_path, size=32)
    broken = root / "train" / "cat" / "004.png"
    broken.write_bytes(broken.read_bytes()[: int(broken.stat().st_size * share)])
    with pytest.raises(InputError, match=r"train/cat/004\.png: (the image is damaged|not an image)"):
        ready(root)


def test_a_truncated_photograph_is_named(tmp_path):
    root = folders.photographs(tmp_path)
    broken = root / "val" / "cat" / "001.jpg"
    broken.write_bytes(broken.read_bytes()[:-200])
    with pytest.raises(InputError, match=r"val/cat/001\.jpg: the image is damaged \(.*\); replace or remove it$"):
        list(ready(root).val_dataloader())


def test_an_image_of_another_size_in_val_is_named(tmp_path):
    root = folders.small(tmp_path)
    folders.save(root / "val" / "ant" / "001.png", folders.picture(9, 8, 0, 3, 0))
    with pytest.raises(InputError, match=r"val/ant/001\.png is 9x8, but images held in memory have one size, here 8x8"):
        ready(root)


def test_grey_and_transparent_small_images_become_colour(tmp_path):
    root = folders.small(tmp_path, splits={"train": 2, "val": 1})
    Image.fromarray(np.full((8, 8), 9, np.uint8)).save(root / "train" / "ant" / "000.png")
    Image.new("RGBA", (8, 8), (0, 0, 0, 0)).save(root / "train" / "ant" / "001.png")
    images = ready(root).splits["train"].images
    assert (images[0] == 9).all()
    assert (images[1] == 255).all()


def test_a_name_that_is_no_text(tmp_path):
    root = folders.small(tmp_path)
    os.rename(root / "train" / "ant" / "000.png", os.fsencode(root / "train" / "ant") + b"/caf\xe9.png")
    with pytest.raises(InputError) as raised:
        ImageFolder(str(root))
    assert str(raised.value) == f"{root}/train/ant/caf\\udce9.png: the name is not UTF-8; rename it"
    os.rename(os.fsencode(root / "val" / "ant"), os.fsencode(root / "val") + b"/\xff")
    with pytest.raises(InputError, match="the name is not UTF-8"):
        ImageFolder(train=str(root / "val"), val=str(root / "test"))


def test_links_without_end(tmp_path):
    """A file that links to itself, and a class folder that links back to all of them."""
    root = folders.photographs(tmp_path)
    (root / "train" / "ant" / "loop.jpg").symlink_to("loop.jpg")
    data = ready(root, batch_size=4)
    with pytest.raises(InputError, match=r"loop.jpg: cannot be read \(Too many levels of symbolic links\)"):
        data.fingerprint()
    (root / "train" / "ant" / "loop.jpg").unlink()
    (root / "train" / "again").symlink_to("..", target_is_directory=True)
    with pytest.raises(InputError) as raised:
        ImageFolder(str(root))
    assert str(raised.value) == f"{root}/train/again is a link back to {root}; remove it"


def test_a_test_folder_with_fewer_classes(tmp_path):
    root = folders.small(tmp_path)
    shutil.rmtree(root / "test" / "bee")
    with pytest.raises(InputError) as raised:
        ImageFolder(str(root))
    assert str(raised.value) == (
        f"the classes of test ({root}/test) are not those of train ({root}/train):\n"
        "only in test: -; only in train: bee; every split needs the same class folders"
    )


def test_nothing_is_held_out_of_classes_with_one_image_each(tmp_path):
    folders.small(tmp_path, splits={"train": 1})
    with pytest.raises(InputError, match=r"data\.val_fraction 0\.2: no class has two training images"):
        ImageFolder(str(tmp_path), val_fraction=0.2).setup()
