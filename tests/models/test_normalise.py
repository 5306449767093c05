import pytest
import torch

from lit_vision.errors import InputError
from lit_vision.models.normalise import Normalise

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def images(height=4, width=6, batch=2):
    return torch.randint(0, 256, (batch, 3, height, width), dtype=torch.uint8)


def by_hand(pixels, mean, std):
    return (pixels.float() / 255 - mean) / std


def test_numbers_by_hand():
    # (255/255 - 0.5) / 0.25 = 2, (0 - 0.5) / 0.25 = -2, (51/255 - 0.5) / 0.25 = -1.2
    normal = Normalise((0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
    pixels = torch.tensor([255, 0, 51], dtype=torch.uint8).expand(1, 3, 1, 3)
    torch.testing.assert_close(normal(pixels)[0, 0, 0], torch.tensor([2.0, -2.0, -1.2]))


def test_channels_have_their_own_values():
    pixels = images()
    wanted = by_hand(pixels, torch.tensor(MEAN)[:, None, None], torch.tensor(STD)[:, None, None])
    torch.testing.assert_close(Normalise()(pixels), wanted)


def test_mean_image_is_subtracted_pixel_by_pixel():
    mean, pixels = torch.rand(3, 4, 6), images()
    wanted = by_hand(pixels, mean, torch.full((3, 1, 1), 0.5))
    torch.testing.assert_close(Normalise(mean, (0.5, 0.5, 0.5))(pixels), wanted)


def test_other_sizes_get_the_mean_images_channel_average():
    mean, pixels = torch.rand(3, 4, 6), images(5, 5)
    wanted = by_hand(pixels, mean.mean((1, 2), keepdim=True), torch.full((3, 1, 1), 0.5))
    torch.testing.assert_close(Normalise(mean, (0.5, 0.5, 0.5))(pixels), wanted)


def test_padding_is_exactly_zero():
    pixels = images()
    normal = Normalise()
    padded = normal(pixels, torch.tensor([[4, 6], [3, 2]]))
    whole = normal(pixels)
    assert torch.equal(padded[0], whole[0])
    assert torch.equal(padded[1, :, :3, :2], whole[1, :, :3, :2])
    assert padded[1, :, 3:].count_nonzero() == 0
    assert padded[1, :, :, 2:].count_nonzero() == 0


def test_full_sizes_change_nothing():
    pixels = images()
    assert torch.equal(Normalise()(pixels, torch.tensor([[4, 6], [4, 6]])), Normalise()(pixels))


def test_float32_under_autocast():
    pixels, normal = images(), Normalise()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = normal(pixels)
    assert found.dtype == torch.float32
    assert torch.equal(found, normal(pixels))


@pytest.mark.parametrize("mean", [MEAN, torch.rand(3, 4, 6)], ids=["channels", "image"])
def test_channels_last_is_kept(mean):
    normal = Normalise(mean)
    assert normal(images().contiguous(memory_format=torch.channels_last)).is_contiguous(
        memory_format=torch.channels_last
    )
    assert normal(images()).is_contiguous()


def test_the_input_is_left_as_it_is():
    pixels = images()
    before = pixels.clone()
    Normalise()(pixels, torch.tensor([[4, 6], [3, 2]]))
    assert torch.equal(pixels, before)


def test_what_is_normalised_already_passes_through():
    normal = Normalise()(images())
    assert Normalise()(normal, torch.tensor([[4, 6], [4, 6]])) is normal


def test_set_takes_effect_also_with_another_shape():
    normal, pixels = Normalise(), images()
    mean = torch.rand(3, 4, 6)
    normal.set(mean, (0.5, 0.5, 0.5))
    torch.testing.assert_close(normal(pixels), by_hand(pixels, mean, 0.5))
    normal.set(MEAN, STD)
    torch.testing.assert_close(normal(pixels), Normalise()(pixels))


def test_state_dict_holds_mean_and_std_alone():
    assert set(Normalise().state_dict()) == {"mean", "std"}


@pytest.mark.parametrize("assign", [False, True])
@pytest.mark.parametrize(("old", "new"), [(MEAN, torch.rand(3, 4, 6)), (torch.rand(3, 4, 6), MEAN)])
def test_loading_takes_the_files_shape(old, new, assign):
    source, target = Normalise(new, (0.5, 0.25, 0.5)), Normalise(old)
    target.load_state_dict(source.state_dict(), assign=assign)
    assert target.mean.shape == source.mean.shape
    pixels = images()
    assert torch.equal(target(pixels), source(pixels))


@pytest.mark.parametrize(
    ("mean", "std", "message"),
    [
        ((123.7, 116.3, 103.5), STD, "mean is meant for images in 0..1, but its values span 103.5..123.7"),
        ((0.5, 0.5), STD, r"mean needs 3 numbers or an image \[3, H, W\], but got shape \[2, 1, 1\]"),
        (MEAN, (0.2, 0.0, 0.2), "std must be positive everywhere, but its smallest value is 0"),
    ],
)
def test_bad_values_are_refused(mean, std, message):
    with pytest.raises(InputError, match=message):
        Normalise(mean, std)
