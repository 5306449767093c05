"""Hard examples by hand: six anchors in a row, each with a loss; neighbours overlap by a third or by two thirds."""

import pytest
import torch
from torchvision.ops import nms

from lit_vision.errors import InputError
from lit_vision.ops import mining
from lit_vision.ops.mining import HardExamples

#                       0    1    2    3    4    5
LOSSES = torch.tensor([0.5, 0.9, 0.1, 0.8, 0.7, 0.3])
# 0 and 1 overlap by 8/12, 3 and 4 by 6/14; 2 and 5 stand alone
BOXES = torch.tensor([[x, 0.0, x + 10, 10] for x in (0, 2, 20, 40, 44, 60)])
POSITIVE = torch.tensor([True, False, True, False, False, True])
ALL = torch.ones(6, dtype=torch.bool)


def chosen(limits, losses=LOSSES, positive=POSITIVE, candidates=ALL):
    found = limits(losses, BOXES, positive & candidates, ~positive & candidates)
    assert found.dtype == torch.bool
    return found.nonzero().flatten().tolist()


@pytest.mark.parametrize(
    ("size", "threshold", "wanted"),
    [
        (3, 1.0, [1, 3, 4]),  # the three highest losses
        (3, 0.5, [1, 3, 4]),  # 1 drops 0, which would not come in anyway
        (4, 0.5, [1, 3, 4, 5]),
        (3, 0.4, [1, 3, 5]),  # 3 drops 4 too
        (4, 0.4, [1, 2, 3, 5]),
        (6, 0.4, [1, 2, 3, 5]),  # fewer are left
        (6, 1.0, [0, 1, 2, 3, 4, 5]),
        (1, 0.0, [1]),
    ],
)
def test_the_highest_losses_that_do_not_overlap(size, threshold, wanted):
    assert chosen(HardExamples(size, threshold)) == wanted


def test_what_was_dropped_drops_nothing():
    # 1 drops 0 and 2 (6/14 each); 0 would have dropped nothing, 2 would have dropped 3, which stays
    boxes = torch.tensor([[x, 0.0, x + 10, 10] for x in (0, 4, 8, 12)])
    losses, none = torch.tensor([0.6, 0.9, 0.8, 0.7]), torch.zeros(4, dtype=torch.bool)
    assert HardExamples(4, 0.4)(losses, boxes, none, ~none).tolist() == [False, True, False, True]


@pytest.mark.parametrize(
    ("size", "threshold", "wanted"),
    [
        (2, 1.0, [0, 1]),  # one positive and one negative, each the worst of its kind
        (4, 1.0, [0, 1, 3, 5]),
        (5, 1.0, [0, 1, 3, 5]),  # the fifth would have no partner
        (6, 1.0, [0, 1, 2, 3, 4, 5]),
        (4, 0.5, [1, 2, 3, 5]),  # the positive 0 is dropped by a worse negative before the ratio is looked at
        (6, 0.4, [1, 2, 3, 5]),  # two of each are left
    ],
)
def test_one_negative_for_each_positive(size, threshold, wanted):
    assert chosen(HardExamples(size, threshold, negatives=1)) == wanted


def test_three_negatives_for_each_positive():
    positive = torch.tensor([False, False, False, False, False, True])
    assert chosen(HardExamples(8, 1.0, negatives=3), positive=positive) == [1, 3, 4, 5]
    assert chosen(HardExamples(8, 0.4, negatives=3), positive=positive) == [1, 2, 3, 5]


def test_images_without_objects():
    none = torch.zeros(6, dtype=torch.bool)
    assert chosen(HardExamples(2, 1.0), positive=none) == [1, 3]
    assert chosen(HardExamples(4, 1.0, negatives=3), positive=none) == []


def test_of_equal_losses_the_first_anchor_comes_first():
    assert chosen(HardExamples(2, 1.0), losses=torch.full((6,), 0.2)) == [0, 1]
    assert chosen(HardExamples(3, 0.4), losses=torch.full((6,), 0.2)) == [0, 2, 3]


def test_what_is_no_candidate_neither_comes_in_nor_drops_others():
    candidates = torch.tensor([True, False, True, True, True, True])
    assert chosen(HardExamples(4, 0.4), candidates=candidates) == [0, 2, 3, 5]
    assert chosen(HardExamples(4, 0.4), candidates=~ALL) == []


@pytest.mark.parametrize("negatives", [None, 1, 3])
def test_looking_at_a_part_first_changes_nothing(monkeypatch, negatives):
    generator = torch.Generator().manual_seed(0)
    corners = 60 * torch.rand(600, 2, generator=generator)
    boxes = torch.cat([corners, corners + 5 + 10 * torch.rand(600, 2, generator=generator)], 1)
    losses = torch.rand(600, generator=generator)
    positive = (torch.rand(600, generator=generator) < 0.1) & (losses > 0.5)
    looks = []

    def watched(boxes, scores, threshold):
        looks.append(len(boxes))
        return nms(boxes, scores, threshold)

    monkeypatch.setattr(mining, "nms", watched)
    found = []
    for looked_at in (1, 1000):
        monkeypatch.setattr(mining, "LOOKED_AT", looked_at)
        found.append(HardExamples(64, 0.3, negatives)(losses, boxes, positive, ~positive))
    assert torch.equal(*found)
    assert found[0].any()
    assert looks[-1] == 600
    assert looks[0] < 600
    assert looks[:-1] == sorted(looks[:-1])


@pytest.mark.parametrize(("size", "threshold", "negatives"), [(0, 0.5, None), (3, 0.5, 3), (8, 0.5, 0), (8, 1.5, None)])
def test_bad_options_are_told(size, threshold, negatives):
    told = rf"^mining: needs nms in 0\.\.1, .*\ngot size {size}, nms {threshold}, negatives {negatives}$"
    with pytest.raises(InputError, match=told):
        HardExamples(size, threshold, negatives)
