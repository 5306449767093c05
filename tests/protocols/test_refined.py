"""Box refinement and voting, of the ResNet paper's Table 9."""

import dataclasses

import pytest
import torch

from lit_vision.errors import InputError
from lit_vision.models.fast_rcnn import FastRCNN
from lit_vision.models.retinanet import RetinaNet
from lit_vision.protocols.plain import Plain
from lit_vision.protocols.refined import Refined
from lit_vision.protocols.regions import OneScale
from lit_vision.protocols.voted import Voted
from tests.protocols.nets import c4, images, sure
from tests.protocols.two_stages import IMAGE, SIZE, Told, found

# Class 1 is the surer one of the first region, so its box is pooled: what is left of it in the image of 30 x 60.
LEFT = (0.0, 0.0, 20.0, 10.0)
ANSWERS = {
    LEFT: ([0.2, 0.6], [[0, 0, 10, 10], [-4, 0, 20, 20]]),
    (0.0, 0.0, 20.0, 20.0): ([0.1, 0.8], [[30, 0, 40, 10], [0, 0, 20, 25]]),
}


def test_refinement_by_hand():
    network = Told(ANSWERS)
    (image,) = Refined().detect(network, IMAGE, SIZE)
    assert network.asked == [[[list(LEFT)]], [[[0, 0, 20, 20]]]]
    # 0 0 20 20 with 0.6 shares 400 of 500 pixels with the new 0 0 20 25 and falls; the boxes of class 0 do not meet.
    assert found(image) == [([0, 0, 20, 25], 0.8, 1), ([0, 0, 10, 10], 0.2, 0), ([30, 0, 40, 10], 0.1, 0)]


def test_the_union_is_suppressed_at_an_overlap_of_its_own():
    answers = {LEFT: ([0.9], [[0, 0, 10, 10]]), (0.0, 0.0, 10.0, 10.0): ([0.8], [[5, 0, 15, 10]])}
    # They share 50 of 150 pixels: more than the paper's 0.3, less than the 0.5 of the network
    assert found(Refined().detect(Told(answers), IMAGE, SIZE)[0]) == [([0, 0, 10, 10], 0.9, 0)]
    assert len(Refined(nms=0.5).detect(Told(answers), IMAGE, SIZE)[0].scores) == 2
    assert Told.limits.nms == 0.5


def test_so_many_regions_make_twice_as_many_predictions():
    network, (batch, sizes) = c4(proposals=300), images((200, 300))
    network.regions.selection = dataclasses.replace(network.regions.selection, score=0.0)
    proposed = OneScale().look(network, batch, sizes).propose()
    assert 50 < len(proposed[0]) <= 100  # as many as the network keeps before suppression
    (both,) = Refined().candidates(network, batch, sizes)
    assert len(both.scores) == 2 * len(proposed[0]) * 3


def test_an_image_without_proposals_has_none_to_refine():
    network = Told(ANSWERS, proposals=[])
    assert found(Voted(Refined()).detect(network, IMAGE, SIZE)[0]) == []
    assert network.asked == [[[]], [[]]]


def test_a_box_that_is_refined_to_nothing_is_not_pooled():
    # Beyond the right border, and of no height
    nothing = {LEFT: ([0.7], [[60, 0, 70, 10]]), (1.0, 0.0, 20.0, 10.0): ([0.6], [[0, 5, 10, 5]])}
    network = Told(nothing, proposals=list(nothing))
    assert len(Refined().candidates(network, IMAGE, SIZE)[0].scores) == 2
    assert network.asked[1] == [[]]


def test_regions_of_the_data_are_scored_and_refined():
    torch.manual_seed(0)
    network, (batch, sizes) = sure(FastRCNN.example()), images((64, 96))
    given = [torch.tensor([[4.0, 4, 40, 50], [10, 0, 60, 30]])]
    (once,) = OneScale().candidates(network, batch, sizes, given)
    (both,) = Refined().candidates(network, batch, sizes, given)
    assert len(both.scores) > len(once.scores) > 0
    assert torch.equal(both.boxes[: len(once.boxes)], once.boxes)
    with pytest.raises(InputError, match=r"^FastRCNN finds objects among given regions only: name their files by"):
        Refined().detect(network, batch, sizes)


