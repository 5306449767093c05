"""What every data set shares, shown on digits, tiny folders, and one in memory."""

import shutil
from types import SimpleNamespace

import lightning as L
import pytest
import torch
from torch import Tensor

from lit_vision.data.base import ImageData, stratified, take
from lit_vision.data.digits import Digits
from lit_vision.data.image_folder import ImageFolder
from lit_vision.data.pipelines.pipeline import Place, Split
from lit_vision.data.pipelines.small import SmallImages
from lit_vision.errors import InputError
from lit_vision.models.normalise import Normalise
from tests.twins import folders


class Numbered(ImageData):
    """Every pixel of image `i` is `i`, its class `i % 4`."""

    def __init__(self, counts=None, names="abcd", **options):
        super().__init__(list(names), SmallImages(pad=0, flip=False), **options)
        self.counts = counts or {"train": 40, "val": 12, "test": 8}

    def read(self):
        return {name: numbered(count) for name, count in self.counts.items()}


def numbered(count) -> Split:
    number = torch.arange(count)
    return Split(number.byte()[:, None, None, None].expand(-1, 3, 2, 2).contiguous(), number % 4)


def ready(data):
    data.setup()
    return data


def seen(loader) -> list[list[int]]:
    return [batch.images[:, 0, 0, 0].tolist() for batch in loader]


@pytest.mark.parametrize("fraction", [0.1, 0.25, 0.5])
def test_stratified(fraction):
    labels = torch.tensor([0] * 20 + [1] * 40 + [5] * 60)[
        torch.randperm(120, generator=torch.Generator().manual_seed(3))
    ]
    held, kept = stratified(labels, fraction)
    assert sorted(held.tolist() + kept.tolist()) == list(range(120))
    assert labels[held].bincount()[[0, 1, 5]].tolist() == [20 * fraction, 40 * fraction, 60 * fraction]
    assert held.tolist() == sorted(held.tolist())
    assert kept.tolist() == sorted(kept.tolist())
    assert held.tolist() != list(range(len(held)))  # drawn, not the first of each class


def test_stratified_is_the_same_every_time_and_draws_nothing_global():
    labels = torch.arange(100) % 10
    before = torch.get_rng_state()
    first = stratified(labels, 0.3)
    torch.manual_seed(77)
    assert torch.equal(stratified(labels, 0.3)[0], first[0])
    torch.set_rng_state(before)
    stratified(labels, 0.3)
    assert torch.equal(torch.get_rng_state(), before)


def test_stratified_leaves_both_sides_an_image_of_each_class():
    labels = torch.tensor([0, 0, 1, 1, 1, 2])
    held, kept = stratified(labels, 0.01)
    assert labels[held].tolist() == [0, 1]  # a class of one image stays in training
    held, kept = stratified(labels, 0.99)
    assert labels[kept].tolist() == [0, 1, 2]


def test_take():
    split = take(numbered(9), torch.tensor([2, 7]))
    assert split.images[:, 0, 0, 0].tolist() == [2, 7]
    assert split.labels.tolist() == [2, 3]
    assert take(Split(list("abc"), torch.tensor([0, 1, 2])), torch.tensor([2, 0])).images == ["c", "a"]


def test_loaders():
    data = ready(Numbered(batch_size=16, eval_batch_size=5))
    train = seen(data.train_dataloader())
    assert [len(batch) for batch in train] == [16, 16]  # 8 of 40 are left for other epochs
    assert len({number for batch in train for number in batch}) == 32
    assert seen(data.val_dataloader()) == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9], [10, 11]]
    assert seen(data.test_dataloader()) == [[0, 1, 2, 3, 4], [5, 6, 7]]


def test_seed_decides_the_order():
    orders = [seen(ready(Numbered(batch_size=20, seed=seed)).train_dataloader()) for seed in (0, 0, 1)]
    assert orders[0] == orders[1]
    assert orders[0] != orders[2]


