"""ILSVRC's tasks with boxes: lists, classes, corners, and what goes to the server."""

import re
import shutil

import pytest
import torch
from torchvision.transforms import v2

from lit_vision.callbacks.detections import DetectionFiles
from lit_vision.data.formats import ilsvrc_results
from lit_vision.data.ilsvrc import ImageNetDetection, ImageNetLocalisation
from lit_vision.data.pipelines import scenes
from lit_vision.errors import InputError
from lit_vision.types import Detections
from tests.twins import ilsvrc


@pytest.fixture
def root(tmp_path):
    return ilsvrc.write(tmp_path)


def ready(kind, root, **options):
    data = kind(str(root), batch_size=2, **options)
    data.setup()
    return data


def test_localisation_has_imagenet_s_labels_and_a_box_for_each_image(root):
    data = ready(ImageNetLocalisation, root)
    assert data.class_names == list(ilsvrc.WNIDS)
    assert data.category_ids == [449, 450, 7]
    train, val = data.splits["train"], data.splits["val"]
    assert (len(train), train.labels.tolist()) == (6, [0, 0, 1, 1, 2, 2])
    assert train.names[2] == "train/n01443537/n01443537_1"
    assert val.labels.tolist() == [0, 1, 2, 0]
    assert val.boxes.tolist() == [[0, 4, 20, 34]] * 4
    assert (data.test_split, data.official_split, data.shortfall()) == ("val", "val", {"val": "4 of 50,000 images"})


def test_corners_are_an_option(root):
    data = ready(ImageNetLocalisation, root, corners="exclusive_0")
    assert data.splits["val"].boxes.tolist() == [[0, 4, 19, 33]] * 4


def test_training_takes_random_crops_with_what_is_left_of_the_boxes(root):
    crop = v2.RandomCrop(24, pad_if_needed=True)
    pipeline = scenes.short_side(train=[32], test=32, cap=64, extra=[crop])
    data = ready(ImageNetLocalisation, root, pipeline=pipeline)
    batches = list(data.train_dataloader())
    assert {tuple(size) for batch in batches for size in batch.sizes.tolist()} == {(24, 24)}
    boxes = torch.cat([target.boxes for batch in batches for target in batch.targets])
    assert len(boxes)
    assert boxes.min() >= 0
    assert boxes.max() <= 24
    assert (boxes[:, 2:] > boxes[:, :2]).all()


def test_test_images_are_read_without_boxes(root):
    data = ready(ImageNetLocalisation, root, test=["test"])
    assert data.splits["test"].names == ["test/ILSVRC2012_test_00000001", "test/ILSVRC2012_test_00000002"]
    assert not len(data.splits["test"].boxes)
    assert data.official_split == "server"


def test_detection_s_parts_of_val_are_files_and_may_be_trained_on(tmp_path):
    root = ilsvrc.write(tmp_path / "data", "DET")
    names = [f"ILSVRC2012_val_{number:08}" for number in range(1, 5)]
    (tmp_path / "val1.txt").write_text("".join(f"{name} 1\n" for name in names[:3]))
    (tmp_path / "val2.txt").write_text(f"{names[3]}\n")
    val1, val2 = str(tmp_path / "val1.txt"), str(tmp_path / "val2.txt")
    data = ready(ImageNetDetection, root, train=["train", val1], val=[val2])
    assert data.class_names == ["n02084071", "n01440764", "n01443537"]  # by the server's numbers 7, 449, 450
    assert data.category_ids == [7, 449, 450]
    assert len(data.splits["train"]) == 6 + 3
    assert data.splits["train"].labels.tolist() == [1, 1, 2, 2, 0, 0, 1, 2, 0]
    assert data.splits["val"].names == [f"val/{names[3]}"]
    assert data.shortfall() == {}


def submitted(folder, data, split, found):
    """The server's file of a split."""

    class Trainer:
        sanity_checking, datamodule = False, data

    files = DetectionFiles(folder)
    files._found = list(zip(data.evaluated(split).image_ids.tolist(), found, strict=True))
    files._write(Trainer, split)
    (path,) = folder.glob("*.txt")
    return path.name, path.read_text()


def boxes(*rows):
    """Label, score, and left side of a box each."""
    found = [[left, 4.0, left + 20, 34.0] for _, _, left in rows]
    return Detections(
        torch.tensor(found).reshape(-1, 4),
        torch.tensor([score for _, score, _ in rows]),
        torch.tensor([label for label, _, _ in rows], dtype=torch.int64),
    )


