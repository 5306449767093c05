"""The pipeline of images with boxes: what reaches the device, and that nothing depends on the number of workers."""

import pytest
import torch
from torch import nn
from torchvision.ops import masks_to_boxes
from torchvision.transforms import v2

from lit_vision.data.boxes import BoxData
from lit_vision.data.coco import COCO
from lit_vision.data.digit_scenes import DigitScenes
from lit_vision.data.formats import masks
from lit_vision.data.pipelines.scenes import BoxPipeline, apply, crops, short_side, with_pixels, without_empty
from lit_vision.data.voc import VOC, VocFormat
from lit_vision.errors import InputError
from lit_vision.types import Target
from tests.twins import coco, voc


def target(*boxes, size=(40, 60)):
    corners = torch.tensor(boxes, dtype=torch.float64).view(-1, 4)
    count = len(corners)
    flags = torch.zeros(count, dtype=torch.bool)
    return Target(
        corners.float(),
        torch.arange(count),
        flags,
        flags,
        (corners[:, 2:] - corners[:, :2]).prod(1),
        torch.tensor(7),
        torch.tensor(size),
        corners,
    )


def test_boxes_are_resized_and_mirrored_with_their_image():
    image = torch.zeros((3, 40, 60), dtype=torch.uint8)
    image[:, 10:20, 6:18] = 255
    wanted = target((6, 10, 18, 20))
    double, moved = apply(v2.Compose([v2.Resize([80]), v2.RandomHorizontalFlip(p=1.0)]), image, wanted)
    assert double.shape == (3, 80, 120)
    assert type(double) is torch.Tensor
    assert type(moved.boxes) is torch.Tensor
    assert moved.boxes.tolist() == [[120 - 36, 20, 120 - 12, 40]]
    # What is evaluated against stays as the file has it.
    assert moved.original_boxes.tolist() == [[6, 10, 18, 20]]
    x1, y1, x2, y2 = (int(side) for side in moved.boxes[0])
    assert double[0, y1:y2, x1:x2].float().mean() > 240
    assert double[0, :, : x1 - 2].max() == 0


def outlined(*boxes, size=(40, 60)):
    """A target whose masks fill the boxes, as a reader hands it over."""
    made = target(*boxes, size=size)
    pixels = torch.zeros(len(boxes), *size, dtype=torch.bool)
    for mask, (x1, y1, x2, y2) in zip(pixels, boxes, strict=True):
        mask[y1:y2, x1:x2] = True
    return made._replace(original_masks=masks.pack(masks.of_pixels(pixels)).rows(0, len(boxes)))


def test_masks_are_resized_and_mirrored_with_their_image():
    image = torch.zeros((3, 40, 60), dtype=torch.uint8)
    given = with_pixels(outlined((6, 10, 18, 20), (0, 0, 30, 40)))
    _, moved = apply(v2.Compose([v2.Resize([80]), v2.RandomHorizontalFlip(p=1.0)]), image, given)
    assert (type(moved.masks), moved.masks.dtype, moved.masks.shape) == (torch.Tensor, torch.bool, (2, 80, 120))
    assert torch.equal(masks_to_boxes(moved.masks) + torch.tensor([0, 0, 1, 1]), moved.boxes)
    assert moved.masks.sum((1, 2)).tolist() == [4 * 120, 4 * 1200]
    assert torch.equal(moved.original_masks, given.original_masks)
    kept = without_empty(moved._replace(boxes=torch.tensor([[5.0, 5, 5, 9], [60, 0, 120, 80]])))
    assert torch.equal(kept.masks, moved.masks[1:])
    assert torch.equal(kept.original_masks, moved.original_masks[1:])


def test_training_sees_pixels_of_masks_and_evaluation_does_not():
    data = DigitScenes(64, train=4, val=2, test=2, masks=True, batch_size=2)
    (batch, *_) = batches(data, "train_dataloader")
    for each in batch.targets:
        assert each.masks.shape == (len(each.boxes), 64, 64)
        assert torch.equal(masks_to_boxes(each.masks) + torch.tensor([0, 0, 1, 1]), each.boxes)
    (batch, *_) = batches(data, "val_dataloader")
    assert [len(each.masks) for each in batch.targets] == [0, 0]
    assert [len(each.original_masks) for each in batch.targets] == [len(each.boxes) for each in batch.targets]
    plain = DigitScenes(64, train=4, val=2, test=2, batch_size=2)
    (batch, *_) = batches(plain, "train_dataloader")
    assert [(each.masks.numel(), each.original_masks.numel()) for each in batch.targets] == [(0, 0)] * 2


