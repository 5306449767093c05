import math

import pytest
import torch

from lit_vision.models.heads.box import BoxHead
from lit_vision.models.heads.dense import DenseHead, by_anchor
from lit_vision.models.heads.proposal import ProposalHead


def features():
    torch.manual_seed(0)
    return {3: torch.randn(2, 8, 4, 6), 4: torch.randn(2, 8, 2, 3)}


def test_outputs_are_ordered_by_cell_then_anchor():
    # 2 anchors with 3 values in 1x2 cells; channel = anchor * 3 + value, and the value tells the cell
    maps = torch.arange(6.0)[None, :, None, None] + torch.tensor([0.0, 100.0])
    assert by_anchor(maps, 3).tolist() == [[[0, 1, 2], [3, 4, 5], [100, 101, 102], [103, 104, 105]]]


def test_dense_head_serves_all_levels_alike():
    head, maps = DenseHead(8, 9, 5), features()
    logits, deltas = head(maps)
    assert logits.shape == (2, 9 * (24 + 6), 5)
    assert deltas.shape == (2, 9 * (24 + 6), 4)
    coarse, _ = head({4: maps[4]})
    torch.testing.assert_close(logits[:, 9 * 24 :], coarse)


def test_dense_head_is_four_convolutions_and_one_twice():
    # RetinaNet, Section 4, with K = 80 and A = 9 on 256 channels
    head = DenseHead(256, 9, 80)
    hidden = 4 * (256 * 9 + 1) * 256
    sizes = [sum(p.numel() for p in subnet.parameters()) for subnet in (head.cls, head.box)]
    assert sizes == [hidden + (256 * 9 + 1) * 720, hidden + (256 * 9 + 1) * 36]


def test_dense_head_starts_at_the_prior():
    # Section 4.1: bias -log((1 - 0.01) / 0.01) on the class layer alone
    head = DenseHead(256, 9, 80)
    assert head.cls[-1].bias.unique().tolist() == [pytest.approx(-math.log(99))]
    assert head.box[-1].bias.count_nonzero() == 0
    assert head.cls[0].bias.count_nonzero() == 0
    for subnet in (head.cls, head.box):
        for layer in subnet[::2]:
            assert layer.weight.std().item() == pytest.approx(0.01, rel=0.05)
    logits, _ = head({3: torch.randn(1, 256, 8, 8)})
    torch.testing.assert_close(logits.sigmoid(), torch.full_like(logits, 0.01), rtol=0.05, atol=0)


def test_depth_and_prior_are_options():
    head = DenseHead(8, 1, 2, depth=1, prior=0.1)
    assert len(head.cls) == 3
    assert head.cls[-1].bias[0].item() == pytest.approx(-math.log(9))


def test_proposal_head():
    head = ProposalHead(8, 3)
    logits, deltas = head(features())
    assert logits.shape == (2, 3 * 30, 1)
    assert deltas.shape == (2, 3 * 30, 4)
    assert head.conv.weight.std().item() == pytest.approx(0.01, rel=0.1)
    # Faster R-CNN, Section 3.1: a 3x3 convolution and two 1x1
    head = ProposalHead(256, 3)
    assert sum(p.numel() for p in head.parameters()) == (256 * 9 + 1) * 256 + 257 * 3 * 5


def test_box_head():
    head = BoxHead(256, 7, 80)
    # FPN, Section 4.2: two hidden layers of 1024 on 256 x 7 x 7; K + 1 scores, 4 (K + 1) offsets
    wanted = (12544 + 1) * 1024 + (1024 + 1) * 1024 + (1024 + 1) * 5 * 81
    assert sum(p.numel() for p in head.parameters()) == wanted
    logits, deltas = head(torch.randn(3, 256, 7, 7))
    assert logits.shape == (3, 81)
    assert deltas.shape == (3, 81, 4)
    assert head.cls.weight.std().item() == pytest.approx(0.01, rel=0.02)
    assert head.box.weight.std().item() == pytest.approx(0.001, rel=0.02)
    assert head(torch.zeros(0, 256, 7, 7))[0].shape == (0, 81)
