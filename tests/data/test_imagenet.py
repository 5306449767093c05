import shutil

import pytest
import torch

from lit_vision.data.image_folder import ImageFolder
from lit_vision.data.imagenet import DEVKIT, GROUND_TRUTH, META, ImageNet, wnids_by_id
from lit_vision.data.pipelines import photos
from lit_vision.errors import InputError
from tests.twins import imagenet

DEV = f"{DEVKIT}/"


def ready(root, **options):
    data = ImageNet(str(root), **options)
    data.setup()
    return data


def test_class_folders(tmp_path):
    data = ready(imagenet.class_folders(tmp_path))
    assert data.class_names == list(imagenet.WNIDS)
    assert data.splits["train"].labels.bincount().tolist() == [6] * 4
    assert data.splits["val"].labels.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert data.splits["val"].images[2] == tmp_path / "val" / imagenet.WNIDS[1] / "000.JPEG"
    assert data.test_split == "val"
    assert data.num_train == 24


def test_ids_of_the_devkit_are_not_in_the_order_of_the_wnids(tmp_path):
    """Ids 4 1 1 3 2 4 3 2 of the files in order; id 4 is the third wnid, 1 the second, 3 the first, 2 the fourth."""
    data = ready(imagenet.flat(tmp_path))
    assert data.splits["val"].labels.tolist() == [2, 1, 1, 0, 3, 2, 0, 3]
    assert [path.name for path in data.splits["val"].images[:2]] == [
        "ILSVRC2012_val_00000001.JPEG",
        "ILSVRC2012_val_00000002.JPEG",
    ]
    # the pictures know their class by their grey level, 40 + 37.5 a class, plus 0..59
    small = photos.paper(low=24, high=40, crop=20, short_side=24)
    found = list(ready(tmp_path, pipeline=small).val_dataloader())
    levels = torch.cat([batch.images.float().mean((1, 2, 3)) for batch in found])
    assert torch.equal(((levels - 69.5) / 37.5).round().long(), data.splits["val"].labels)


def test_flat_val_and_class_folders_agree(tmp_path):
    flat = ready(imagenet.flat(tmp_path / "flat"))
    sorted_out = tmp_path / "sorted"
    shutil.copytree(tmp_path / "flat" / "train", sorted_out / "train")
    for path, label in zip(flat.splits["val"].images, flat.splits["val"].labels.tolist(), strict=True):
        target = sorted_out / "val" / imagenet.WNIDS[label] / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    other = ready(sorted_out)

    def by_name(data):
        val = data.splits["val"]
        return {path.name: int(label) for path, label in zip(val.images, val.labels, strict=True)}

    assert by_name(flat) == by_name(other)


def test_inner_synsets_are_no_classes(tmp_path):
    imagenet.devkit(tmp_path)
    assert wnids_by_id(tmp_path / META) == {number: wnid for wnid, number in imagenet.IDS.items()}


def test_separate_folders_find_the_devkit_beside_val(tmp_path, monkeypatch):
    imagenet.flat(tmp_path / "here")
    monkeypatch.chdir(tmp_path)  # no data/imagenet below
    data = ImageNet(train=str(tmp_path / "here" / "train"), val=str(tmp_path / "here" / "val"))
    data.setup()
    assert data.splits["val"].labels.tolist() == [2, 1, 1, 0, 3, 2, 0, 3]


def test_the_same_folder_for_training_and_validation(tmp_path):
    train = str(imagenet.class_folders(tmp_path) / "train")
    data = ready(tmp_path / "nowhere", train=train, val=train)
    assert data.splits["train"].images == data.splits["val"].images


def test_missing_devkit(tmp_path):
    root = imagenet.flat(tmp_path)
    shutil.rmtree(root / DEVKIT)
    with pytest.raises(InputError) as error:
        ready(root)
    assert str(error.value) == (
        f"{root}/val has no class folders, so its labels come from the devkit: put {DEVKIT}/ into {root}"
    )


@pytest.mark.parametrize("name", [META, GROUND_TRUTH])
def test_half_a_devkit(tmp_path, name):
    root = imagenet.flat(tmp_path)
    (root / DEVKIT / name).unlink()
    with pytest.raises(InputError, match=rf"{name} is missing; unpack the devkit whole$"):
        ready(root)


def test_another_number_of_images_than_labels(tmp_path):
    root = imagenet.flat(tmp_path, images=7)
    with pytest.raises(InputError, match=r"val holds 7 images, but .*ground_truth\.txt has 8 labels$"):
        ready(root)


def test_hidden_files_and_folders_of_a_flat_val_are_no_images(tmp_path):
    """macOS writes `._a.JPEG` beside every file that it copies to another file system."""
    root = imagenet.flat(tmp_path)
    (root / "val" / "._ILSVRC2012_val_00000001.JPEG").write_bytes(b"resource fork")
    (root / "val" / ".ipynb_checkpoints").mkdir()
    data = ready(root)
    assert data.splits["val"].labels.tolist() == [2, 1, 1, 0, 3, 2, 0, 3]
    assert data.splits["val"].images[0].name == "ILSVRC2012_val_00000001.JPEG"