def test_a_loader_follows_where_the_run_stands():
    """Epoch 1, micro batch 1, as after a resumption: what the whole epoch would have shown from there."""
    data = ready(Numbered(batch_size=10))
    loader = data.train_dataloader()
    data._batches.position = lambda: (1, 0)
    whole = seen(loader)
    data._batches.position = lambda: (1, 1)
    assert seen(loader) == whole[1:]


class FakeTrainer:
    """What the data module asks of a trainer."""

    def __init__(self, step=0, accumulate=1, limit=1.0, rank=0, world_size=1):
        self.global_step, self.accumulate_grad_batches, self.limit_train_batches = step, accumulate, limit
        self.global_rank, self.world_size = rank, world_size


@pytest.mark.parametrize(
    ("step", "accumulate", "limit", "expected"),
    [
        (0, 1, 1.0, (0, 0)),
        (3, 1, 1.0, (0, 3)),
        (4, 1, 1.0, (1, 0)),  # 4 batches of 10 an epoch
        (9, 1, 1.0, (2, 1)),
        (9, 2, 1.0, (2, 2)),  # 8 micro batches, still 4 steps
        (5, 1, 2, (2, 1)),  # two batches an epoch
        (5, 1, 0.5, (2, 1)),
        (5, 1, 99, (1, 1)),
        (3, 2, 3, (1, 2)),  # 3 of 8 micro batches: 2 steps an epoch, the last of half a batch
    ],
)
def test_position_by_optimiser_steps(step, accumulate, limit, expected):
    data = ready(Numbered(batch_size=10))
    data.trainer = FakeTrainer(step, accumulate, limit)
    data.train_dataloader()
    assert data._batches.position() == expected


@pytest.mark.parametrize(("world_size", "accumulate"), [(1, 1), (1, 2), (2, 1), (2, 2), (4, 2)])
def test_ranks_and_accumulation_share_the_same_total_batches(world_size, accumulate):
    expected = seen(ready(Numbered(batch_size=8)).train_dataloader())
    total = [[] for _ in expected]
    for part in range(accumulate):
        for rank in range(world_size):
            data = ready(Numbered(batch_size=8))
            data.trainer = FakeTrainer(0, accumulate, 1.0, rank, world_size)
            for step, batch in enumerate(seen(data.train_dataloader())[part::accumulate]):
                total[step] += batch
    assert total == expected


@pytest.mark.parametrize("world_size", [1, 2, 3])
def test_ranks_evaluate_every_image_once(world_size):
    found = []
    for rank in range(world_size):
        data = ready(Numbered(eval_batch_size=5))
        data.trainer = FakeTrainer(rank=rank, world_size=world_size)
        found += seen(data.val_dataloader())
    assert sorted(found) == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9], [10, 11]]


def test_a_batch_that_the_devices_do_not_divide():
    data = ready(Numbered(batch_size=10))
    data.trainer = FakeTrainer(world_size=4)
    with pytest.raises(
        InputError, match=r"data\.batch_size 10 is the total over all devices and does not divide by 4 device"
    ):
        data.train_dataloader()


def test_too_few_training_images():
    with pytest.raises(
        InputError, match=r"data\.batch_size is 41, but there are only 40 training images; set it to 40"
    ):
        ready(Numbered(batch_size=41)).train_dataloader()


@pytest.mark.parametrize(
    ("batch_size", "limit", "world_size", "steps"),
    [
        (256, None, 8, 1),
        (256, 32, 8, 1),
        (256, 256, 1, 1),
        (256, 300, 1, 1),  # more than there are
        (256, 128, 1, 2),
        (256, 32, 1, 8),
        (256, 32, 2, 4),
        (256, 1, 2, 128),
    ],
)
def test_accumulation(batch_size, limit, world_size, steps):
    assert Numbered(batch_size=batch_size, max_per_device=limit).accumulation(world_size) == steps


