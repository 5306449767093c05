import math

import pytest
import torch
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.image_list import ImageList

from lit_vision.errors import InputError
from lit_vision.ops import box
from lit_vision.ops.anchor import Anchors


def maps(height, width, levels):
    sizes = {level: (-(-height // 2**level), -(-width // 2**level)) for level in levels}
    return {level: torch.zeros(1, 1, *size) for level, size in sizes.items()}


def test_cell_by_hand():
    # RetinaNet, Section 4: areas 32^2 ... on P3, ratios 1:2, 1:1, 2:1 of height to width
    cell = Anchors(scales=1).cell(3)
    sides = cell[:, 2:] - cell[:, :2]
    torch.testing.assert_close(cell[:, :2] + cell[:, 2:], torch.zeros(3, 2))
    torch.testing.assert_close(sides.prod(1), torch.full((3,), 1024.0))
    torch.testing.assert_close(sides[:, 1] / sides[:, 0], torch.tensor([0.5, 1, 2]))


@pytest.mark.parametrize(("level", "smallest", "largest"), [(3, 32, 51), (7, 512, 813)])
def test_retinanet_s_range_of_sides(level, smallest, largest):
    # Section 4: 32 to 813 pixels over levels 3 to 7
    cell = Anchors().cell(level)
    sides = (cell[:, 2:] - cell[:, :2]).prod(1).sqrt()
    assert len(cell) == 9
    assert (round(sides.min().item()), round(sides.max().item())) == (smallest, largest)


def test_sub_octaves_and_listed_scales():
    assert Anchors(scales=4).scales == [1, 2**0.25, 2**0.5, 2**0.75]
    assert Anchors(base=8, scales=(1, 2, 4)).cell(4)[1::3].tolist() == [
        pytest.approx([-64 * s / r, -64 * s * r, 64 * s / r, 64 * s * r])
        for r, s in [(math.sqrt(0.5), 2.0), (1.0, 2.0), (math.sqrt(2), 2.0)]
    ]
    assert Anchors(base=8, scales=(1,)).per_location == 3


@pytest.mark.parametrize(
    ("anchors", "levels", "size", "count"),
    [
        # Fact sheet, A.2 of RetinaNet: 75x100, 38x50, 19x25, 10x13 and 5x7 cells of nine
        (Anchors(), range(3, 8), (600, 800), 9 * (7500 + 1900 + 475 + 130 + 35)),
        # FPN, Table 1: 200k for 800x1000 pixels
        (Anchors(base=8, scales=(1,)), range(2, 7), (800, 1000), 3 * (50000 + 12500 + 3150 + 800 + 208)),
        # ... and 47k on C4 with five scales
        (Anchors(base=2, scales=(1, 2, 4, 8, 16)), [4], (800, 1000), 15 * 3150),
    ],
)
def test_anchors_of_an_image(anchors, levels, size, count):
    found, counts = anchors(maps(*size, levels), size)
    assert len(found) == sum(counts) == count
    assert found.dtype == torch.float32


def test_order_and_centres():
    found, counts = Anchors(scales=1, ratios=(1,))(maps(16, 24, [3, 4]), (16, 24))
    assert counts == (6, 2)
    centres = (found[:, :2] + found[:, 2:]) / 2
    assert centres.tolist() == [[0, 0], [8, 0], [16, 0], [0, 8], [8, 8], [16, 8], [0, 0], [16, 0]]


@pytest.mark.parametrize("size", [(512, 640), (800, 1088)])
def test_rounded_corners_and_floor_strides_are_torchvision_s(size):
    sides = tuple((x, int(x * 2 ** (1 / 3)), int(x * 2 ** (2 / 3))) for x in (32, 64, 128, 256, 512))
    theirs = AnchorGenerator(sides, ((0.5, 1.0, 2.0),) * 5)
    features = maps(*size, range(3, 8))
    (wanted,) = theirs(ImageList(torch.zeros(1, 3, *size), [size]), list(features.values()))
    found, _ = Anchors(corners="rounded", stride="floor")(features, size)
    assert torch.equal(found, wanted)
    same_strides = torch.equal(Anchors(corners="rounded")(features, size)[0], wanted)
    assert same_strides == (size == (512, 640))
    exact, _ = Anchors(stride="floor")(features, size)
    assert 0.5 < (exact - found).abs().max() < 1.5


def test_are_remembered_by_size_and_usable_in_training():
    anchors = Anchors()
    features = maps(64, 64, [3, 4])
    with torch.inference_mode():
        first, _ = anchors(features, (64, 64))
    assert anchors(features, (64, 64))[0] is first
    assert not first.is_inference()
    assert anchors(maps(64, 96, [3, 4]), (64, 96))[0] is not first
    for width in range(1, 200):
        anchors(maps(8, 8 * width, [3]), (8, 8 * width))
    assert len(anchors._cache) <= 64


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"scales": 0}, "scales must be positive, got []"),
        ({"ratios": (1, -1)}, "ratios must be positive, got [1, -1]"),
        ({"base": 0}, "base must be positive, got [0]"),
    ],
)
def test_bad_options_are_told(options, told):
    with pytest.raises(InputError) as error:
        Anchors(**options)
    assert str(error.value) == f"anchors: {told}"


# Faster R-CNN's fact sheet, A.3: corners of the first and last pixel, which count from 1 in the MATLAB release
PUBLISHED = [
    *[(-83, -39, 100, 56), (-175, -87, 192, 104), (-359, -183, 376, 200)],
    *[(-55, -55, 72, 72), (-119, -119, 136, 136), (-247, -247, 264, 264)],
    *[(-35, -79, 52, 96), (-79, -167, 96, 184), (-167, -343, 184, 360)],
]


def test_published_boxes_are_the_release_s():
    cell = Anchors(base=8, scales=(1, 2, 4), corners="published").cell(4)
    assert cell.tolist() == [[x1 - 1, y1 - 1, x2, y2] for x1, y1, x2, y2 in PUBLISHED]


def test_published_areas_by_hand():
    # 23 x 12, 16 x 16 and 11 x 22 for 256: 1.078, 1 and 0.945 of the nominal area, at any scale
    anchors = Anchors(base=8, scales=(1, 2), corners="published")
    cell = anchors.cell(4)
    areas = (cell[:, 2:] - cell[:, :2]).prod(1)
    nominal = torch.tensor([128.0**2, 256**2]).repeat(3)
    torch.testing.assert_close(areas / nominal, torch.tensor([276.0, 276, 256, 256, 242, 242]) / 256)
    # In the middle of the cell's 16 pixels, and 16 further in the next cell
    found, _ = anchors({4: torch.zeros(1, 1, 1, 2)}, (16, 32))
    centres = (found[:, :2] + found[:, 2:]) / 2
    assert centres.unique(dim=0).tolist() == [[8, 8], [24, 8]]


def test_faster_r_cnn_s_anchors_of_an_image():
    # Section 3.1.1: about 20,000 of a 1000 x 600 image, of which about 6,000 stay inside it (Section 3.3)
    anchors, _ = Anchors(base=8, scales=(1, 2, 4), corners="published")(maps(600, 1000, [4]), (600, 1000))
    assert len(anchors) == 9 * 38 * 63 == 21_546
    kept = box.inside(anchors, torch.tensor([600, 1000])).sum().item()
    assert 5_000 < kept < 9_000
