import math

import pytest
import torch
from torchvision.ops import MultiScaleRoIAlign, roi_pool

from lit_vision.ops import roi
from lit_vision.ops.roi import Pooler


@pytest.mark.parametrize(
    ("side", "level"),
    [(1, 2), (111.9, 2), (112, 3), (223.9, 3), (224, 4), (447.9, 4), (448, 5), (895, 5), (5000, 5)],
)
def test_levels_at_the_borders(side, level):
    # FPN, Eq. 1: 112, 224 and 448 pixels start a level
    boxes = torch.tensor([[3.0, 5, 3 + side, 5 + side], [0, 0, side / 4, side * 4]])
    assert roi.levels_of(boxes, 2, 5).tolist() == [level, level]


def features(*levels):
    generator = torch.Generator().manual_seed(0)
    return {level: torch.randn(2, 3, 512 // 2**level, 512 // 2**level, generator=generator) for level in levels}


def regions():
    corners = torch.rand(2, 40, 2, generator=torch.Generator().manual_seed(1)) * 100
    sides = torch.logspace(1, 2.6, 40)[:, None].expand(2, 40, 2)
    return list(torch.cat([corners, corners + sides], -1))


def test_align_over_levels_is_torchvision_s():
    maps, boxes = features(2, 3, 4, 5), regions()
    theirs = MultiScaleRoIAlign(list("2345"), 7, 2)
    wanted = theirs({str(level): each for level, each in maps.items()}, boxes, [(512, 512)] * 2)
    found = Pooler()(maps | features(6), boxes)
    assert set(roi.levels_of(torch.cat(boxes), 2, 5).tolist()) == {2, 3, 4}
    torch.testing.assert_close(found, wanted)


def test_one_level_takes_all_regions():
    maps, boxes = features(4), regions()
    found = Pooler(size=14, op="pool")(maps, boxes)
    torch.testing.assert_close(found, roi_pool(maps[4], boxes, 14, 1 / 16))


def test_images_without_regions_and_no_regions_at_all():
    maps, boxes = features(2, 3, 4, 5), regions()
    none = torch.zeros(0, 4)
    assert torch.equal(Pooler()(maps, [none, boxes[1]]), Pooler()(maps, boxes)[40:])
    assert Pooler()(maps, [none, none]).shape == (0, 3, 7, 7)


@pytest.mark.parametrize("op", ["align", "pool"])
def test_corners_keep_float32_under_half_precision_features(op):
    # In bfloat16 a corner at 301 pixels would be at 300 or 302
    maps, boxes = {3: features(3)[3].bfloat16()}, regions()
    found = Pooler(op=op)(maps, boxes)
    assert torch.equal(found, Pooler(op=op)({3: maps[3].float()}, boxes).bfloat16())


def test_levels_without_regions_stay_in_the_graph():
    maps = {level: each.requires_grad_() for level, each in features(2, 3, 4, 5).items()}
    Pooler()(maps, [torch.tensor([[0.0, 0, 8, 8]]), torch.zeros(0, 4)]).sum().backward()
    assert [bool(each.grad.any()) for each in maps.values()] == [True, False, False, False]


# Four columns of one row at level 4: pixels 0 to 63
ROW = {4: torch.tensor([[[[1.0, 5, 2, 4]]]])}


@pytest.mark.parametrize(
    ("ends", "right", "pooled"),
    [
        # 24 pixels: to column round(24 / 16) = 2 or round(23 / 16) = 1
        ("exclusive", 24, [5, 5]),  # columns 0..2: cells of 0..1 and 1..2, which share column 1
        ("inclusive", 24, [1, 5]),
        # 40 pixels: to column round(40 / 16) = 3 or round(39 / 16) = 2
        ("exclusive", 40, [5, 4]),
        ("inclusive", 40, [5, 5]),
        # 16 pixels: to column round(16 / 16) = round(15 / 16) = 1
        ("exclusive", 16, [1, 5]),
        ("inclusive", 16, [1, 5]),
        # 4 pixels: one column, in both cells
        ("exclusive", 4, [1, 1]),
        ("inclusive", 4, [1, 1]),
    ],
)
def test_pooled_columns_by_hand(ends, right, pooled):
    found = Pooler(size=2, op="pool", ends=ends)(ROW, [torch.tensor([[0.0, 0, right, 4]])])
    assert found[0, 0].tolist() == [pooled, pooled]


def test_inclusive_ends_move_align_too():
    boxes = torch.tensor([[0.0, 0, 33, 17]])
    found = Pooler(size=2, ends="inclusive")(ROW, [boxes])
    assert torch.equal(found, Pooler(size=2)(ROW, [torch.tensor([[0.0, 0, 32, 16]])]))
    assert not torch.equal(found, Pooler(size=2)(ROW, [boxes]))


def test_the_canonical_level_moves_all_regions():
    # FPN, Eq. 1: with k0 = 5 a region of 112 pixels comes from level 4 instead of 3
    maps = {level: torch.full((1, 1, 32, 32), float(level)) for level in (2, 3, 4, 5)}
    region = [torch.tensor([[0.0, 0, 112, 112]])]
    assert Pooler()(maps, region).unique().tolist() == [3]
    assert Pooler(canonical=5)(maps, region).unique().tolist() == [4]


@pytest.mark.parametrize(
    ("size", "pooled"),
    [
        # 9 columns in 6 cells: from floor(1.5 i) to ceil(1.5 (i + 1)), so that every other boundary is shared
        (6, [1, 2, 4, 5, 7, 8]),
        # 9 columns in 7 cells: from floor(9 i / 7) to ceil(9 (i + 1) / 7)
        (7, [1, 2, 3, 5, 6, 7, 8]),
    ],
)
def test_the_cells_of_zf_and_vgg_by_hand(size, pooled):
    # Columns that count from 0, so that a maximum names the last column of a cell; pixels 0 to 136 with Caffe's end
    row = {4: torch.arange(12.0).expand(1, 1, 12, 12).contiguous()}
    region = [torch.tensor([[0.0, 0, 137, 137]])]
    found = Pooler(size=size, op="pool", ends="inclusive")(row, region)
    # round(136 / 16) = 8.5, rounded away from zero to column 9: ten columns; one pixel less has nine
    nine = Pooler(size=size, op="pool", ends="inclusive")(row, [torch.tensor([[0.0, 0, 136, 136]])])
    assert nine[0, 0, 0].tolist() == pooled
    assert found[0, 0, 0].tolist() == [math.ceil(10 * (cell + 1) / size) - 1 for cell in range(size)]


def test_crops_by_hand():
    """Fewer cells are means of pixels, more lie between them, and what lies on the border is the last pixel's."""
    image = torch.arange(16.0).reshape(1, 1, 4, 4)
    size = torch.tensor([[4, 4]])
    whole = torch.tensor([[0.0, 0.0, 4.0, 4.0]])
    assert roi.crops(image, size, [whole], 4).flatten().tolist() == image.flatten().tolist()
    assert roi.crops(image, size, [whole], 2).flatten().tolist() == [2.5, 4.5, 10.5, 12.5]
    corner = roi.crops(image, size, [torch.tensor([[2.0, 2.0, 4.0, 4.0]])], 4)[0, 0]
    # Its points lie at rows and columns 1.75, 2.25, 2.75 and 3.25; the last are the border's own.
    assert corner[0].tolist() == [8.75, 9.25, 9.75, 10.0]
    assert corner[3].tolist() == [13.75, 14.25, 14.75, 15.0]


def test_crops_see_no_padding_and_no_neighbour():
    images = torch.full((2, 1, 6, 6), 99.0)
    images[0, 0, :4, :5], images[1, 0, :2, :2] = 1.0, 3.0
    sizes = torch.tensor([[4, 5], [2, 2]])
    boxes = [torch.tensor([[3.0, 2.0, 5.0, 4.0], [0.0, 0.0, 5.0, 4.0]]), torch.tensor([[1.0, 0.5, 2.0, 2.0]])]
    assert roi.crops(images, sizes, boxes, 8).mean((1, 2, 3)).tolist() == [1, 1, 3]
    assert roi.crops(images, sizes, [torch.zeros(0, 4)] * 2, 8).shape == (0, 1, 8, 8)
