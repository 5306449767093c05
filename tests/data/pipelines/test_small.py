import numpy as np
import pytest
import torch

from lit_vision.data.pipelines import sampler
from lit_vision.data.pipelines.pipeline import Place, Split
from lit_vision.data.pipelines.sampler import EvalBatches, TrainBatches
from lit_vision.data.pipelines.small import MemoryLoader, SmallImages, crop, read_files
from lit_vision.errors import InputError
from lit_vision.models.backbones import resnet
from lit_vision.models.classifier import Classifier
from lit_vision.models.normalise import Normalise
from tests.twins import folders

MEAN = torch.full((3, 1, 1), 0.5)
NORMALISE = Normalise(MEAN, MEAN)


def noise(count, height=8, width=8, seed=0):
    return torch.randint(256, (count, 3, height, width), generator=torch.Generator().manual_seed(seed)).byte()


def reference(image, pad, top, left, mirror):
    """One image at a time, without torch: flip, pad with black, cut."""
    pixels = image.numpy()
    if mirror:
        pixels = pixels[:, :, ::-1]
    _, height, width = pixels.shape
    padded = np.zeros((3, height + 2 * pad, width + 2 * pad), np.uint8)
    padded[:, pad : pad + height, pad : pad + width] = pixels
    return padded[:, top : top + height, left : left + width]


@pytest.mark.parametrize(("height", "width", "pad"), [(8, 8, 2), (6, 9, 4), (5, 5, 1)])
def test_crop_against_one_image_at_a_time(height, width, pad):
    images = noise(50, height, width)
    corners = torch.randint(2 * pad + 1, (50, 2), generator=torch.Generator().manual_seed(1))
    corners[:2] = torch.tensor([[0, 0], [2 * pad, 2 * pad]])
    got = crop(images, pad, corners).numpy()
    for index, (top, left) in enumerate(corners.tolist()):
        np.testing.assert_array_equal(got[index], reference(images[index], pad, top, left, False))


def test_padding_is_zero():
    white = torch.full((2, 3, 4, 4), 255, dtype=torch.uint8)
    corner, middle = crop(white, 2, torch.tensor([[0, 0], [2, 2]]))
    assert corner[:, :2].sum() == corner[:, :, :2].sum() == 0
    assert (corner[:, 2:, 2:] == 255).all()
    assert (middle == 255).all()


def test_augment_against_one_image_at_a_time():
    """The draws are redone here by hand: corners first, then mirrors, for the whole batch."""
    images, pad = noise(32), 2
    got = SmallImages(pad=pad, fill="black").augment(images, Place(seed=4, step=9, start=0, total=32), NORMALISE)
    random = sampler.generator(4, 9)
    corners = torch.randint(2 * pad + 1, (32, 2), generator=random).tolist()
    mirrored = torch.randint(2, (32,), generator=random).tolist()
    assert got.dtype == torch.uint8
    assert 0 < sum(mirrored) < 32
    for index, ((top, left), mirror) in enumerate(zip(corners, mirrored, strict=True)):
        np.testing.assert_array_equal(got[index].numpy(), reference(images[index], pad, top, left, mirror))


def test_the_mean_image_is_subtracted_before_images_are_mirrored_padded_and_cropped():
    """Section 4.2 of the ResNet paper: by hand, one image at a time."""
    images, pad, mean = noise(32), 2, torch.rand(3, 8, 8)
    normalise = Normalise(mean, torch.full((3, 1, 1), 1 / 255))
    got = SmallImages(pad=pad, mean="pixel", std=None).augment(
        images, Place(seed=4, step=9, start=0, total=32), normalise
    )
    random = sampler.generator(4, 9)
    corners = torch.randint(2 * pad + 1, (32, 2), generator=random).tolist()
    mirrored = torch.randint(2, (32,), generator=random).tolist()
    for index, ((top, left), mirror) in enumerate(zip(corners, mirrored, strict=True)):
        centred = images[index].double() - 255 * mean.double()
        padded = torch.zeros(3, 12, 12, dtype=torch.float64)
        padded[:, 2:10, 2:10] = centred.flip(2) if mirror else centred
        expected = padded[:, top : top + 8, left : left + 8]
        torch.testing.assert_close(got[index].double(), expected, atol=1e-4, rtol=0)
        assert torch.equal(got[index] == 0, expected == 0)  # the border, exactly


