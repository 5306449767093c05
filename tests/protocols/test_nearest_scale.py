"""Regions pooled from the scale that suits them, and a detector on another network's proposals."""

import pytest
import torch

from lit_vision.errors import InputError
from lit_vision.models.detector import RegionDetector
from lit_vision.models.fast_rcnn import FastRCNN
from lit_vision.models.faster_rcnn import FasterRCNN
from lit_vision.models.retinanet import RetinaNet
from lit_vision.models.rpn import RPN
from lit_vision.ops.selection import Selection
from lit_vision.protocols.image_pyramid import nearest
from lit_vision.protocols.nearest_scale import NearestScale
from lit_vision.protocols.proposed import Proposed
from lit_vision.types import Candidates, Scores


def test_the_nearest_scale_by_hand():
    # 224 x 224 stay; 112 x 112 are doubled; 448 x 448 are halved; 180 x 180 are 32,400, nearer to 50,176 as they are
    # than at half (8,100) or double (129,600)
    sides = torch.tensor([224.0, 112, 448, 180])
    regions = torch.cat([torch.zeros(4, 2), sides[:, None].expand(4, 2)], 1)
    chosen = nearest(regions, torch.tensor([0.5, 1, 2]), 224, 1)
    assert chosen.nonzero().tolist() == [[0, 1], [1, 2], [2, 0], [3, 1]]


class Echo(RegionDetector):
    """Remembers what it is asked to pool, and says that the boxes are right as they are."""

    num_classes = 1
    takes_proposals = False
    limits = Selection(score=0.0, per_level=10, nms=1.0, limit=10)
    loss = static = example = None

    def __init__(self):
        torch.nn.Module.__init__(self)
        self.asked = []

    def extract(self, images, sizes):
        self.shape = images.shape[-2:]
        return {}

    def propose(self, features, image_size, sizes):
        return [torch.tensor([[0.0, 0, 20, 20], [0, 0, 224, 224]])]

    def pool(self, features, boxes):
        self.asked.append((tuple(self.shape), boxes[0].tolist()))
        return boxes[0]

    def score_pooled(self, pool, regions, sizes):
        assert pool(regions).shape == regions[0].shape
        return [Scores(torch.ones(len(regions[0]), 1), regions[0][:, None])]

    def candidates_of(self, scores, sizes):
        labels = [torch.zeros(len(each.scores), dtype=torch.int64) for each in scores]
        return [
            Candidates(one.boxes[:, 0], one.scores[:, 0], label, label)
            for one, label in zip(scores, labels, strict=True)
        ]


def test_regions_are_scored_at_their_scale_and_come_back():
    network, image = Echo(), torch.zeros(1, 3, 320, 416, dtype=torch.uint8)
    (found,) = NearestScale(sides=(300, 600), cap=2000).detect(network, image, torch.tensor([[300, 400]]))
    # Short sides of 300 and 600: the small region at 600, the large one at 300; padded to multiples of 32
    assert network.asked == [((320, 416), [[0, 0, 224, 224]]), ((608, 800), [[0, 0, 40, 40]])]
    assert sorted(found.boxes.tolist()) == [[0, 0, 20, 20], [0, 0, 224, 224]]


def test_the_long_side_is_capped():
    network, image = Echo(), torch.zeros(1, 3, 300, 400, dtype=torch.uint8)
    NearestScale(sides=(600,), cap=600).detect(network, image, torch.tensor([[300, 400]]))
    assert network.asked[0][0] == (480, 608)
    assert network.asked[0][1][0] == [0, 0, 30, 30]


def test_bad_scales_and_networks_are_told():
    told = r"^protocol NearestScale pools each region from 1 of its sides, got \[\]; name more$"
    with pytest.raises(InputError, match=told):
        NearestScale(sides=())
    told = r"^protocol NearestScale scores regions, but RetinaNet has no second stage;\n"
    with pytest.raises(InputError, match=told):
        NearestScale().detect(RetinaNet.example(), torch.zeros(1, 3, 64, 64), torch.tensor([[64, 64]]))


def images():
    return torch.randint(0, 256, (1, 3, 64, 96), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def test_a_detector_scores_what_another_network_proposes():
    torch.manual_seed(0)
    sizes, rpn, detector = torch.tensor([[64, 96]]), RPN.example(), FastRCNN.example().eval()
    with torch.no_grad():
        detector.regions.head.cls.weight.normal_(std=0.5)
    found = Proposed(rpn, limit=7, nms=0.6, leave_out="offsets").detect(detector, images(), sizes, [torch.zeros(0, 4)])
    assert (rpn.limits.limit, rpn.limits.nms, rpn.proposals.leave_out) == (7, 0.6, "offsets")
    assert not rpn.training
    given = [each.boxes for each in rpn.detect(images(), sizes)]
    assert len(given[0]) == 7
    assert torch.equal(found[0].boxes, detector.detect(images(), sizes, given)[0].boxes)
    assert len(found[0].boxes) > 0


def test_more_proposals_than_the_network_keeps_before_suppression_raise_its_limit():
    rpn = RPN.example()
    Proposed(rpn, limit=6000, nms=1.0)
    assert (rpn.limits.limit, rpn.limits.per_level) == (6000, 6000)


def test_a_detector_that_proposes_itself_is_told():
    told = r"^protocol: Proposed is for Fast R-CNN, but FasterRCNN proposes itself$"
    with pytest.raises(InputError, match=told):
        Proposed(RPN.example()).detect(FasterRCNN.example(), images(), torch.tensor([[64, 96]]))