def test_the_short_side_goes_to_its_size_unless_the_long_one_passes_the_cap():
    pipeline = short_side([20], test=20, cap=100)
    assert pipeline.prepare(torch.zeros((3, 40, 60), dtype=torch.uint8)).shape == (3, 20, 30)
    assert pipeline.prepare(torch.zeros((3, 40, 400), dtype=torch.uint8)).shape == (3, 10, 100)


@pytest.mark.parametrize(
    ("rounding", "size", "expected"),
    [
        ("nearest", (334, 500), (800, 1198)),  # 500 * 800 / 334 is 1197.6
        ("floor", (334, 500), (799, 1197)),  # in floating point 800 / 334 * 334 is 799.99…
        ("nearest", (333, 500), (800, 1201)),
        ("floor", (333, 500), (800, 1201)),
        ("nearest", (300, 700), (571, 1333)),  # by the cap: 300 * 1333 / 700 is 571.29
        ("nearest", (301, 700), (573, 1333)),  # 573.19
        ("nearest", (427, 640), (800, 1199)),  # 1199.06
        ("nearest", (480, 640), (800, 1067)),  # 1066.67
        ("floor", (480, 640), (800, 1066)),
        ("nearest", (1, 5000), (1, 1333)),
    ],
)
def test_sides_are_rounded_as_the_authors_code_does_or_as_torchvision(rounding, size, expected):
    pipeline = short_side(rounding=rounding)
    assert pipeline.eval.transforms[0].size(*size, 800) == expected
    assert pipeline.eval.transforms[0].size(*size[::-1], 800) == expected[::-1]


def test_floor_is_torchvisions():
    ours = short_side(rounding="floor").eval.transforms[0]
    theirs = v2.RandomShortestSize([800], max_size=1333)
    for height, width in ((334, 500), (480, 640), (427, 640), (612, 612), (375, 1242), (1242, 375)):
        image = torch.zeros((3, height, width), dtype=torch.uint8)
        assert ours.size(height, width, 800) == theirs.make_params([image])["size"]


def test_rounded_sizes_reach_the_image_and_its_boxes():
    image = torch.zeros((3, 34, 51), dtype=torch.uint8)
    moved = apply(short_side([80], cap=200, flip=False).train, image, target((0, 0, 51, 34), size=(34, 51)))
    assert moved.image.shape == (3, 80, 120)
    assert moved.target.boxes.tolist() == [pytest.approx([0, 0, 120, 80])]


@pytest.mark.parametrize(
    ("options", "name"), [({"train": [0]}, "short side"), ({"test": -1}, "short side"), ({"cap": 0}, "cap")]
)
def test_sizes_that_are_none(options, name):
    with pytest.raises(InputError, match=rf"the pipeline's {name} is -?\d; it must be at least 1 pixel"):
        short_side(**options)


def test_objects_that_a_crop_removes_are_not_trained_on():
    cropped = target((0, 0, 10, 10), (20, 20, 20, 30), (5, 5, 6, 6))
    kept = without_empty(cropped)
    assert kept.labels.tolist() == [0, 2]
    assert all(len(part) == 2 for part in (kept.boxes, kept.crowd, kept.difficult, kept.area, kept.original_boxes))


def test_crops_are_those_of_classification_with_the_boxes_in_them():
    torch.manual_seed(0)
    image = torch.full((3, 40, 60), 40, dtype=torch.uint8)
    image[:, 10:30, 20:50] = 200
    shapes = set()
    for _ in range(8):
        cut, moved = apply(crops(48, 60, 32).train, image, target((20, 10, 50, 30)))
        shapes.add(cut.shape)
        assert 0 <= moved.boxes.min() <= moved.boxes.max() <= 32
        x1, y1, x2, y2 = moved.boxes[0].round().int().tolist()
        inside = cut[:, y1:y2, x1:x2].float()
        assert inside.mean() > 180
        assert cut.float().sum() - inside.sum() < 60 * (cut.numel() - inside.numel()) + 3 * 140 * 2 * (
            x2 - x1 + y2 - y1
        )
    assert shapes == {(3, 32, 32)}


