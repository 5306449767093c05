from urllib.error import URLError

import numpy as np
import pytest
import torch
from torchvision import datasets

from lit_vision.data.cifar import CIFAR10, CIFAR100, fetch
from lit_vision.data.fetch import catalog
from lit_vision.data.pipelines.photos import Photographs
from lit_vision.errors import InputError
from tests.twins import cifar


def ready(data):
    data.prepare_data()
    data.setup()
    return data


@pytest.mark.parametrize(("name", "reader"), [("cifar10", CIFAR10), ("cifar100", CIFAR100)])
def test_pixels_and_labels_are_read_as_written(monkeypatch, tmp_path, name, reader):
    cifar.install(monkeypatch, tmp_path, name)
    data = ready(reader(str(tmp_path), monitor="test"))
    for split in ("train", "test"):
        pixels, labels = cifar.images(name, split, cifar.PER_CLASS[split])
        np.testing.assert_array_equal(data.splits[split].images.permute(0, 2, 3, 1).numpy(), pixels)
        assert data.splits[split].labels.tolist() == labels
        assert data.splits[split].images.dtype == torch.uint8
    assert set(data.splits) == {"train", "test"}
    assert data.test_split == "test"


def test_names_are_those_of_the_data_set(monkeypatch, tmp_path):
    """Torchvision reads the names from the files; ours must be known before any file is there."""
    assert CIFAR10().num_classes == 10
    assert CIFAR10().class_names[:2] == ["airplane", "automobile"]
    assert CIFAR10().class_names[-1] == "truck"
    names = CIFAR100().class_names
    assert len(names) == len(set(names)) == 100
    assert names == sorted(names)
    assert CIFAR10.name == "cifar10"
    assert catalog.find("cifar100").classes == 100


def test_a_stratified_share_is_split_off_as_45_000_and_5_000_are(monkeypatch, tmp_path):
    cifar.install(monkeypatch, tmp_path, per_class={"train": 20, "test": 2})
    data = ready(CIFAR10(str(tmp_path), val_fraction=0.1))
    assert {name: split.labels.bincount().tolist() for name, split in data.splits.items()} == {
        "train": [18] * 10,
        "val": [2] * 10,
        "test": [2] * 10,
    }
    whole = ready(CIFAR10(str(tmp_path), monitor="test")).splits["train"].images.flatten(1).tolist()
    parts = torch.cat([data.splits["train"].images, data.splits["val"].images]).flatten(1).tolist()
    assert sorted(parts) == sorted(whole)
    other = ready(CIFAR10(str(tmp_path), val_fraction=0.1, seed=7))
    assert torch.equal(other.splits["val"].images, data.splits["val"].images)


def test_sizes_known_before_the_files_are_there():
    assert CIFAR10("nowhere", monitor="test").num_train == 50_000
    assert CIFAR10("nowhere", val_fraction=0.1).num_train == 45_000
    assert CIFAR10("nowhere").pipeline.input_size == (32, 32)


def test_the_papers_pipeline_is_the_default(monkeypatch, tmp_path):
    """Fact sheet 2.3: pad 4, random crop, flip; per-pixel mean subtracted, no division mentioned."""
    cifar.install(monkeypatch, tmp_path)
    data = ready(CIFAR10(str(tmp_path), monitor="test"))
    assert (data.pipeline.pad, data.pipeline.flip) == (4, True)
    pixels, _ = cifar.images("cifar10", "train", cifar.PER_CLASS["train"])
    np.testing.assert_allclose(data.mean.numpy(), pixels.mean(0).transpose(2, 0, 1) / 255, rtol=1e-5)
    assert torch.equal(data.std, torch.full((3, 1, 1), 1 / 255))
    assert data.pipeline_config == {
        "class_path": "lit_vision.data.pipelines.small.SmallImages",
        "init_args": {"mean": "pixel", "std": None, "size": 32},
    }
    assert CIFAR10(pipeline=Photographs([], [])).pipeline_config is None


def test_missing_files(tmp_path):
    root = tmp_path / "c10"
    with pytest.raises(InputError, match="does not hold the data set, or its checksum differs") as error:
        ready(CIFAR10(str(root), monitor="test"))
    assert f"CIFAR10: {root}" in str(error.value)
    assert f"lit-vision data get cifar10 --root {root}" in str(error.value)
    assert len(str(error.value).splitlines()) <= 3
    with pytest.raises(InputError, match="lit-vision data get cifar100 --root data/nowhere"):
        ready(CIFAR100("data/nowhere", monitor="test"))


@pytest.mark.parametrize("name", ["data_batch_3", "test_batch", "batches.meta"])
def test_checksums_are_kept(monkeypatch, tmp_path, name):
    """A changed byte in a file of either split or of the names is refused, and never unpickled."""
    cifar.install(monkeypatch, tmp_path)
    file = tmp_path / "cifar-10-batches-py" / name
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    with pytest.raises(InputError, match="its checksum differs"):
        ready(CIFAR10(str(tmp_path), monitor="test"))


def test_real_checksums_are_torchvisions():
    assert datasets.CIFAR10.tgz_md5 in catalog.find("cifar10").checksum
    assert datasets.CIFAR100.tgz_md5 in catalog.find("cifar100").checksum
    assert datasets.CIFAR10.filename in catalog.find("cifar10").tree
    assert datasets.CIFAR100.base_folder in catalog.find("cifar100").tree


def test_nothing_is_downloaded_unasked(monkeypatch, tmp_path):
    monkeypatch.setattr(datasets.CIFAR10, "download", lambda self: pytest.fail("downloaded"))
    with pytest.raises(InputError):
        ready(CIFAR10(str(tmp_path), monitor="test"))


def test_complete_files_are_not_fetched_again(monkeypatch, tmp_path):
    cifar.install(monkeypatch, tmp_path)
    monkeypatch.setattr(datasets.cifar, "download_and_extract_archive", lambda *_, **__: pytest.fail("downloaded"))
    assert ready(CIFAR10(str(tmp_path), download=True, monitor="test")).num_train == 100


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (URLError("Name or service not known"), "<urlopen error Name or service not known>"),
        (RuntimeError("File not found or corrupted."), "File not found or corrupted."),
        (TimeoutError(), "TimeoutError"),
    ],
)
def test_failed_download(monkeypatch, tmp_path, failure, reason):
    def fail(*_, **__):
        raise failure

    monkeypatch.setattr(datasets.cifar, "download_and_extract_archive", fail)
    with pytest.raises(InputError) as error:
        fetch("cifar100", tmp_path)
    assert str(error.value) == (
        f"cifar100 could not be fetched into {tmp_path}: {reason};\n"
        "without a network, copy the archive there by hand: lit-vision data where cifar100"
    )
    with pytest.raises(InputError, match="cifar10 could not be fetched"):
        CIFAR10(str(tmp_path), download=True).prepare_data()
