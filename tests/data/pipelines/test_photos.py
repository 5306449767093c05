import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader
from torchvision.transforms import v2

from lit_vision.data.image_folder import list_images
from lit_vision.data.pipelines import decode, photos
from lit_vision.data.pipelines.photos import Photographs
from lit_vision.data.pipelines.pipeline import Split
from lit_vision.data.pipelines.sampler import EvalBatches, TrainBatches
from lit_vision.data.pipelines.transforms import PCALighting, RandomShortSide
from lit_vision.errors import InputError
from tests.twins import folders


@pytest.fixture(scope="module")
def split(tmp_path_factory):
    root = folders.photographs(tmp_path_factory.mktemp("photographs"), splits={"train": 4})
    return list_images(root / "train", list(folders.CLASSES))


def small_paper():
    """The paper's transforms at a size for tests."""
    return photos.paper(low=24, high=40, crop=20, short_side=24)


def batches_of(split, epoch=0, workers=0, seed=0, pipeline=None):
    batches = TrainBatches(len(split.labels), 4, seed)
    batches.position = lambda: (epoch, 0)
    return list((pipeline or small_paper()).train_loader(split, batches, seed, workers))


def same(first, second):
    return all(torch.equal(a, b) for one, two in zip(first, second, strict=True) for a, b in zip(one, two, strict=True))


def test_workers_change_nothing(split):
    assert same(batches_of(split), batches_of(split, workers=2))


def test_the_global_generator_decides_nothing_and_is_left_alone(split, monkeypatch):
    """Also not those of accelerators, which `torch.manual_seed` would reseed."""
    monkeypatch.setattr(torch.cuda, "manual_seed_all", lambda seed: pytest.fail("reseeded the accelerators"))
    monkeypatch.setattr(torch.cuda, "manual_seed", lambda seed: pytest.fail("reseeded the accelerator"))
    first = batches_of(split)
    torch.default_generator.manual_seed(123)
    before = torch.get_rng_state()
    assert same(batches_of(split), first)
    assert torch.equal(torch.get_rng_state(), before)


def test_epochs_and_seeds_draw_anew(split):
    """The same image in another epoch: other crop, other light."""
    one = Split(split.images[:4], split.labels[:4])
    first, later, other = (batches_of(one, epoch=epoch, seed=seed)[0] for epoch, seed in ((0, 0), (1, 0), (0, 1)))
    first_orders = [TrainBatches(4, 4, seed).order(epoch) for epoch, seed in ((0, 0), (1, 0), (0, 1))]
    aligned = [batch.images[order.argsort()] for batch, order in zip((first, later, other), first_orders, strict=True)]
    for index in range(4):
        assert not torch.equal(aligned[0][index], aligned[1][index])
        assert not torch.equal(aligned[0][index], aligned[2][index])


def test_draws_depend_on_the_sample_and_not_on_its_batch(split):
    """Whatever batch an image falls into, and whoever reads it, its crop is the same."""

    def by_image(batch_size, world_size):
        found = {}
        for rank in range(world_size):
            batches = TrainBatches(len(split.labels), batch_size, 3, rank, world_size)
            for keys, batch in zip(batches, small_paper().train_loader(split, batches, 3, 0), strict=True):
                found |= {draw.sample: image for draw, image in zip(keys, batch.images, strict=True)}
        return found

    whole, dealt = by_image(12, 1), by_image(6, 2)
    assert whole.keys() == dealt.keys() == set(range(12))
    assert all(torch.equal(whole[index], dealt[index]) for index in whole)


