import math
from functools import partial

import pytest
import torch

from lit_vision.errors import InputError
from lit_vision.models.backbones import resnet
from lit_vision.models.heads.proposal import ProposalHead
from lit_vision.models.pyramid import Pyramid
from lit_vision.models.rpn import RPN, TEST, TRAIN, Balance, ProposalNetwork
from lit_vision.ops import box
from lit_vision.ops.anchor import Anchors
from lit_vision.ops.matching import IGNORED, NEGATIVE, Matcher
from lit_vision.ops.sampling import Sampler
from lit_vision.ops.selection import Selection
from lit_vision.types import Predictions

SIZES = torch.tensor([[20, 85]])
LIMITS = Selection(score=0.0, per_level=2, nms=0.7, limit=3, smallest=1e-3)


def predictions(logits, counts=(3, 2)):
    """Five anchors of 10 pixels on two levels: 0 and 1 overlap by 9/11, 3 lies where 0 does."""
    anchors = torch.tensor([[0.0, 0, 10, 10], [1, 0, 11, 10], [50, 0, 60, 10], [0, 0, 10, 10], [80, 0, 90, 10]])
    return Predictions(torch.tensor([logits])[..., None], torch.zeros(1, 5, 4), anchors, counts)


def test_proposals_by_hand():
    # Two of each level: 1 and 0 of the first, 0 is suppressed; 3 is of another level, so it stays beside 1
    (found,) = ProposalNetwork(8).propose(predictions([1.0, 2, 0, -1, 3]), SIZES, LIMITS)
    assert found.boxes.tolist() == [[80, 0, 85, 10], [1, 0, 11, 10], [0, 0, 10, 10]]
    assert found.scores.tolist() == pytest.approx([1 / (1 + math.exp(-x)) for x in (3, 2, -1)])
    assert found.labels.tolist() == [0, 0, 0]


def test_proposals_outside_the_image_are_dropped():
    (found,) = ProposalNetwork(8).propose(predictions([1.0, 2, 0, -1, 3]), torch.tensor([[20, 80]]), LIMITS)
    assert found.boxes.tolist() == [[1, 0, 11, 10], [0, 0, 10, 10]]


def test_limits_are_those_of_fpn():
    # Section 5.2 and sheet D.2: 2000 in training, 1000 in testing, suppression at 0.7
    assert (TRAIN.per_level, TRAIN.limit, TRAIN.nms) == (2000, 2000, 0.7)
    assert (TEST.per_level, TEST.limit, TEST.nms) == (1000, 1000, 0.7)
    network = ProposalNetwork(8)
    assert (network.matcher.low, network.matcher.high, network.matcher.keep_best) == (0.3, 0.7, "always")
    assert network.sampler == Sampler(256, 0.5)
    assert network.anchors.per_location == 3


def test_loss_by_hand():
    network = ProposalNetwork(8, box_beta=0.0)
    found = predictions([0.0] * 5)
    deltas = torch.zeros(1, 5, 4)
    deltas[0, 2] = torch.tensor([1.0, 0, 0, 0.5])
    # Object on anchor 2 alone: four negatives and it, all sampled
    losses = network.loss(found._replace(deltas=deltas), [torch.tensor([[50.0, 0, 60, 10]])], SIZES)
    assert losses["rpn_cls"].item() == pytest.approx(math.log(2))
    assert losses["rpn_box"].item() == pytest.approx(1.5 / 5)


def test_only_sampled_anchors_count():
    class Chosen:
        size = 256

        def __call__(self, positive, negative):
            assert positive.tolist() == [[False, False, True, False, False]]
            assert negative.tolist() == [[True, True, False, True, True]]
            return torch.tensor([[True, False, False, False, False]])

    network = ProposalNetwork(8)
    network.sampler = Chosen()
    losses = network.loss(predictions([2.0, 9, 9, 9, 9]), [torch.tensor([[50.0, 0, 60, 10]])], SIZES)
    assert losses["rpn_cls"].item() == pytest.approx(math.log(1 + math.exp(2)))
    assert losses["rpn_box"].item() == 0


