import math

import pytest
import torch

from lit_vision.errors import InputError
from lit_vision.models.backbones import resnet
from lit_vision.models.backbones.zf import zf
from lit_vision.models.heads.box import BoxHead
from lit_vision.models.heads.dense import DenseHead, by_anchor
from lit_vision.models.heads.proposal import ProposalHead
from lit_vision.models.heads.stage import StageHead


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


def test_a_softmax_of_two_is_the_logistic_of_their_difference():
    torch.manual_seed(0)
    head, maps = ProposalHead(8, 3, answer="softmax"), features()
    head.cls.weight.data.normal_()
    logits, _ = head(maps)
    hidden = head.relu(head.conv(maps[3]))
    # The authors' layout: background's scores of the three anchors, then the objects'
    scores = head.cls(hidden).unflatten(1, (2, 3)).softmax(1)[:, 1]
    torch.testing.assert_close(logits[:, : 3 * 24].sigmoid(), by_anchor(scores, 1))
    with pytest.raises(InputError, match=r"^answer: 'sigmoid' is unknown; choose one of logistic, softmax$"):
        ProposalHead(8, 3, answer="sigmoid")


def test_the_proposal_head_on_vgg_has_the_paper_s_number_of_weights():
    # Section 3.1.1, translation-invariant anchors: 512 x (4 + 2) x 9 = 2.8e4, and 2.4e6 with the 3x3 convolution
    head = ProposalHead(512, 9, width=512, answer="softmax")
    outputs = head.cls.weight.numel() + head.box.weight.numel()
    assert outputs == 512 * (4 + 2) * 9 == 27_648
    assert outputs + head.conv.weight.numel() == 3 * 3 * 512 * 512 + 27_648 == 2_386_944


def test_dropout_is_behind_both_layers_and_off_in_evaluation():
    torch.manual_seed(0)
    head, plain = BoxHead(4, 3, 2, width=64, dropout=0.5), BoxHead(4, 3, 2, width=64)
    plain.load_state_dict(head.state_dict())
    pooled = torch.randn(5, 4, 3, 3)
    kept = head.train().vectors(pooled) != 0
    assert 0.1 < kept.float().mean() < 0.4  # half of what is positive
    assert torch.equal(head.eval()(pooled)[0], plain.train()(pooled)[0])


def test_the_fifth_stage_as_a_head_is_the_backbone_s_own():
    # On the whole map instead of a region it gives C5's average
    torch.manual_seed(0)
    net = resnet.resnet18().eval()
    with torch.no_grad():
        maps = net(torch.randn(2, 3, 224, 224))
        head = StageHead(256, 14, 3, net).eval()
        vectors = head.vectors(maps[4])
        torch.testing.assert_close(vectors, maps[5].mean((2, 3)))
        logits, deltas = head(maps[4])
    assert (logits.shape, deltas.shape) == ((2, 4), (2, 4, 4))
    assert "4" not in dict(head.named_modules())
    wanted = sum(p.numel() for p in net.stages["5"].parameters()) + (512 + 1) * 4 * 5
    assert sum(p.numel() for p in head.parameters()) == wanted


def test_a_backbone_that_is_no_head_is_told():
    with pytest.raises(
        InputError, match=r"^nothing of ResNet leads from level 5 to a higher one; it has \[2, 3, 4, 5\]$"
    ):
        StageHead(512, 14, 3, resnet.resnet18(), level=5)
    with pytest.raises(InputError, match=r"^nothing of Chain leads from level 4 to a higher one; it has \[1, 3, 4\]$"):
        StageHead(256, 6, 3, zf())
    with pytest.raises(InputError, match=r"^the head's ResNet has 256 channels at level 4, the pooled features 1024; "):
        StageHead(1024, 14, 3, resnet.resnet18())


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


def test_unshared_heads_look_at_a_level_each():
    torch.manual_seed(0)
    maps = {2: torch.randn(2, 8, 4, 6), 3: torch.randn(2, 8, 2, 3)}
    head = ProposalHead(8, 3, width=5, unshared=(3, 2))
    logits, deltas = head(maps)
    assert (logits.shape, deltas.shape) == ((2, 90, 1), (2, 90, 4))
    first, second = head.of_level["2"]({2: maps[2]}), head.of_level["3"]({3: maps[3]})
    assert torch.equal(logits, torch.cat([first[0], second[0]], 1))
    assert torch.equal(deltas, torch.cat([first[1], second[1]], 1))
    assert not torch.equal(first[0], head.of_level["3"]({2: maps[2]})[0])
    shared = ProposalHead(8, 3, width=5)
    assert sum(p.numel() for p in head.parameters()) == 2 * sum(p.numel() for p in shared.parameters())
    with pytest.raises(InputError) as caught:
        head(dict.fromkeys((2, 3, 4), maps[2]))
    assert str(caught.value) == "proposals.head.unshared names levels [2, 3]; the maps are of levels [2, 3, 4]"