def test_crops_are_tested_at_a_short_side_or_whole():
    image = torch.zeros((3, 40, 60), dtype=torch.uint8)
    assert crops(short_side=20).prepare(image).shape == (3, 20, 30)
    assert crops(short_side=20, whole=True).prepare(image).shape == (3, 40, 60)
    assert short_side([20], test=20, whole=True).prepare(image).shape == (3, 40, 60)
    sizes = torch.tensor([[40, 60]])
    assert crops(short_side=20).padded_shapes(sizes) == [(32, 32)]
    assert crops(whole=True).padded_shapes(sizes) == [(40, 60)]


@pytest.fixture
def data(tmp_path):
    def build(**options):
        root = tmp_path / "coco"
        if not root.is_dir():
            coco.write(root)
        options = {"batch_size": 2, "pipeline": short_side([30, 40, 50], test=40, cap=80), "seed": 3} | options
        return COCO(str(root), **options)

    return build


def batches(module, loader):
    module.setup()
    return list(getattr(module, loader)())


@pytest.mark.parametrize("loader", ["train_dataloader", "val_dataloader"])
def test_batches_do_not_depend_on_the_number_of_workers(data, loader):
    alone, together = batches(data(), loader), batches(data(num_workers=2), loader)
    assert len(alone) == len(together) > 0
    for one, other in zip(alone, together, strict=True):
        assert torch.equal(one.images, other.images)
        assert torch.equal(one.sizes, other.sizes)
        for left, right in zip(one.targets, other.targets, strict=True):
            assert all(torch.equal(a, b) for a, b in zip(left, right, strict=True))


def test_batches_are_uint8_padded_to_32_and_of_one_orientation(data):
    module = data()
    for batch in batches(module, "train_dataloader"):
        assert batch.images.dtype == torch.uint8
        assert all(side % 32 == 0 for side in batch.images.shape[2:])
        wide = batch.sizes[:, 1] > batch.sizes[:, 0]
        assert bool(wide.all()) or not bool(wide.any())
        for image, (height, width) in zip(batch.images, batch.sizes.tolist(), strict=True):
            assert image[:, height:].sum() == image[:, :, width:].sum() == 0


def test_images_without_objects_are_left_out_of_training_only(data):
    module = data()
    module.setup()
    # Six images, the last without an object; one more holds nothing but a crowd region or not, as the twin has it.
    kept = data(keep_empty=True)
    kept.setup()
    assert len(kept.splits["train"]) == 6
    assert len(module.splits["train"]) < 6
    assert len(module.splits["val"]) == len(kept.splits["val"]) == 3


def test_only_some_images_by_id(data):
    module = data(only=[10_001, 30_001], train="train2017")
    with pytest.raises(InputError, match=r"has no image 30001 among its"):
        module.setup()
    module = data(only=[10_001, 10_000], val="train2017")
    module.setup()
    assert module.splits["train"].image_ids.tolist() == [10_000, 10_001]
    assert module.num_classes == 80


def mixed(tmp_path, size):
    """A validation split of images of many shapes."""
    voc.folder(tmp_path, {"train": 2, "val": 6}, first=1)
    for number, (height, width) in enumerate([(70, 50), (50, 70), (70, 51), (40, 90), (69, 50), (90, 40)], 3):
        shown = voc.objects(1, number, voc.USED)
        voc.image(tmp_path, f"{number:06}", shown, size=(height, width))
    return VocFormat(str(tmp_path), batch_size=2, eval_batch_size=size, test=None, pipeline=short_side([40], 40, 80))


def test_no_image_is_padded_for_a_larger_neighbour(tmp_path):
    """What an image is padded to, and so what is found in it, does not depend on `eval_batch_size`."""
    canvas = {}
    for size in (1, 2, 4):
        shown = batches(mixed(tmp_path, size), "val_dataloader")
        canvas[size] = {
            int(target.image_id): image
            for batch in shown
            for image, target in zip(batch.images, batch.targets, strict=True)
        }
    assert sorted(canvas[1]) == [3, 4, 5, 6, 7, 8]
    assert len({image.shape for image in canvas[1].values()}) == 3
    for size in (2, 4):
        assert canvas[size].keys() == canvas[1].keys()
        assert all(torch.equal(canvas[size][number], image) for number, image in canvas[1].items())