def test_ignored_anchors_are_never_sampled():
    # Anchors 0 and 3 lie on the object, anchor 1 overlaps it by 9/11 as well; at a stricter 0.9 it is ignored
    network = ProposalNetwork(8, matcher=Matcher(0.3, 0.9, "always"))
    losses = network.loss(predictions([0.0, 99, 0, 0, 0]), [torch.tensor([[0.0, 0, 10, 10]])], SIZES)
    assert losses["rpn_cls"].item() == pytest.approx(math.log(2))


def test_up_to_1000_proposals_and_any_number_of_classes():
    torch.manual_seed(0)
    pyramid = Pyramid(resnet.resnet18(), range(2, 7), channels=8)
    net = RPN(pyramid, num_classes=20).eval()
    assert net.num_classes == 20
    (found,) = net.detect(torch.randint(0, 256, (1, 3, 256, 320), dtype=torch.uint8), torch.tensor([[256, 320]]))
    assert 500 < len(found.boxes) <= 1000
    assert found.labels.unique().tolist() == [0]


def assigned(border, objects, sizes):
    """The object of each of four anchors in each image: in it, across its left border, at its right one, below."""
    anchors = torch.tensor([[0.0, 0, 10, 10], [-4, 0, 6, 10], [30, 0, 40, 10], [0, 12, 10, 22]])
    return ProposalNetwork(8, border=border)._assign(objects, anchors, torch.tensor(sizes)).tolist()


def test_anchors_across_the_border_are_ignored_and_no_object_s_best():
    # The object lies on the second anchor; inside the image the first is its best, with 6 / 14. The second image is
    # one column narrower, within the same padded batch.
    objects = [torch.tensor([[-4.0, 0, 6, 10]]), torch.tensor([[30.0, 0, 39, 10]])]
    sizes = [[20, 40], [20, 39]]
    assert assigned(None, objects, sizes) == [[IGNORED, 0, NEGATIVE, NEGATIVE], [NEGATIVE, NEGATIVE, 1, NEGATIVE]]
    assert assigned(0, objects, sizes) == [[0, IGNORED, NEGATIVE, IGNORED], [NEGATIVE, IGNORED, IGNORED, IGNORED]]
    assert assigned(2, objects, sizes) == [[0, IGNORED, NEGATIVE, NEGATIVE], [NEGATIVE, IGNORED, 1, NEGATIVE]]


def test_without_an_anchor_inside_nothing_is_trained_but_all_is_in_the_graph():
    network = ProposalNetwork(8, border=0)
    maps = {level: torch.zeros(1, 8, 2, 2) for level in (5, 6)}
    predictions = network.predict(maps, (64, 64))
    losses = network.loss(predictions, [torch.tensor([[0.0, 0, 10, 10]])], torch.tensor([[64, 64]]))
    sum(losses.values()).backward()
    assert [loss.item() for loss in losses.values()] == [0, 0]
    assert all(p.grad is not None for p in network.parameters())


def test_a_negative_border_is_told():
    with pytest.raises(
        InputError, match=r"^proposals: border is in pixels, from 0 on, or null for all anchors; got -1$"
    ):
        ProposalNetwork(8, border=-1)


def test_the_head_has_its_own_width():
    network = ProposalNetwork(8, head=partial(ProposalHead, width=24))
    assert network.head.conv.weight.shape == (24, 8, 3, 3)
    assert network.predict({3: torch.zeros(1, 8, 4, 4)}, (32, 32)).deltas.shape == (1, 48, 4)