def test_padding_is_zero_in_the_first_layer():
    """White images: what the network's stem sees is one constant inside, and exactly zero around it."""
    network, seen = Classifier(resnet.resnet20(), 10, Normalise((0.2, 0.2, 0.2), (0.5, 0.5, 0.5))).eval(), []
    network.backbone.stem.conv.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0]))
    white = torch.full((64, 3, 8, 8), 255, dtype=torch.uint8)
    network(SmallImages(pad=4).augment(white, Place(0, 0, 0, 64), network.normalise), torch.tensor([[8, 8]] * 64))
    network(white)
    padded, whole = seen
    assert padded.unique().tolist() == [0, pytest.approx(1.6)]  # (1 - 0.2) / 0.5
    assert whole.unique().tolist() == [pytest.approx(1.6)]  # evaluation pads nothing


def test_an_unknown_fill_is_refused():
    with pytest.raises(InputError, match="fill: 'white' is unknown; choose one of mean, black"):
        SmallImages(fill="white")


@pytest.mark.parametrize(("world_size", "accumulate"), [(1, 2), (2, 1), (2, 2), (3, 2)])
def test_neither_ranks_nor_accumulation_change_a_crop(world_size, accumulate):
    images, pipeline = noise(24), SmallImages(pad=2, fill="black")
    whole = pipeline.augment(images, Place(seed=1, step=5, start=0, total=24), NORMALISE)
    for rank in range(world_size):
        batches = TrainBatches(24, 24, rank=rank, world_size=world_size, accumulate=accumulate)
        for part in range(accumulate):
            start = batches.slice_start(part)
            mine = slice(start, start + batches.micro_size)
            assert torch.equal(pipeline.augment(images[mine], Place(1, 5, start, 24), NORMALISE), whole[mine])


def test_augmentation_depends_on_seed_and_step_alone():
    images, pipeline = noise(16), SmallImages(pad=2, fill="black")
    torch.manual_seed(0)
    first = pipeline.augment(images, Place(1, 5, 0, 16), NORMALISE)
    torch.manual_seed(1)
    before = torch.get_rng_state()
    assert torch.equal(pipeline.augment(images, Place(1, 5, 0, 16), NORMALISE), first)
    assert torch.equal(torch.get_rng_state(), before)
    assert not torch.equal(pipeline.augment(images, Place(1, 6, 0, 16), NORMALISE), first)
    assert not torch.equal(pipeline.augment(images, Place(2, 5, 0, 16), NORMALISE), first)


def test_every_corner_and_both_directions_are_equally_likely():
    ramp = torch.arange(1, 13, dtype=torch.uint8).reshape(1, 1, 3, 4).expand(9000, 3, 3, 4)
    got = SmallImages(pad=1, fill="black").augment(ramp, Place(0, 0, 0, 9000), NORMALISE)
    middle = got[:, 0, 1, 1].tolist()  # 3 x 3 corners show rows 1..3 at columns 1..3, or 2..4 mirrored
    counts = np.bincount(middle, minlength=13)[1:].reshape(3, 4)
    # column 0 is seen by one direction at one of three offsets: 9000 / 18 = 500 a row; inner columns by both
    np.testing.assert_allclose(counts, [[500, 1000, 1000, 500]] * 3, atol=130)  # 4 standard errors


def test_without_crop_and_flip_nothing_happens():
    images = noise(8)
    assert torch.equal(SmallImages(pad=0, flip=False).augment(images, Place(0, 0, 0, 8), NORMALISE), images)
    flipped = SmallImages(pad=0, flip=True, fill="black").augment(images, Place(0, 0, 0, 8), NORMALISE)
    same, mirrored = (flipped == images).all((1, 2, 3)), (flipped == images.flip(3)).all((1, 2, 3))
    assert (same ^ mirrored).all()
    assert same.any()
    assert mirrored.any()


