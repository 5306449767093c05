"""Dense sliding windows in one stage, of Faster R-CNN's Table 10."""

import pytest
import torch

from lit_vision.errors import InputError
from lit_vision.models.backbones import resnet
from lit_vision.models.backbones.one_level import OneLevel
from lit_vision.models.sliding import SlidingWindows
from lit_vision.ops.anchor import Anchors


def net(**options):
    torch.manual_seed(0)
    return SlidingWindows(OneLevel(resnet.resnet18(), 4), 3, **options).eval()


def test_windows_by_hand():
    # Squares of 16 pixels around pixels 0 and 16, cut off at the borders; the second image ends where that of the
    # second place begins
    one = net(anchors=Anchors(base=1, scales=(1,), ratios=(1,)))
    found = one.propose({4: torch.zeros(2, 1, 1, 2)}, (16, 32), torch.tensor([[16, 24], [16, 8]]))
    assert [each.tolist() for each in found] == [[[0, 0, 8, 8], [8, 0, 24, 8]], [[0, 0, 8, 8]]]


def test_the_default_is_three_scales_and_three_ratios():
    assert net().anchors.per_location == 9
    assert [side * 2 for side in net().anchors.cell(4)[3:6, 2].tolist()] == [128, 256, 512]


def test_how_many_are_scored_together_changes_nothing():
    images = torch.randint(0, 256, (2, 3, 64, 96), dtype=torch.uint8)
    sizes = torch.tensor([[64, 96], [64, 40]])
    whole, parted = net(), net(at_once=7)
    features = whole.extract(images, sizes)
    regions = whole.propose(features, (64, 96), sizes)
    assert len(regions[0]) == 9 * 4 * 6
    with torch.no_grad():
        for one, other in zip(*(each.score(features, regions, sizes) for each in (whole, parted)), strict=True):
            assert one.scores.shape[1] == 3
            torch.testing.assert_close(one.scores, other.scores)
            torch.testing.assert_close(one.boxes, other.boxes)


def test_no_windows_at_once_is_told():
    with pytest.raises(InputError, match=r"^at_once is 0; it must be at least 1 window$"):
        net(at_once=0)
