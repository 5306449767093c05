"""Proposals as a column of a data set: the file, its checks, and that they move with their image."""

import numpy as np
import pytest
import torch
from torchvision.transforms import v2

from lit_vision.data.digit_scenes import DigitScenes
from lit_vision.data.formats import proposals
from lit_vision.data.pipelines import scenes
from lit_vision.errors import InputError

BOXES = [torch.tensor([[0.0, 1, 5, 7], [2, 2, 9, 9]]), torch.zeros(0, 4), torch.tensor([[1.0, 1, 3, 3]])]
SCORES = [torch.tensor([0.9, 0.5]), torch.zeros(0), torch.tensor([0.7])]
NAMES = ["a", "b", "c"]
SIZES = torch.tensor([[10, 12]] * 3)  # height and width


@pytest.fixture
def file(tmp_path):
    proposals.write(tmp_path / "regions.npz", proposals.join(NAMES, BOXES, SCORES))
    return tmp_path / "regions.npz"


def altered(file, **columns):
    with np.load(file) as content:
        np.savez(file, **(dict(content) | columns))
    return file


def test_what_is_written_is_read_again(file):
    found = proposals.read(file)
    assert len(found) == 3
    for name, boxes in zip(NAMES, BOXES, strict=True):
        assert torch.equal(found.of(name), boxes)
    assert torch.equal(found.scores, torch.tensor([0.9, 0.5, 0.7]))
    found.check(["c", "a"], SIZES[:2])  # images beyond those of the split do not matter


def test_python_objects_are_never_unpickled(tmp_path):
    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "trapped"), "w"))

    np.savez(tmp_path / "evil.npz", names=np.array([Trap()], dtype=object))
    with pytest.raises(InputError, match=r"evil\.npz is no readable \.npz of plain arrays"):
        proposals.read(tmp_path / "evil.npz")
    assert not (tmp_path / "trapped").exists()


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"boxes": np.zeros((3, 4), np.int64)}, r"needs 'boxes' \(2-dimensional, kind 'f'\), got int64 \[3, 4\]"),
        ({"boxes": np.zeros((3, 5), np.float32)}, "starts, names and boxes do not belong together"),
        ({"starts": np.array([0, 3, 2, 3])}, "starts, names and boxes do not belong together"),
        ({"scores": np.zeros(2, np.float32)}, "each box has one score"),
        ({"names": np.array(["a", "a", "c"])}, "each image stands there once"),
    ],
)
def test_what_does_not_fit_is_refused(file, columns, message):
    with pytest.raises(InputError, match=message):
        proposals.read(altered(file, **columns))


def test_other_files_are_refused(tmp_path):
    (tmp_path / "text.npz").write_text("no archive")
    with pytest.raises(InputError, match=r"text\.npz is no readable"):
        proposals.read(tmp_path / "text.npz")
    with pytest.raises(InputError, match="there is no file"):
        proposals.read(tmp_path / "none.npz")


@pytest.mark.parametrize(
    ("box", "message"),
    [
        ([0, 0, 14, 5], r"proposal 0 of image 'a' is \[0.0, 0.0, 14.0, 5.0\], but the image is 12x10"),
        ([5, 5, 2, 9], "proposal 0 of image 'a'"),
        ([0, 0, float("nan"), 5], "proposal 0 of image 'a'"),
    ],
)
def test_boxes_outside_their_image_are_named(file, box, message):
    boxes = np.array([box, [2, 2, 9, 9], [1, 1, 3, 3]], np.float32)
    with pytest.raises(InputError, match=message):
        proposals.read(altered(file, boxes=boxes)).check(NAMES, SIZES)


def test_an_image_without_proposals_is_named(file):
    with pytest.raises(InputError, match="1 of 2 images have no proposals, first 'd'"):
        proposals.read(file).check(["a", "d"], SIZES[:2])


@pytest.fixture
def data(tmp_path):
    sizes = {"train": 3, "val": 2, "test": 2}
    for split, count in sizes.items():
        names = [f"{split}-{index}" for index in range(count)]
        found = proposals.join(names, [torch.tensor([[4.0, 8, 20, 24]])] * count, [torch.ones(1)] * count)
        proposals.write(tmp_path / f"{split}.npz", found)
    files = {split: str(tmp_path / f"{split}.npz") for split in sizes}

    def make(**options):
        return DigitScenes(64, 3, 2, 2, **({"proposals": files, "batch_size": 1, "eval_batch_size": 1} | options))

    return make


def test_proposals_move_with_their_image(data):
    moved = data(pipeline=scenes.BoxPipeline([], [v2.Resize((128, 32)), v2.RandomHorizontalFlip(1.0)]))
    moved.setup("test")
    (target,) = next(iter(moved.test_dataloader())).targets
    # Width halves and is mirrored, height doubles: 4..20 becomes 2..10, mirrored 22..30.
    assert target.proposals.tolist() == [[22, 16, 30, 48]]


def test_a_split_in_use_without_proposals_is_refused(data, tmp_path):
    with pytest.raises(InputError, match=r"data\.proposals has no file for val; name one for each split in use"):
        data(proposals={"train": str(tmp_path / "train.npz"), "test": str(tmp_path / "test.npz")}).setup()
    with pytest.raises(InputError, match=r"no proposals, first 'train-0'"):
        data(proposals=dict.fromkeys(("train", "val", "test"), str(tmp_path / "val.npz"))).setup()


def test_the_fingerprint_tells_other_proposals(data, tmp_path):
    plain, given = data(proposals=None), data()
    for each in (plain, given):
        each.setup()
    assert plain.fingerprint() != given.fingerprint()
