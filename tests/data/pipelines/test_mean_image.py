"""The mean image of photographs: by hand, kept, given, and in the network that was trained with it."""

import numpy as np
import pytest
import torch
from torchvision.transforms import v2

from lit_vision.data.imagenet import ImageNet
from lit_vision.data.pipelines import decode, mean_image, photos
from lit_vision.data.pipelines.mean_image import MeanImage
from lit_vision.data.pipelines.pipeline import Split
from lit_vision.errors import InputError
from lit_vision.models.normalise import Normalise
from tests.twins import folders, imagenet


@pytest.fixture(autouse=True)
def cached(monkeypatch, tmp_path):
    monkeypatch.setenv("LIT_VISION_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "means"


def in_memory(*levels):
    """Images of 4 x 4 pixels, whose left half has one level and whose right half is 10 brighter."""
    images = torch.tensor(levels, dtype=torch.uint8)[:, None, None, None].repeat(1, 3, 4, 4)
    images[..., 2:] += 10
    return Split(images, torch.zeros(len(levels), dtype=torch.int64))


def test_by_hand():
    """Levels 0, 10 and 200: the left half is 70, the right 80, of 255."""
    mean = MeanImage(4, 4).of(in_memory(0, 10, 200))
    assert mean.shape == (3, 4, 4)
    assert mean[:, :, :2].unique().tolist() == pytest.approx([70 / 255])
    assert mean[:, :, 2:].unique().tolist() == pytest.approx([80 / 255])


def test_photographs_are_resized_and_cropped_in_the_centre(tmp_path, monkeypatch):
    monkeypatch.setattr(mean_image, "_CHUNK", 2)  # several threads' sums
    files = []
    for number, (height, width) in enumerate([(40, 60), (50, 45), (64, 64), (40, 41), (99, 50)]):
        files.append(tmp_path / f"{number}.JPEG")
        folders.save(files[-1], folders.picture(height, width, number, 5, number))
    view = v2.Compose([v2.Resize(32, antialias=True), v2.CenterCrop(28)])
    expected = torch.stack([view(decode.read(file)).double() for file in files]).mean(0) / 255
    found = MeanImage(32, 28).of(Split(files, torch.zeros(5, dtype=torch.int64)))
    torch.testing.assert_close(found.double(), expected, rtol=0, atol=1e-7)


def test_it_is_measured_once_and_anew_for_other_images_or_sizes(cached, monkeypatch):
    split = in_memory(0, 10, 200)
    first = MeanImage(4, 4).of(split)
    (kept,) = cached.iterdir()
    assert kept == MeanImage(4, 4).place(split)
    assert kept not in (MeanImage(4, 4).place(in_memory(0, 10, 201)), MeanImage(4, 3).place(split))
    monkeypatch.setattr(MeanImage, "_measure", lambda *_: pytest.fail("measured again"))
    assert torch.equal(MeanImage(4, 4).of(split), first)


def test_it_may_be_given(tmp_path):
    given = np.linspace(0, 1, 48, dtype=np.float64).reshape(3, 4, 4)
    np.save(tmp_path / "mean.npy", given)
    pipeline = photos.paper(low=4, high=4, crop=4, short_side=4, mean=str(tmp_path / "mean.npy"))
    mean, std = pipeline.statistics(in_memory(0))
    assert torch.equal(mean, torch.from_numpy(given).float())
    assert std.flatten().tolist() == pytest.approx([1 / 255] * 3)  # nothing is divided


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (np.zeros((3, 5, 4)), r"holds torch.float64 \[3, 5, 4\]; a mean image is floating, \[3, 4, 4\], in 0..1$"),
        (np.full((3, 4, 4), 120.0), r"a mean image is floating, \[3, 4, 4\], in 0..1$"),
        (np.zeros((3, 4, 4), dtype=np.uint8), "holds torch.uint8"),
        (np.array([{}]), "no .npy file of numbers"),
        (None, "no .npy file of numbers .*No such file"),
    ],
)
def test_a_file_that_holds_none_is_refused(tmp_path, content, told):
    file = tmp_path / "mean.npy"
    if content is not None:
        np.save(file, content)
    with pytest.raises(InputError, match=told):
        MeanImage(4, 4, str(file)).of(in_memory(0))


def test_the_data_bring_it_and_views_of_other_sizes_get_its_average(tmp_path):
    root = imagenet.class_folders(tmp_path / "imagenet")
    pipeline = photos.paper(low=36, high=48, crop=32, short_side=40, test_crop=40, mean="image")
    data = ImageNet(str(root), pipeline=pipeline)
    data.prepare_data()
    data.setup()
    assert data.mean.shape == (3, 32, 32)  # of the training's crop, whatever the test looks at
    normalise = Normalise()
    normalise.set(data.mean, data.std)
    view = torch.randint(0, 256, (1, 3, 32, 32), dtype=torch.uint8)
    torch.testing.assert_close(normalise(view), view - 255 * data.mean, rtol=0, atol=1e-3)
    larger = torch.zeros(1, 3, 40, 48, dtype=torch.uint8)
    average = -255 * data.mean.mean((1, 2))[None, :, None, None]
    torch.testing.assert_close(normalise(larger), average.expand(1, 3, 40, 48), rtol=0, atol=1e-3)