def test_a_batch_is_refined_as_its_images_one_by_one():
    network, sides = c4(), [(60, 90), (96, 64)]
    batch, sizes = images(*sides)
    together = Voted(Refined()).detect(network, batch, sizes)
    for index, (height, width) in enumerate(sides):
        (alone,) = Voted(Refined()).detect(network, batch[index : index + 1], sizes[index : index + 1])
        assert len(alone.scores) > 3
        torch.testing.assert_close(together[index].boxes, alone.boxes, rtol=0, atol=1e-3)
        assert (alone.boxes <= torch.tensor([width, height, width, height])).all()


def test_voting_by_hand():
    answers = {
        LEFT: ([0.6], [[0, 0, 10, 10]]),
        (1.0, 0.0, 20.0, 10.0): ([0.3], [[2, 0, 12, 10]]),  # 80 of 120 pixels in common
        (2.0, 0.0, 20.0, 10.0): ([0.2], [[6, 0, 16, 10]]),  # 40 of 160, so it is another object
        (3.0, 0.0, 20.0, 10.0): ([0.04], [[0, 0, 10, 10]]),  # below the threshold
    }
    (image,) = Voted(OneScale()).detect(Told(answers, list(answers)), IMAGE, SIZE)
    # (0.6 x 0 + 0.3 x 2) / 0.9 = 2 / 3
    assert [score for _, score, _ in found(image)] == [0.6, 0.2]
    torch.testing.assert_close(image.boxes, torch.tensor([[2 / 3, 0, 10 + 2 / 3, 10], [6, 0, 16, 10]]))
    (wide,) = Voted(OneScale(), overlap=0.25).detect(Told(answers, list(answers)), IMAGE, SIZE)
    torch.testing.assert_close(wide.boxes[0, 0].item(), (0.3 * 2 + 0.2 * 6) / 1.1)


def test_votes_after_refinement_are_of_both_turns():
    (image,) = Voted(Refined()).detect(Told(ANSWERS), IMAGE, SIZE)
    # 0 0 20 20 with 0.6 and 0 0 20 25 with 0.8, after the latter was kept: (0.6 x 20 + 0.8 x 25) / 1.4
    assert image.boxes[0].tolist() == pytest.approx([0, 0, 20, 32 / 1.4])
    assert image.scores[0].item() == pytest.approx(0.8)


def test_any_detector_can_vote():
    torch.manual_seed(0)
    network, (batch, sizes) = RetinaNet.example().eval(), images((64, 96))
    torch.nn.init.zeros_(network.head.cls[-1].bias)
    (plain,), (voted,) = (each.detect(network, batch, sizes) for each in (Plain(), Voted()))
    assert torch.equal(voted.scores, plain.scores)
    assert torch.equal(voted.labels, plain.labels)
    assert 0 < (voted.boxes - plain.boxes).abs().max() < 96


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: Refined(nms=1.5), r"^protocol Refined: nms is an overlap, in 0\.\.1, got 1\.5$"),
        (lambda: Voted(overlap=0.0), r"^protocol Voted: overlap is that of boxes, above 0 and up to 1, got 0\.0$"),
    ],
)
def test_options_beyond_their_range_are_told(make, told):
    with pytest.raises(InputError, match=told):
        make()


def test_a_detector_without_a_second_stage_is_told_what_it_can_do():
    told = (
        r"^protocol Refined scores regions, but RetinaNet has no second stage;\n"
        r"Flip, voted\.Voted and ensemble\.BoxUnion take any detector$"
    )
    with pytest.raises(InputError, match=told):
        Refined().detect(RetinaNet.example(), IMAGE, SIZE)