def test_eq_1_as_the_paper_has_it_by_hand():
    # One positive of five anchors on five places; lambda 10, N_cls 256, N_reg the places
    balance = Balance(weight=10, cls="size", box="places")
    network = ProposalNetwork(8, box_beta=1.0, balance=balance, anchors=Anchors(scales=(1,), ratios=(1,)))
    found = predictions([0.0] * 5)
    deltas = torch.zeros(1, 5, 4)
    deltas[0, 2] = torch.tensor([2.0, 0, 0, 0.5])
    losses = network.loss(found._replace(deltas=deltas), [torch.tensor([[50.0, 0, 60, 10]])], SIZES)
    assert losses["rpn_cls"].item() == pytest.approx(5 * math.log(2) / 256)
    # Smooth L1 of 2 and 0.5: 1.5 and 0.125
    assert losses["rpn_box"].item() == pytest.approx(10 * (1.5 + 0.125) / 5)


def test_the_paper_s_balance_is_nearly_the_released_code_s():
    # Fact sheet, A.6: 10 / 2400 for 60 x 40 places is about 1 / 240, where the code has 1 / 256
    paper = Balance(weight=10, cls="size", box="places")
    released = Balance()
    one = torch.tensor(1.0)
    found = [each.divide(one, one, sampled=256, size=256, places=2400) for each in (paper, released)]
    assert [each["rpn_cls"].item() for each in found] == [1 / 256, 1 / 256]
    assert [round(1 / each["rpn_box"].item()) for each in found] == [240, 256]


def test_places_and_samples_count_over_the_batch():
    # Nine anchors of each of four cells: two images have eight places
    balance = Balance(weight=1, cls="size", box="places")
    matcher = Matcher(0.3, 0.99, "always")
    anchors = Anchors(base=8, scales=(1, 2, 4))
    network = ProposalNetwork(8, anchors=anchors, balance=balance, matcher=matcher, box_beta=0.0)
    found = network.predict({4: torch.zeros(2, 8, 2, 2)}, (32, 32))
    assert found.anchors.shape == (36, 4)
    wide = found.anchors[3:4] + torch.tensor([[0.0, 0, 1, 0]])  # best of anchor 3 alone
    losses = network.loss(found, [wide, wide[:0]], torch.tensor([[32, 32]] * 2))
    offsets = box.encode(wide, found.anchors[3:4]).abs().sum().item()
    assert losses["rpn_box"].item() == pytest.approx(offsets / 8, rel=1e-4)


def test_a_negative_weight_is_told():
    with pytest.raises(InputError, match=r"^balance: the weight of the box loss is -1; it must be at least 0$"):
        Balance(weight=-1)


def test_without_offsets_the_anchors_themselves_are_proposed():
    found = predictions([1.0, 2, 0, -1, 3])._replace(deltas=torch.ones(1, 5, 4))
    (proposed,) = ProposalNetwork(8, leave_out="offsets").propose(found, SIZES, LIMITS)
    assert proposed.boxes.tolist() == [[80, 0, 85, 10], [1, 0, 11, 10], [0, 0, 10, 10]]


def test_without_scores_anchors_are_drawn_alike_whatever_is_said_of_them():
    # The network regresses still, and nothing is suppressed where the recipe says nms: 1
    limits = Selection(score=0.0, per_level=2, nms=1.0, limit=3, smallest=1e-3)
    network = ProposalNetwork(8, leave_out="scores")
    one, other = (network.propose(predictions(logits), SIZES, limits) for logits in ([9.0, 0, 0, 0, 9], [0.0] * 5))
    assert torch.equal(one[0].boxes, other[0].boxes)
    drawn = torch.rand(5, 1, generator=torch.Generator().manual_seed(0))[:, 0]
    wanted = [*drawn[:3].topk(2).indices.tolist(), 3, 4]
    best = sorted(wanted, key=lambda index: -drawn[index])[:3]
    assert one[0].boxes.tolist() == box.clip(predictions([0.0] * 5).anchors[best], SIZES[0]).tolist()


def test_what_cannot_be_left_out_is_told():
    with pytest.raises(InputError, match=r"^leave_out: 'nms' is unknown; choose one of scores, offsets, or null$"):
        ProposalNetwork(8, leave_out="nms")