def test_accumulation_that_is_not_whole():
    with pytest.raises(InputError) as error:
        Numbered(batch_size=256, max_per_device=100).accumulation(2)
    assert str(error.value) == (
        "data.batch_size 256 does not divide by 2 device(s) x data.max_per_device 100; choose a divisor of 128"
    )
    # no choice of max_per_device can help where the devices themselves do not divide the batch
    with pytest.raises(
        InputError, match=r"data\.batch_size 256 .* does not divide by 3 device\(s\) x 1 acc.* multiple of 3$"
    ):
        Numbered(batch_size=256, max_per_device=50).accumulation(3)


@pytest.mark.parametrize("key", ["batch_size", "eval_batch_size", "max_per_device"])
@pytest.mark.parametrize("number", [0, -3])
def test_numbers_of_images_are_positive(key, number):
    with pytest.raises(InputError, match=rf"^data\.{key} is {number}; it must be at least 1$"):
        Numbered(**{key: number})


@pytest.mark.parametrize("fraction", [-0.1, 1, 1.5])
def test_val_fraction_is_a_share(fraction):
    with pytest.raises(InputError, match=rf"data\.val_fraction is {fraction}; it must be at least 0 and below 1"):
        Numbered(val_fraction=fraction)


def test_val_fraction_beside_a_val_split():
    with pytest.raises(InputError) as raised:
        ready(Numbered(val_fraction=0.5))
    assert str(raised.value) == (
        "data.val_fraction 0.5 asks for a share of train, but there is a val split of 12 images;\n"
        "set data.val_fraction to 0, or leave the val split out"
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_workers": -1}, "data.num_workers is -1; it must be at least 0 (read in the main process)"),
        (
            {"names": "a"},
            "Numbered: 'a' is the only class, so there is nothing to tell apart; give at least two",
        ),
        ({"names": "aba"}, "the class name 'a' is there twice; results are listed by class name"),
    ],
)
def test_data_that_cannot_be_trained_on(options, message):
    with pytest.raises(InputError) as raised:
        Numbered(**options)
    assert str(raised.value) == message


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ({"train": 0, "val": 12}, "there are no training images; see data.root and data.train"),
        ({"train": 7, "val": 12}, "data.batch_size is 8, but there are only 7 training images; set it to 7 or less"),
    ],
)
def test_a_training_set_smaller_than_a_batch(counts, message):
    data = Numbered(counts, batch_size=8)
    data.splits = data.read()
    with pytest.raises(InputError) as raised:
        data.train_dataloader()
    assert str(raised.value) == message


def test_a_split_without_images():
    data = Numbered({"train": 8, "val": 0})
    data.splits = data.read()
    with pytest.raises(InputError, match=r"the split to evaluate holds no image; see data.val and data.test"):
        data.val_dataloader()


def test_statistics_are_those_of_the_training_split_alone():
    data = ready(Numbered({"train": 40, "val": 200, "test": 8}))
    # 0..39: mean 19.5, variance (40^2 - 1) / 12
    assert data.mean.flatten().tolist() == pytest.approx([19.5 / 255] * 3, rel=1e-6)
    assert data.std.flatten().tolist() == pytest.approx([(1599 / 12) ** 0.5 / 255] * 3, rel=1e-6)
    kept = ready(Numbered({"train": 40, "test": 8}, val_fraction=0.5))
    assert float(kept.mean[0]) == pytest.approx(float(kept.splits["train"].images.float().mean()) / 255, rel=1e-6)


def test_setup_reads_once():
    data = ready(Numbered())
    first = data.splits
    data.read = lambda: pytest.fail("read twice")
    data.setup("test")
    assert data.splits is first


def test_without_a_trainer_batches_pass_unchanged():
    data = ready(Numbered(batch_size=8))
    batch = next(iter(data.train_dataloader()))
    assert data.on_after_batch_transfer(batch, 0) is batch


