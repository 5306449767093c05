import math

import pytest
import torch

from lit_vision.ops import box


def test_offsets_by_hand():
    # Anchor 10x20 around (10, 20); object 20x10 around (12, 25): tx = 2/10, ty = 5/20, tw = log 2, th = log 1/2
    anchors = torch.tensor([[5.0, 10, 15, 30]])
    objects = torch.tensor([[2.0, 20, 22, 30]])
    wanted = torch.tensor([[0.2, 0.25, math.log(2), -math.log(2)]])
    torch.testing.assert_close(box.encode(objects, anchors), wanted)
    torch.testing.assert_close(box.decode(wanted, anchors), objects)
    weights = (10.0, 10.0, 5.0, 5.0)
    torch.testing.assert_close(box.encode(objects, anchors, weights), wanted * torch.tensor(weights))


@pytest.mark.parametrize("weights", [(1.0, 1.0, 1.0, 1.0), (10.0, 10.0, 5.0, 5.0)])
def test_decode_undoes_encode(weights):
    corners = torch.rand(2, 50, 2, 2, generator=torch.Generator().manual_seed(0)) * 100
    objects, anchors = torch.cat([corners[:, :, 0], corners[:, :, 0] + corners[:, :, 1] + 8], -1)
    back = box.decode(box.encode(objects, anchors, weights), anchors, weights)
    torch.testing.assert_close(back, objects, rtol=1e-5, atol=1e-3)


def test_growth_is_limited_to_1000_pixels_of_16():
    boxes = box.decode(torch.tensor([[0.0, 0, 99, -99]]), torch.tensor([[0.0, 0, 16, 16]]))
    torch.testing.assert_close(boxes, torch.tensor([[-492.0, 8, 508, 8]]), rtol=0, atol=1e-3)


def test_decode_broadcasts_classes_over_regions():
    deltas = torch.randn(7, 3, 4)
    regions = torch.tensor([[0.0, 0, 10, 10]]).expand(7, 4)
    decoded = box.decode(deltas, regions[:, None])
    assert decoded.shape == (7, 3, 4)
    torch.testing.assert_close(decoded[:, 1], box.decode(deltas[:, 1], regions))


def test_clip_by_each_image():
    boxes = torch.tensor([[-5.0, -5, 50, 60], [30, 30, 90, 35]]).expand(2, 2, 4)
    clipped = box.clip(boxes, torch.tensor([[40, 80], [20, 25]]))
    assert clipped.tolist() == [[[0, 0, 50, 40], [30, 30, 80, 35]], [[0, 0, 25, 20], [25, 20, 25, 20]]]
    assert box.clip(boxes[0], torch.tensor([40, 80])).tolist() == clipped[0].tolist()


def test_no_boxes():
    none = torch.zeros(0, 4)
    assert box.encode(none, none).shape == box.decode(none, none).shape == (0, 4)
    assert box.clip(none, torch.tensor([5, 5])).shape == (0, 4)


def test_inside_counts_a_touching_border():
    # An image of 20 rows and 30 columns: in it, touching two sides, 1 pixel beyond the left, half beyond the bottom
    boxes = torch.tensor([[1.0, 1, 9, 9], [20, 10, 30, 20], [-1, 0, 9, 9], [0, 0, 9, 20.5]])
    size = torch.tensor([20, 30])
    assert box.inside(boxes, size).tolist() == [True, True, False, False]
    assert box.inside(boxes, size, border=0.5).tolist() == [True, True, False, True]
    assert box.inside(boxes, size, border=1).tolist() == [True, True, True, True]
