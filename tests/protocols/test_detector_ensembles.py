"""Ensembles of detectors: all score what any of them proposes (ResNet paper, Table 9), or all candidates are joined."""

import dataclasses

import pytest
import torch

from lit_vision.errors import InputError
from lit_vision.models.fast_rcnn import FastRCNN
from lit_vision.models.faster_rcnn import FasterRCNN
from lit_vision.models.retinanet import RetinaNet
from lit_vision.protocols.adjacent_scales import AdjacentScales
from lit_vision.protocols.ensemble import BoxUnion, RegionMean
from lit_vision.protocols.flip import Flip
from lit_vision.protocols.plain import Plain
from lit_vision.protocols.refined import Refined
from lit_vision.protocols.voted import Voted
from tests.protocols.nets import c4, images, sure
from tests.protocols.two_stages import IMAGE, SIZE, Told, found

ONE, OTHER = (0.0, 0.0, 20.0, 10.0), (30.0, 0.0, 50.0, 10.0)
FIRST = {ONE: ([0.8], [[0, 0, 10, 10]]), OTHER: ([0.1], [[30, 0, 40, 10]])}
SECOND = {ONE: ([0.4], [[0, 0, 14, 20]]), OTHER: ([0.7], [[34, 0, 44, 10]])}


def joined(protocol, *others):
    protocol.members.join(others)
    return protocol


def same(one, other):
    for mine, theirs in zip(one, other, strict=True):
        torch.testing.assert_close(mine, theirs)


def test_all_members_score_the_proposals_of_all():
    members = Told(FIRST, [ONE]), Told(SECOND, [OTHER])
    (image,) = joined(RegionMean(), members[1]).detect(members[0], IMAGE, SIZE)
    assert [member.asked for member in members] == [[[[list(ONE), list(OTHER)]]]] * 2
    assert found(image) == [([0, 0, 12, 15], 0.6, 0), ([32, 0, 42, 10], 0.4, 0)]


def test_regions_of_the_data_are_scored_by_all_and_none_is_proposed():
    members = Told(FIRST, [ONE]), Told(SECOND, [OTHER])
    (image,) = joined(RegionMean(), members[1]).detect(members[0], IMAGE, SIZE, [torch.tensor([OTHER])])
    assert found(image) == [([32, 0, 42, 10], 0.4, 0)]


def test_refinement_is_of_the_averaged_boxes():
    """Table 9's last line: the ensemble scores, and what it says is refined."""
    again = (0.0, 0.0, 12.0, 15.0)
    first = FIRST | {again: ([0.9], [[0, 0, 12, 15]])}
    second = SECOND | {again: ([0.7], [[0, 0, 12, 17]])}
    members = Told(first, [ONE]), Told(second, [])
    protocol = Voted(Refined(joined(RegionMean(), members[1])))
    assert protocol.members is protocol.of.of.members
    (image,) = protocol.detect(members[0], IMAGE, SIZE)
    # Kept is 0 0 12 16 with 0.8, to which 0 0 12 15 with 0.6 adds its vote
    assert image.scores.tolist() == pytest.approx([0.8])
    assert image.boxes[0].tolist() == pytest.approx([0, 0, 12, (0.8 * 16 + 0.6 * 15) / 1.4])


def test_one_member_alone_and_one_member_twice_are_as_the_member():
    network, (batch, sizes) = c4(), images((64, 96), (60, 50))
    wanted = Plain().detect(network, batch, sizes)
    assert all(len(each.scores) > 3 for each in wanted)
    same(joined(RegionMean()).detect(network, batch, sizes), wanted)
    # The same proposals twice: each box and its copy suppress each other
    same(joined(RegionMean(), network).detect(network, batch, sizes), wanted)
    same(joined(BoxUnion()).detect(network, batch, sizes), wanted)


def test_the_last_line_of_table_9():
    """Everything together, of networks that differ, in a batch and one image after the other."""
    nets, (batch, sizes) = [c4(context=True, seed=seed) for seed in range(3)], images((64, 96), (96, 60))
    protocol = Voted(Refined(joined(RegionMean(AdjacentScales(sides=(48, 64, 96, 128))), *nets[1:])))
    together = protocol.detect(nets[0], batch, sizes)
    for index, one in enumerate(together):
        (alone,) = protocol.detect(nets[0], batch[index : index + 1], sizes[index : index + 1])
        assert len(one.scores) > 3
        torch.testing.assert_close(one, alone, rtol=0, atol=1e-2)


def test_candidates_of_detectors_of_two_kinds_are_joined():
    torch.manual_seed(0)
    one, other, (batch, sizes) = sure(RetinaNet.example()), sure(FasterRCNN.example()), images((64, 96))
    torch.nn.init.zeros_(one.head.cls[-1].bias)
    candidates = [Plain().candidates(each, batch, sizes)[0] for each in (one, other)]
    (both,) = joined(BoxUnion(), other).candidates(one, batch, sizes)
    assert len(candidates[0].scores) > 0 < len(candidates[1].scores)
    assert torch.equal(both.boxes, torch.cat([each.boxes for each in candidates]))
    assert torch.equal(both.labels, torch.cat([each.labels for each in candidates]))
    one.selection = dataclasses.replace(one.selection, limit=7)
    (image,) = joined(BoxUnion(Flip()), other).detect(one, batch, sizes)
    assert len(image.scores) == 7
    (voted,) = Voted(joined(BoxUnion(Flip()), other)).detect(one, batch, sizes)
    assert torch.equal(voted.scores, image.scores)


def test_regions_of_the_data_are_for_members_that_take_them():
    torch.manual_seed(0)
    fast, faster, (batch, sizes) = sure(FastRCNN.example()), sure(FasterRCNN.example()), images((64, 96))
    given = [torch.tensor([[4.0, 4, 40, 50]])]
    (both,) = joined(BoxUnion(), faster).candidates(fast, batch, sizes, given)
    (own,) = Plain().candidates(faster, batch, sizes)
    (scored,) = Plain().candidates(fast, batch, sizes, given)
    assert torch.equal(both.scores, torch.cat([scored.scores, own.scores]))


@pytest.mark.parametrize(
    ("protocol", "network", "told"),
    [
        (
            RegionMean(),
            FasterRCNN.example,
            r"^protocol RegionMean joins the members of a row, and there are none: give the row `members:`, and test",
        ),
        (BoxUnion(), RetinaNet.example, r"^protocol BoxUnion joins the members of a row, and there are none: "),
        (
            joined(RegionMean()),
            RetinaNet.example,
            r"^protocol OneScale scores regions, but RetinaNet has no second stage;\n"
            r"Flip, voted\.Voted and ensemble\.BoxUnion take any detector$",
        ),
    ],
    ids=["no members", "no members of a union", "no second stage"],
)
def test_what_cannot_be_joined_is_told(protocol, network, told):
    with pytest.raises(InputError, match=told):
        protocol.detect(network().eval(), IMAGE, SIZE)