def test_labels_follow_their_images(split):
    """The twin's grey level tells the class: 40, 90, 140 plus 0..59."""
    for batch in batches_of(split, pipeline=Photographs([v2.Resize((8, 8))], [v2.Resize((8, 8))])):
        levels = batch.images.float().mean((1, 2, 3))
        assert torch.equal(((levels - 45) // 50).long(), batch.targets)
        assert batch.sizes.tolist() == [[8, 8]] * 4


def test_evaluation_is_resize_and_centre_crop(split):
    got = list(small_paper().eval_loader(split, EvalBatches(12, 5), 0))
    assert [len(batch.targets) for batch in got] == [5, 5, 2]
    assert torch.equal(torch.cat([batch.targets for batch in got]), split.labels)
    centre = v2.Compose([v2.Resize(24, antialias=True), v2.CenterCrop(20)])
    expected = torch.stack([centre(decode.read(path)) for path in split.images])
    assert torch.equal(torch.cat([batch.images for batch in got]), expected)
    assert torch.equal(small_paper().prepare(decode.read(split.images[0])), expected[0])


def test_images_of_any_size_are_padded(split):
    """Without a last crop, as dense tests need it; the size of the input is then open."""
    pipeline = Photographs([v2.Resize(24)], [v2.Resize(24)])
    assert pipeline.input_size is None
    (batch,) = pipeline.eval_loader(split, EvalBatches(12, 12), 0)
    assert batch.images.shape[2] % 32 == batch.images.shape[3] % 32 == 0
    assert (batch.sizes.amin(1) == 24).all()
    assert len(batch.sizes.unique(dim=0)) > 2


def test_images_in_memory_pass_too():
    images = torch.randint(256, (6, 3, 9, 9)).byte()
    pipeline = Photographs([nn.Identity()], [v2.CenterCrop(9)])
    (batch,) = pipeline.eval_loader(Split(images, torch.arange(6)), EvalBatches(6, 6), 0)
    assert torch.equal(batch.images, images)


def test_the_paper_preset():
    """Section 3.4: short side from [256, 480], 224 crop, flip, colour augmentation."""
    pipeline = photos.paper()
    short, crop, flip, light = pipeline.train.transforms
    assert isinstance(short, RandomShortSide)
    assert (short.low, short.high) == (256, 480)
    assert isinstance(crop, v2.RandomCrop)
    assert tuple(crop.size) == (224, 224)
    assert isinstance(flip, v2.RandomHorizontalFlip)
    assert flip.p == 0.5
    assert isinstance(light, PCALighting)
    assert light.std == 0.1
    assert pipeline.input_size == (224, 224)
    mean, std = pipeline.statistics(Split([], torch.zeros(0)))
    assert mean.flatten().tolist() == pytest.approx([0.485, 0.456, 0.406])
    assert std.flatten().tolist() == pytest.approx([0.229, 0.224, 0.225])
    assert mean.shape == std.shape == (3, 1, 1)


def test_the_paper_preset_draws_every_size_of_224_pixels():
    torch.manual_seed(0)
    pipeline = photos.paper()
    image = torch.randint(256, (3, 100, 150), dtype=torch.uint8)
    got = pipeline.train(image)
    assert got.shape == (3, 224, 224)
    assert got.dtype == torch.uint8


def test_the_modern_preset():
    pipeline = photos.modern()
    crop, flip = pipeline.train.transforms
    assert isinstance(crop, v2.RandomResizedCrop)
    assert tuple(crop.size) == (224, 224)
    assert isinstance(flip, v2.RandomHorizontalFlip)
    assert pipeline.input_size == (224, 224)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_damaged_image_is_named(tmp_path, workers):
    root = folders.photographs(tmp_path, splits={"train": 2})
    broken = root / "train" / "bee" / "001.jpg"
    broken.write_bytes(broken.read_bytes()[:-100])
    files = list_images(root / "train", list(folders.CLASSES))
    with pytest.raises(InputError, match=r"bee/001\.jpg: the image is damaged") as error:
        list(small_paper().eval_loader(files, EvalBatches(6, 6), workers))
    assert str(error.value).startswith(str(broken))
    assert len(str(error.value).splitlines()) == 1  # no traceback of a worker


def test_lightning_leaves_the_loader_alone(split):
    """On several devices it replaces the sampler of every `DataLoader`, unless told not to."""
    loader = small_paper().train_loader(split, TrainBatches(len(split.labels), 4), 0, 0)
    assert not isinstance(loader, DataLoader)
    assert len(loader) == len(split.labels) // 4


@pytest.mark.parametrize("preset", [photos.paper, photos.modern])
def test_a_protocol_gets_more_than_the_crop_that_is_trained(preset):
    pipeline = preset(test_crop=256)
    image = torch.randint(256, (3, 300, 400), dtype=torch.uint8)
    assert pipeline.prepare(image).shape == (3, 256, 256)
    assert pipeline.train(image).shape == (3, 224, 224)
    assert pipeline.input_size == (224, 224)


def test_whole_images_go_in_batches_of_one_size(split):
    """For a protocol that resizes: pixels as the files have them, no padding, every image once."""
    pipeline = photos.paper(low=24, high=40, crop=20, whole=True)
    assert pipeline.input_size == (20, 20)
    batches = EvalBatches(len(split), 3, groups=pipeline.eval_groups(split))
    seen = []
    for indices, batch in zip(batches.batches, pipeline.eval_loader(split, batches, 0), strict=True):
        assert batch.sizes.tolist() == [list(batch.images.shape[-2:])] * len(indices)
        for index, image in zip(indices.tolist(), batch.images, strict=True):
            assert torch.equal(image, decode.read(split.images[index]))
        seen += indices.tolist()
    assert sorted(seen) == list(range(12))
    assert len({image.shape for image in map(decode.read, split.images)}) == 12


def test_images_that_end_at_one_size_are_one_group(split):
    assert small_paper().eval_groups(split) is None
    assert photos.paper(whole=True).eval_groups(Split(torch.zeros(2, 3, 4, 4), torch.zeros(2))) is None