def test_localisation_s_line_holds_the_best_box_of_each_class(root, tmp_path):
    data = ready(ImageNetLocalisation, root, test=["test"])
    found = [boxes((2, 0.5, 0), (0, 0.9, 1), (2, 0.7, 3)), boxes()]
    name, text = submitted(tmp_path, data, "test", found)
    assert name == "CLS-LOC_test.txt"
    assert text == "449 1.00 4.00 20.00 33.00 7 3.00 4.00 22.00 33.00\n\n"


def test_of_more_classes_localisation_names_five(tmp_path):
    found = boxes(*((label, 1 - label / 10, 0) for label in range(7)))
    text = ilsvrc_results.localisation([(1, found)], list(range(10, 17)), "inclusive_0")
    assert text.split()[::5] == ["10", "11", "12", "13", "14"]


def test_detection_s_lines_name_image_class_and_score(tmp_path):
    data = ready(ImageNetDetection, ilsvrc.write(tmp_path / "data", "DET"))
    found = [boxes(), boxes((0, 0.25, 0), (1, 0.5, 2)), boxes(), boxes((2, 1, 0))]
    (tmp_path / "run").mkdir()
    name, text = submitted(tmp_path / "run", data, "val", found)
    assert name == "DET_val.txt"
    assert text.splitlines() == [
        "2 449 0.500000 2.00 4.00 21.00 33.00",
        "2 7 0.250000 0.00 4.00 19.00 33.00",
        "4 450 1.000000 0.00 4.00 19.00 33.00",
    ]


def test_what_is_missing_is_named(root, tmp_path):
    with pytest.raises(InputError, match=r"(?s)val2\.txt: there is no such list; .*has test, train_loc, val, and"):
        ready(ImageNetLocalisation, root, val=["val2"])
    message = f"{tmp_path}/none/devkit/data/map_clsloc.txt is missing; unpack the devkit, or name the file"
    with pytest.raises(InputError, match=re.escape(message)):
        ready(ImageNetLocalisation, tmp_path / "none")
    with pytest.raises(
        InputError, match=r"map_det\.txt is missing; unpack the devkit, or name the file by data\.classes"
    ):
        ready(ImageNetDetection, root)
    with pytest.raises(InputError, match=r"mine\.txt is missing; unpack the devkit"):
        ready(ImageNetLocalisation, root, classes="mine.txt")
    (root / "ImageSets" / "CLS-LOC" / "val.txt").write_text("\n")
    with pytest.raises(InputError, match=r"val\.txt: the list names no image"):
        ready(ImageNetLocalisation, root)


@pytest.mark.parametrize(("kind", "count"), [(ImageNetLocalisation, 1000), (ImageNetDetection, 200)])
def test_a_recipe_can_be_shown_before_the_data_are_there(kind, count, tmp_path):
    assert kind(str(tmp_path)).num_classes == count


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("n01440764 449\nkit_fox 7\n", r"map_clsloc\.txt, line 2: 'kit_fox 7' does not begin with a wnid and a number"),
        ("n01440764 449\nn01443537 449\n", r"map_clsloc\.txt: 449 stands there twice"),
    ],
)
def test_a_map_that_is_none_is_refused(root, content, message):
    (root / "devkit" / "data" / "map_clsloc.txt").write_text(content)
    with pytest.raises(InputError, match=message):
        ready(ImageNetLocalisation, root)


def test_faults_are_told_and_may_be_skipped(root):
    annotations = root / "Annotations" / "CLS-LOC" / "val"
    path = annotations / "ILSVRC2012_val_00000001.xml"
    path.write_text(path.read_text().replace("n01440764", "n00000001"))
    (annotations / "ILSVRC2012_val_00000002.xml").unlink()
    shutil.copy(root / "ImageSets/CLS-LOC/val.txt", root / "once.txt")
    with (root / "ImageSets/CLS-LOC/val.txt").open("a") as file:
        file.write("ILSVRC2012_val_00000003 3\n")
    with pytest.raises(InputError, match=r"3 bad annotation\(s\) .*1 duplicate id, 1 missing annotation, 1 unknown"):
        ready(ImageNetLocalisation, root)
    data = ready(ImageNetLocalisation, root, bad="skip")
    assert data.splits["val"].names == [f"val/ILSVRC2012_val_0000000{number}" for number in (1, 3, 4)]
    assert data.splits["val"].labels.tolist() == [2, 0]
