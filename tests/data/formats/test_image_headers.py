import os

import numpy as np
import pytest
from PIL import Image

from lit_vision.data.fetch import cache
from lit_vision.data.formats import image_headers
from lit_vision.data.pipelines import decode
from lit_vision.errors import InputError


@pytest.fixture(autouse=True)
def folder(monkeypatch, tmp_path):
    monkeypatch.setenv("LIT_VISION_CACHE", str(tmp_path / "cache"))
    images = tmp_path / "images"
    (images / "sub").mkdir(parents=True)
    for number, name in enumerate(("a.png", "b.jpg", "sub/c.png")):
        Image.new("RGB", (10 + number, 20)).save(images / name)
    return images


FILES = ["a.png", "b.jpg", "sub/c.png"]


def test_sizes(folder):
    sizes, faults = image_headers.sizes(folder, FILES)
    assert (sizes.tolist(), sizes.dtype, faults) == ([[20, 10], [20, 11], [20, 12]], np.int64, {})


def test_read_once(folder, monkeypatch):
    before, _ = image_headers.sizes(folder, FILES)
    monkeypatch.setattr(decode, "size", lambda path: pytest.fail(f"{path} was read again"))
    after, faults = image_headers.sizes(folder, FILES)
    assert (after.tolist(), faults) == (before.tolist(), {})


def test_a_changed_image_is_read_again(folder):
    image_headers.sizes(folder, FILES)
    Image.new("RGB", (33, 44)).save(folder / "a.png")
    os.utime(folder / "a.png", ns=(1, 1))
    assert image_headers.sizes(folder, FILES)[0].tolist() == [[44, 33], [20, 11], [20, 12]]


def test_missing_and_unreadable(folder, monkeypatch):
    """What could be read is kept; the rest is told again at every start."""
    (folder / "b.jpg").write_bytes(b"nothing")
    files = [*FILES, "sub/d.png", "none/e.png"]
    sizes, faults = image_headers.sizes(folder, files)
    assert sizes.tolist() == [[20, 10], [0, 0], [20, 12], [0, 0], [0, 0]]
    reason = f"{folder}/b.jpg: not an image that can be read; replace or remove it"
    assert faults == {1: reason, 3: "there is no such file", 4: "there is no such file"}
    read = []

    def size(path):
        read.append(path.name)
        raise InputError("still broken")

    monkeypatch.setattr(decode, "size", size)
    again, faults = image_headers.sizes(folder, files)
    assert (read, again.tolist(), faults[1]) == (["b.jpg"], sizes.tolist(), "still broken")


def test_names_are_case_sensitive(folder):
    assert image_headers.sizes(folder, ["A.png"])[1] == {0: "there is no such file; there is a.png"}


@pytest.mark.parametrize("damage", [b"", b"\x93NUMPY nonsense", b"nothing of numpy's"])
def test_a_damaged_cache_is_no_error(folder, tmp_path, damage):
    image_headers.sizes(folder, FILES)
    (path,) = (tmp_path / "cache" / "image_headers").iterdir()
    path.write_bytes(damage)
    assert image_headers.sizes(folder, FILES)[0].tolist() == [[20, 10], [20, 11], [20, 12]]
    assert path.read_bytes() != damage


def test_a_cache_of_another_shape_is_not_used(folder, tmp_path):
    image_headers.sizes(folder, FILES)
    (path,) = (tmp_path / "cache" / "image_headers").iterdir()
    np.save(path, np.ones((2, 2), dtype=np.int64))
    assert image_headers.sizes(folder, FILES)[0].tolist() == [[20, 10], [20, 11], [20, 12]]


def test_an_unwritable_cache_is_no_error(folder, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LIT_VISION_CACHE", str(tmp_path / "file"))
    assert image_headers.sizes(folder, FILES)[0].tolist() == [[20, 10], [20, 11], [20, 12]]


def test_the_caches_folder(monkeypatch, tmp_path):
    assert cache.folder() == tmp_path / "cache"
    monkeypatch.delenv("LIT_VISION_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    assert str(cache.folder()) == "/xdg/lit_vision"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/me")
    assert str(cache.folder()) == "/me/.cache/lit_vision"


def test_no_images(folder):
    sizes, faults = image_headers.sizes(folder, [])
    assert (sizes.shape, faults) == ((0, 2), {})