class Recorder(L.LightningModule):
    """Keeps the images of every micro batch, as the training step gets them."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.network = SimpleNamespace(normalise=Normalise())
        self.seen = []

    def training_step(self, batch, index):
        self.seen.append(batch.images.clone())
        return self.weight * 0

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.0)


class Noise(ImageData):
    """Random images that are cropped and flipped."""

    def __init__(self, **options):
        super().__init__(["a", "b"], SmallImages(pad=2, flip=True), **options)

    def read(self):
        images = torch.randint(256, (44, 3, 8, 8), generator=torch.Generator().manual_seed(0)).byte()
        split = Split(images, torch.arange(44) % 2)
        return {"train": split, "val": split}


def trained_images(folder, max_steps, accumulate=1, resume=None) -> list[Tensor]:
    """Total batches of a real run of 4 steps an epoch."""
    model = Recorder()
    trainer = L.Trainer(
        max_steps=max_steps,
        accumulate_grad_batches=accumulate,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        limit_val_batches=0,
        use_distributed_sampler=False,
    )
    trainer.fit(model, datamodule=Noise(batch_size=10, seed=3), ckpt_path=resume, weights_only=True)
    trainer.save_checkpoint(folder / "last.ckpt")
    return [torch.cat(model.seen[start : start + accumulate]) for start in range(0, len(model.seen), accumulate)]


@pytest.mark.filterwarnings("ignore")  # Lightning's advice on workers and checkpoints
def test_a_run_sees_the_same_pixels_accumulated_or_resumed(tmp_path):
    """Order, crops and flips of 6 steps, over the end of an epoch: in one go, in parts, and stopped on the way."""
    whole = trained_images(tmp_path, 6)
    assert len({tuple(batch.flatten().tolist()) for batch in whole}) == len(whole) == 6
    for accumulate in (2, 5):
        assert all(map(torch.equal, whole, trained_images(tmp_path, 6, accumulate)))
    for stop, accumulate in ((3, 1), (4, 1), (3, 2), (5, 2)):
        first = trained_images(tmp_path, stop, accumulate)
        rest = trained_images(tmp_path, 6, accumulate, resume=tmp_path / "last.ckpt")
        assert (len(first), len(rest)) == (stop, 6 - stop)
        assert all(map(torch.equal, whole, first + rest))


class InTraining(FakeTrainer):
    """In training, at one micro batch of a step."""

    def __init__(self, step, accumulate, rank, world_size, part):
        super().__init__(step, accumulate, 1.0, rank, world_size)
        self.training = True
        self.lightning_module = SimpleNamespace(network=SimpleNamespace(normalise=Normalise()))
        progress = SimpleNamespace(current=SimpleNamespace(ready=step * accumulate + part))
        self.fit_loop = SimpleNamespace(epoch_loop=SimpleNamespace(batch_progress=progress))


def augmented(world_size, accumulate) -> Tensor:
    """The third total batch, put together from what the hook makes of each slice on its device."""
    found = []
    for part in range(accumulate):
        for rank in range(world_size):
            data = ready(Noise(batch_size=20))
            data.trainer = InTraining(2, accumulate, rank, world_size, part)  # 2 steps an epoch: the first of epoch 1
            batch = list(data.train_dataloader())[part]
            found.append(data.on_after_batch_transfer(batch, 0).images)
    return torch.cat(found)


@pytest.mark.parametrize(("world_size", "accumulate"), [(1, 2), (2, 1), (2, 2)])
def test_ranks_and_accumulation_share_the_same_crops(world_size, accumulate):
    assert torch.equal(augmented(world_size, accumulate), augmented(1, 1))


def test_crops_are_drawn_by_seed_and_optimiser_step():
    data = ready(Noise(batch_size=20, seed=3))
    data.trainer = InTraining(2, 1, 0, 1, 0)
    batch = next(iter(data.train_dataloader()))
    expected = data.pipeline.augment(batch.images, Place(seed=3, step=2, start=0, total=20), Normalise())
    assert torch.equal(data.on_after_batch_transfer(batch, 0).images, expected)
    data.trainer.training = False  # evaluation is left as it is
    assert data.on_after_batch_transfer(batch, 0) is batch


def test_a_module_without_a_network_is_told_to_pad_with_black():
    data = ready(Noise(batch_size=20))
    data.trainer = InTraining(2, 1, 0, 1, 0)
    batch = next(iter(data.train_dataloader()))
    data.trainer.lightning_module = SimpleNamespace()
    with pytest.raises(
        InputError, match=r"data\.pipeline\.fill: mean pads .* has no network\.normalise; set it to black"
    ):
        data.on_after_batch_transfer(batch, 0)
    data.pipeline.fill = "black"
    assert data.on_after_batch_transfer(batch, 0).images.dtype == torch.uint8


# Fingerprints


def fingerprint(root, **options) -> str:
    return ready(ImageFolder(str(root), **options)).fingerprint()


@pytest.fixture(params=["small", "photographs"])
def tree(request, tmp_path):
    return getattr(folders, request.param)(tmp_path / "tree")


def test_equal_data_have_equal_fingerprints_wherever_they_lie(tree, tmp_path):
    shutil.copytree(tree, tmp_path / "elsewhere" / "copy")
    first = fingerprint(tree)
    assert len(first) == 16
    assert first == fingerprint(tree, seed=3, batch_size=4) == fingerprint(tmp_path / "elsewhere" / "copy")


def test_one_moved_image_changes_the_fingerprint(tree):
    """A label: the image is filed under another class."""
    before = fingerprint(tree)
    path = sorted((tree / "train" / "ant").iterdir())[0]
    path.rename(tree / "train" / "bee" / f"moved{path.suffix}")
    assert fingerprint(tree) != before


def test_one_changed_image_changes_the_fingerprint(tree):
    before = fingerprint(tree)
    path = sorted((tree / "val" / "cat").iterdir())[1]
    height, width = (8, 8) if path.suffix == ".png" else (20, 30)
    folders.save(path, folders.picture(height, width, 0, 3, 12345))
    assert fingerprint(tree) != before


def test_one_removed_image_changes_the_fingerprint(tree):
    before = fingerprint(tree)
    sorted((tree / "test" / "cat").iterdir())[0].unlink()
    assert fingerprint(tree) != before


def test_a_class_name_changes_the_fingerprint(tree):
    before = fingerprint(tree)
    for split in folders.SPLITS:
        (tree / split / "cat").rename(tree / split / "cow")
    assert fingerprint(tree) != before


def test_the_split_is_part_of_the_fingerprint(tmp_path):
    root = folders.small(tmp_path, splits={"": 10})
    assert fingerprint(root, val_fraction=0.1) != fingerprint(root, val_fraction=0.2)


def test_labels_count_even_where_images_are_equal():
    first = ready(Numbered())
    other = ready(Numbered())
    labels: Tensor = other.splits["test"].labels.clone()
    labels[0] = 3
    other.splits["test"] = Split(other.splits["test"].images, labels)
    assert first.fingerprint() == ready(Numbered()).fingerprint()
    assert first.fingerprint() != other.fingerprint()
    assert first.fingerprint() != ready(Numbered(names="abce")).fingerprint()


@pytest.mark.parametrize(("count", "index"), [(500, 1), (500, 499), (1000, 0), (1000, 999)])
def test_images_in_memory_count(count, index):
    """All pixels of up to 511 images, then those of a sample: here every third image."""
    first, other = ready(Numbered({"train": count, "val": 4})), ready(Numbered({"train": count, "val": 4}))
    other.splits["train"].images[index, 0, 0, 0] ^= 1
    assert first.fingerprint() != other.fingerprint()


def test_more_devices_than_evaluation_batches():
    data = Digits(eval_batch_size=250)
    data.setup()
    data.trainer = SimpleNamespace(global_rank=0, world_size=3)
    message = "300 images in batches of data.eval_batch_size 250 are too few for 3 devices; set it to 100 or less"
    with pytest.raises(InputError, match=message):
        data.val_dataloader()
    data.eval_batch_size = 100
    assert len(data.val_dataloader()) == 1