def test_statistics_against_numpy(monkeypatch):
    monkeypatch.setattr("lit_vision.data.pipelines.small._CHUNK", 7)  # several passes, the last one shorter
    images = noise(30)
    pixels = images.numpy().astype(np.float64) / 255
    split = Split(images, torch.zeros(30))

    mean, std = SmallImages(mean="pixel", std=None).statistics(split)
    assert mean.shape == (3, 8, 8)
    np.testing.assert_allclose(mean, pixels.mean(0), rtol=1e-6)
    # the ResNet paper states no division: pixels stay in 0..255, and `Normalise` divides values in 0..1
    assert torch.equal(std, torch.full((3, 1, 1), 1 / 255))

    mean, std = SmallImages(mean="channel", std="channel").statistics(split)
    np.testing.assert_allclose(mean[:, 0, 0], pixels.mean((0, 2, 3)), rtol=1e-6)
    np.testing.assert_allclose(std[:, 0, 0], pixels.std((0, 2, 3)), rtol=1e-6)
    assert mean.shape == std.shape == (3, 1, 1)
    assert mean.dtype == std.dtype == torch.float32


def test_given_statistics_are_kept():
    mean, std = SmallImages(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)).statistics(
        Split(noise(4), torch.zeros(4))
    )
    assert torch.equal(mean, torch.tensor([0.485, 0.456, 0.406])[:, None, None])
    assert torch.equal(std, torch.tensor([0.229, 0.224, 0.225])[:, None, None])


def test_equal_images_have_a_standard_deviation():
    _, std = SmallImages().statistics(Split(torch.full((4, 3, 2, 2), 9, dtype=torch.uint8), torch.zeros(4)))
    assert (std > 0).all()


def test_loader_indexes_whole_batches():
    images, labels = noise(10, 4, 6), torch.arange(10)
    batches = TrainBatches(10, 4, seed=2)
    loader = MemoryLoader(Split(images, labels), batches)
    order = batches.order(0)
    got = list(loader)
    assert len(loader) == len(got) == 2
    for step, batch in enumerate(got):
        mine = order[4 * step : 4 * step + 4]
        assert torch.equal(batch.images, images[mine])
        assert torch.equal(batch.targets, mine)
        assert batch.sizes.tolist() == [[4, 6]] * 4
    evaluated = list(SmallImages().eval_loader(Split(images, labels), EvalBatches(10, 4), 0))
    assert torch.equal(torch.cat([batch.images for batch in evaluated]), images)


def test_files_become_one_tensor(tmp_path):
    pixels = [folders.picture(6, 6, 0, 1, seed) for seed in range(9)]
    files = [tmp_path / f"{number}.png" for number in range(9)]
    for path, image in zip(files, pixels, strict=True):
        folders.save(path, image)
    pipeline = SmallImages()
    assert pipeline.input_size is None
    loaded = pipeline.load(Split(files, torch.zeros(9)))
    np.testing.assert_array_equal(loaded.images.numpy(), np.stack(pixels).transpose(0, 3, 1, 2))
    assert loaded.images.dtype == torch.uint8
    assert pipeline.input_size == (6, 6)


def test_another_size_is_named(tmp_path):
    for number, size in enumerate([(6, 6), (6, 6), (6, 8)]):
        folders.save(tmp_path / f"{number}.png", folders.picture(*size, 0, 1, number))
    files = sorted(tmp_path.iterdir())
    with pytest.raises(InputError, match=r"2\.png is 6x8, but .* have one size, here 6x6; resize them, or set"):
        read_files(files, None)
    with pytest.raises(InputError, match=r"png is 6x[68], but .* one size, here 5x5; "):
        read_files(files, (5, 5))


def test_prediction_resizes_to_the_training_size():
    assert SmallImages(size=8).prepare(noise(1, 20, 30)[0]).shape == (3, 8, 8)
    image = noise(1)[0]
    assert torch.equal(SmallImages(size=8).prepare(image), image)
    assert torch.equal(SmallImages().prepare(image), image)
