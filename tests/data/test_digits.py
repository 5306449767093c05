import torch
from sklearn.datasets import load_digits

from lit_vision.data.digits import Digits
from lit_vision.data.fetch import catalog

COUNTS = {"train": 1198, "val": 300, "test": 299}
# Of 178, 182, 177, 183, 181, 182, 181, 179, 174 and 180 images a third is held back, rounded;
# half of that is test (halves to even).
PER_CLASS = {
    "train": [119, 121, 118, 122, 121, 121, 121, 119, 116, 120],
    "val": [29, 31, 29, 31, 30, 31, 30, 30, 29, 30],
    "test": [30, 30, 30, 30, 30, 30, 30, 30, 29, 30],
}


def digits(**options):
    data = Digits(**options)
    data.setup()
    return data


def test_split_sizes():
    splits = digits().splits
    assert {name: len(split.labels) for name, split in splits.items()} == COUNTS
    assert {name: len(split.images) for name, split in splits.items()} == COUNTS


def test_every_class_is_in_every_split():
    assert {name: split.labels.bincount().tolist() for name, split in digits().splits.items()} == PER_CLASS


def test_the_splits_together_are_the_data_set():
    """Disjoint and complete: sorted by content, all images and labels of scikit-learn's set are there once."""
    splits = digits().splits.values()
    found = torch.cat([split.images[:, 0].flatten(1) for split in splits])
    labels = torch.cat([split.labels for split in splits])
    source = load_digits()
    expected = torch.from_numpy(source.images.reshape(-1, 64) * (255 / 16)).round().byte()
    rows = sorted(zip(found.tolist(), labels.tolist(), strict=True))
    assert rows == sorted(zip(expected.tolist(), source.target.tolist(), strict=True))


def test_grey_levels_fill_0_to_255_in_three_equal_channels():
    images = digits().splits["train"].images
    assert images.dtype == torch.uint8
    assert images.shape[1:] == (3, 8, 8)
    # 17 levels, 0..16 times 255/16, rounded
    assert images.unique().tolist() == [round(level * 255 / 16) for level in range(17)]
    assert torch.equal(images[:, 0], images[:, 1])
    assert torch.equal(images[:, 0], images[:, 2])


def test_all_seeds_share_one_split():
    first, second = digits(seed=0), digits(seed=1)
    assert first.fingerprint() == second.fingerprint()
    assert not torch.equal(next(iter(first.train_dataloader())).targets, next(iter(second.train_dataloader())).targets)


def test_what_is_known_before_setup():
    data = Digits()
    assert data.num_train == COUNTS["train"]
    assert data.num_classes == 10
    assert data.class_names == list("0123456789")
    assert data.pipeline.input_size == (8, 8)
    # a mirrored digit is no digit
    assert (data.pipeline.pad, data.pipeline.flip) == (1, False)
    assert data.pipeline_config["init_args"] == {"pad": 1, "flip": False, "size": 8, "fill": "black"}


def test_catalog_tells_the_same_counts():
    assert catalog.find("digits").images == "1,198 train, 300 val, 299 test"