def test_shapes_are_known_before_an_image_is_read(tmp_path):
    sizes = torch.tensor([[334, 500], [500, 334], [480, 640]])
    assert short_side().padded_shapes(sizes) == [(800, 1216), (1216, 800), (800, 1088)]
    assert BoxPipeline([], [v2.Resize(40)]).padded_shapes(sizes) == [(334, 500), (500, 334), (480, 640)]


def test_convolutions_see_the_border_of_a_padded_image():
    """Why batches are not mixed: the first layers turn black padding into something else, which later layers see."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 4, 3, padding=1)).eval()
    image = torch.randn(1, 3, 8, 8)
    with torch.no_grad():
        alone, beside = network(image), network(nn.functional.pad(image, (0, 8, 0, 8)))[..., :8, :8]
    assert torch.allclose(alone[..., :6, :6], beside[..., :6, :6], atol=1e-6)
    assert (alone - beside).abs().max() > 0.01


def test_an_image_that_cannot_be_read_meets_the_policy(data):
    module = data(bad="skip", eval_batch_size=2)
    module.setup()
    victim = module.splits["val"].path(1)
    victim.write_bytes(victim.read_bytes()[:-300])
    loader = module.val_dataloader()
    with pytest.warns(UserWarning, match="left out: .*damaged"):
        seen = [int(each.image_id) for batch in loader for each in batch.targets]
    assert seen == [30_000, 30_002]
    assert loader.skipped == 1
    module.boxes.skip_unreadable = False
    with pytest.raises(InputError, match=r"damaged .*set data.bad to skip"):
        list(module.val_dataloader())


def test_training_goes_on_with_the_next_readable_image(data):
    module = data(bad="skip")
    first, *_ = batches(module, "train_dataloader")
    bad = int(first.targets[0].image_id)
    index = module.splits["train"].image_ids.tolist().index(bad)
    module.splits["train"].path(index).write_bytes(b"")
    with pytest.warns(UserWarning, match="left out"):
        found = list(module.train_dataloader())
    assert all(len(batch.images) == 2 for batch in found)
    assert bad not in [int(each.image_id) for batch in found for each in batch.targets]


def test_the_fingerprint_follows_boxes(data):
    one, other = data(), data()
    one.setup()
    other.setup()
    assert one.fingerprint() == other.fingerprint()
    other.splits["train"].boxes[0, 0] += 1
    assert one.fingerprint() != other.fingerprint()


def test_digit_scenes_need_no_file():
    module = DigitScenes(size=64, train=12, val=4, test=4, batch_size=4)
    (batch, *_) = batches(module, "train_dataloader")
    assert batch.images.shape == (4, 3, 64, 64)
    assert module.class_names == [str(digit) for digit in range(10)]
    assert module.original("test", 2).shape == (3, 64, 64)
    assert module.image_names("val")[3] == "val-3"
    assert module.pipeline_config["init_args"]["flip"] is False


def test_voc_unions_and_the_test_split_without_annotations(tmp_path):
    root = str(voc.write(tmp_path) / "VOCdevkit")
    module = VOC(root, train="07+12", batch_size=2, keep_empty=True)
    module.setup()
    assert len(module.splits["train"]) == 14
    assert module.splits["train"].image_ids.tolist() == [*range(2007000, 2007007), *range(2012000, 2012007)]
    assert len(module.splits["test"]) == 3
    assert module.monitor == "test"
    assert module.num_classes == 20
    with pytest.raises(InputError, match=r"07\+\+12 contains VOC 2007's test images"):
        VOC(root, train="07++12")


def test_own_classes_are_found_or_listed(tmp_path):
    voc.folder(tmp_path / "own", {"train": 4, "val": 2, "test": 2}, ("nut", "bolt"))
    assert VocFormat(str(tmp_path / "own")).class_names == ["bolt", "nut"]
    assert VocFormat(str(tmp_path / "own"), classes=["nut", "bolt"]).class_names == ["nut", "bolt"]


def test_data_without_anything_to_watch(tmp_path):
    voc.folder(tmp_path / "own", {"train": 4, "test": 2}, ("nut", "bolt"))
    module = VocFormat(str(tmp_path / "own"), val=None)
    with pytest.raises(InputError, match="VocFormat has no val split; name one, or watch the test split"):
        module.setup()


def test_every_box_pipeline_keeps_its_own_reader():
    assert BoxPipeline([], []).read_image is not DigitScenes(train=1, val=1, test=1).boxes.read_image
    assert issubclass(DigitScenes, BoxData)