@pytest.mark.parametrize("text", ["0", "5", "n01440764"])  # 5 is the inner synset
def test_an_id_that_the_devkit_does_not_know(tmp_path, text):
    root = imagenet.flat(tmp_path)
    file = root / DEVKIT / GROUND_TRUTH
    lines = file.read_text().splitlines()
    file.write_text("\n".join([*lines[:2], text, *lines[3:]]) + "\n")
    with pytest.raises(InputError) as error:
        ready(root)
    assert str(error.value) == (
        f"{file}, line 3: {text!r} is not among the 4 ids of {root / DEVKIT / META};\nunpack both from the same devkit"
    )


def test_classes_that_training_does_not_have(tmp_path):
    root = imagenet.flat(tmp_path / "flat")
    shutil.rmtree(root / "train" / imagenet.WNIDS[2])
    with pytest.raises(InputError, match=rf"val: the classes {imagenet.WNIDS[2]} are not in .*train$"):
        ready(root)
    root = imagenet.class_folders(tmp_path / "folders")
    shutil.rmtree(root / "train" / imagenet.WNIDS[0])
    with pytest.raises(InputError, match=rf"val: the classes {imagenet.WNIDS[0]} are not in .*train$"):
        ready(root)


def test_classes_that_val_does_not_have(tmp_path):
    root = imagenet.class_folders(tmp_path)
    shutil.rmtree(root / "val" / imagenet.WNIDS[3])
    with pytest.raises(InputError, match=rf"val lacks 1 classes of the training folder: {imagenet.WNIDS[3]} …$"):
        ready(root)


def test_empty_class_folder(tmp_path):
    root = imagenet.class_folders(tmp_path)
    for path in (root / "train" / imagenet.WNIDS[1]).iterdir():
        path.unlink()
    with pytest.raises(InputError, match=rf"train/{imagenet.WNIDS[1]} holds no image; fill it or remove it$"):
        ImageNet(str(root))


def test_a_recipe_can_be_shown_without_the_data(tmp_path):
    data = ImageNet(str(tmp_path / "nowhere"))
    assert data.num_classes == 1000
    assert data.num_train == 1_281_167
    assert data.pipeline.input_size == (224, 224)
    assert data.pipeline_config == {"class_path": "lit_vision.data.pipelines.photos.paper", "init_args": {}}
    with pytest.raises(InputError) as error:
        data.setup()
    root = tmp_path / "nowhere"
    assert str(error.value) == (
        f"ImageNet: {root}/train is missing; expected {root}/train/<wnid>/*.JPEG;\n"
        "the whole tree: lit-vision data where imagenet"
    )


def test_missing_given_folder(tmp_path):
    with pytest.raises(InputError, match=r"data\.train .*gone: there is no such folder$"):
        ImageNet(str(tmp_path), train=str(tmp_path / "gone"))


def test_without_val_nothing_is_guessed(tmp_path):
    with pytest.raises(InputError, match=r"ImageNet has no val split; split one off by data\.val_fraction"):
        ready(imagenet.class_folders(tmp_path, {"train": 2}))


def test_image_folder_reads_the_same_tree(tmp_path):
    root = imagenet.class_folders(tmp_path)
    other = ImageFolder(str(root))
    other.setup()
    assert other.fingerprint() == ready(root).fingerprint()


def test_ilsvrc_s_own_test_images_wait_until_they_are_asked_for(tmp_path):
    data = ready(imagenet.without_labels(tmp_path))
    assert data.splits.keys() == {"train", "val"}
    assert (data.official_split, data.labelled, data.server_ids) == ("val", True, None)
    assert data.official() == {"train": 1_281_167, "val": 50_000}


def test_images_without_labels_are_tested_for_the_server(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = ready(imagenet.without_labels(tmp_path / "here"), test="test")
    test = data.splits["test"]
    assert [path.name for path in test.images] == [f"ILSVRC2012_test_{number:08}.JPEG" for number in range(1, 7)]
    assert test.labels.tolist() == [-1] * 6
    assert (data.official_split, data.labelled) == ("server", False)
    # The devkit's ids of the classes, which are sorted by wnid.
    assert data.server_ids == [3, 1, 4, 2]
    assert data.shortfall()["test"] == "6 of 100,000 images"


def test_a_test_folder_of_classes_has_labels(tmp_path):
    data = ready(imagenet.class_folders(tmp_path, {"train": 6, "val": 2, "test": 3}))
    assert data.splits["test"].labels.bincount().tolist() == [3] * 4
    assert (data.official_split, data.labelled, data.server_ids) == ("test", True, None)


def test_without_the_devkit_no_file_for_the_server_can_be_written(tmp_path):
    shutil.rmtree(imagenet.without_labels(tmp_path) / DEVKIT)
    with pytest.raises(InputError) as caught:
        ready(tmp_path, test="test")
    assert str(caught.value) == (
        f"{tmp_path}/test has no labels, and the server numbers classes by the devkit: put {DEVKIT}/ into {tmp_path}"
    )


def test_a_flat_folder_of_validation_images_may_be_tested(tmp_path):
    root = imagenet.flat(tmp_path)
    data = ready(root, test="val")
    assert data.splits["test"].labels.tolist() == [2, 1, 1, 0, 3, 2, 0, 3]
    assert (data.official_split, data.labelled) == ("test", True)
