"""The papers' unions of Pascal VOC's years."""

import re
import shutil

import pytest
import torch

from lit_vision.data.formats import proposals
from lit_vision.data.voc import VOC
from lit_vision.errors import InputError
from tests.twins import voc


@pytest.fixture
def root(tmp_path):
    """Two years whose images differ in the year alone, as `000027` and `2012_000027` do in the real ones."""
    root = voc.write(tmp_path, {"2007": {"train": 2, "val": 1, "test": 2}}) / "VOCdevkit"
    base = root / "VOC2012"
    stems = voc.folder(base, {"train": 2, "val": 1, "test": 2}, first=2_007_000)
    for stem in (one for part in stems.values() for one in part):
        new = f"2012_{stem}"
        (base / "Annotations" / f"{stem}.xml").rename(base / "Annotations" / f"{new}.xml")
        (base / "JPEGImages" / f"{stem}.jpg").rename(base / "JPEGImages" / f"{new}.jpg")
    lists = base / "ImageSets" / "Main"
    for split, names in (stems | {"trainval": sorted(stems["train"] + stems["val"])}).items():
        (lists / f"{split}.txt").write_text("".join(f"2012_{name}\n" for name in names))
    return root


def ready(root, **options):
    data = VOC(str(root), batch_size=2, keep_empty=True, **options)
    data.setup()
    return data


@pytest.mark.parametrize(
    ("train", "test", "names"),
    [
        ("07", "07", ["2007000", "2007001", "2007002"]),
        ("12", "12", ["2012_2007000", "2012_2007001", "2012_2007002"]),
        ("07+12", "07", ["2007000", "2007001", "2007002", "2012_2007000", "2012_2007001", "2012_2007002"]),
        (
            "07++12",
            "12",
            [*(f"200700{place}" for place in range(5)), *(f"2012_200700{place}" for place in range(3))],
        ),
    ],
)
def test_a_union_holds_the_images_of_its_lists_each_with_a_number_of_its_own(root, train, test, names):
    data = ready(root, train=train, test=test)
    split = data.splits["train"]
    assert split.names == names
    assert len(set(split.image_ids.tolist())) == len(names)
    assert split.image_ids.tolist() == [int(name.replace("_", "")) for name in names]
    # Objects went with their images: in the twin, the first of `train` and of `test` has two, the last of each none.
    counts = (split.starts[1:] - split.starts[:-1]).tolist()
    assert counts == [0 if name[-1] not in "03" else 2 for name in names]
    assert all(split.path(index).is_file() for index in range(len(split)))


def test_proposals_of_a_union_come_from_one_file_by_name(root, tmp_path):
    names = ready(root, train="07+12").splits["train"].names
    boxes = [torch.tensor([[float(place), 0, 20, 20]]) for place in range(len(names))]
    scores = [torch.ones(1)] * len(names)
    order = list(reversed(range(len(names))))
    found = proposals.join([names[at] for at in order], [boxes[at] for at in order], scores)
    proposals.write(tmp_path / "train.npz", found)
    proposals.write(tmp_path / "test.npz", proposals.join(["2007003", "2007004"], boxes[:2], scores[:2]))
    files = {split: str(tmp_path / f"{split}.npz") for split in ("train", "test")}
    split = ready(root, train="07+12", proposals=files).splits["train"]
    assert [split.target(index).proposals[0, 0].item() for index in range(len(split))] == [0, 1, 2, 3, 4, 5]


def test_a_missing_year_is_told_with_what_is_expected(root):
    shutil.rmtree(root / "VOC2012")
    message = f"{root}/VOC2012: there is no such folder; lit-vision data where voc2012 shows what is expected"
    with pytest.raises(InputError, match=re.escape(message)):
        ready(root, train="07+12")


def test_a_missing_list_is_told(root):
    (root / "VOC2012" / "ImageSets" / "Main" / "test.txt").unlink()
    with pytest.raises(InputError, match=r"test\.txt: there is no such split"):
        ready(root, train="12", test="12")


def test_a_folder_that_is_a_copy_of_the_other_year_is_refused(root):
    shutil.rmtree(root / "VOC2012")
    shutil.copytree(root / "VOC2007", root / "VOC2012")
    with pytest.raises(
        InputError, match=r"(?s)3 image\(s\) are in several of the lists of data\.train 07\+12, first 2007000"
    ):
        ready(root, train="07+12")


def test_what_is_tested_is_not_trained_on(root):
    with pytest.raises(InputError, match=r"data\.train 07\+\+12 contains VOC 2007's test images; set data\.test to 12"):
        VOC(str(root), train="07++12")
