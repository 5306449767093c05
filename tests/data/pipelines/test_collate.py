import torch

from lit_vision.data.pipelines.collate import collate
from lit_vision.types import Sample


def image(height, width, level):
    return torch.full((3, height, width), level, dtype=torch.uint8)


def test_equal_images_are_stacked_as_they_are():
    batch = collate([Sample(image(7, 9, 1), 4), Sample(image(7, 9, 2), 0)])
    assert batch.images.shape == (2, 3, 7, 9)
    assert batch.images.dtype == torch.uint8
    assert batch.images[:, 0, 0, 0].tolist() == [1, 2]
    assert batch.sizes.tolist() == [[7, 9], [7, 9]]
    assert batch.targets.tolist() == [4, 0]
    assert batch.sizes.dtype == batch.targets.dtype == torch.int64


def test_others_are_padded_right_and_bottom_to_a_multiple_of_32():
    batch = collate([Sample(image(20, 40, 5), 0), Sample(image(33, 10, 6), 1)])
    assert batch.images.shape == (2, 3, 64, 64)
    assert batch.sizes.tolist() == [[20, 40], [33, 10]]
    for padded, (height, width), level in zip(batch.images, batch.sizes.tolist(), (5, 6), strict=True):
        assert (padded[:, :height, :width] == level).all()
        assert padded.sum() == 3 * height * width * level  # black everywhere else


def test_sides_that_are_multiples_already_stay():
    batch = collate([Sample(image(32, 64, 1), 0), Sample(image(32, 32, 1), 0)])
    assert batch.images.shape == (2, 3, 32, 64)


def test_one_image():
    assert collate([Sample(image(5, 6, 1), 3)]).images.shape == (1, 3, 5, 6)
