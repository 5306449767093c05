import math

import pytest
import torch

from lit_vision.errors import InputError
from lit_vision.models.detector import Detector, RegionDetector
from lit_vision.models.faster_rcnn import FasterRCNN
from lit_vision.models.retinanet import RetinaNet
from lit_vision.ops.selection import Selection
from lit_vision.protocols.flip import Flip, mirror
from lit_vision.protocols.plain import Plain
from lit_vision.types import Candidates, Scores

SIZES = torch.tensor([[4, 6], [4, 8]])


def images():
    """Two images of 4 x 8; the first is padded by two columns. A bright pixel is on the left of each."""
    found = torch.zeros(2, 3, 4, 8, dtype=torch.uint8)
    found[0, :, 1, 1] = 200
    found[1, :, 2, 0] = 100
    return found


def test_images_are_mirrored_within_their_own_width():
    found = mirror(images(), SIZES)
    assert [each.nonzero().tolist() for each in found[:, 0]] == [[[1, 4]], [[2, 7]]]


class Spots(Detector):
    """Finds each bright pixel as a box of 2 x 2 around it that leans to the right; the score is the brightness."""

    def extract(self, images, sizes):
        return {0: images[:, :1].float() / 255}

    def candidates(self, features, image_size, sizes):
        return [self._of(image[0]) for image in features[0]]

    def _of(self, image):
        y, x = image.nonzero(as_tuple=True)
        label = torch.zeros_like(x)
        return Candidates(torch.stack([x, y, x + 2, y + 2], 1).float(), image[y, x], label, label)

    limits = Selection(score=0.0, per_level=10, nms=0.9, limit=10)
    loss = static = example = None

    def __init__(self):
        torch.nn.Module.__init__(self)


def test_union_by_hand():
    first, second = Flip().detect(Spots(), images(), SIZES)
    # Straight: x 1..3. Mirrored within 6 columns: the pixel at 4, x 4..6, which is 0..2 back in the image.
    assert sorted(first.boxes.tolist()) == [[0, 1, 2, 3], [1, 1, 3, 3]]
    assert first.scores.tolist() == pytest.approx([200 / 255] * 2)
    assert sorted(second.boxes.tolist()) == [[-1, 2, 1, 4], [0, 2, 2, 4]]


class TwoLooks(RegionDetector):
    """Proposes one box; says 0.8 and 0.4 of two classes in the image, 0.4 and 0.2 in its mirror image."""

    limits = Selection(score=0.35, per_level=10, nms=0.5, limit=10)
    loss = static = example = pool = score_pooled = None

    def __init__(self):
        torch.nn.Module.__init__(self)
        self.asked = []

    def extract(self, images, sizes):
        return {0: images[:, :1]}

    def propose(self, features, image_size, sizes):
        return [torch.tensor([[0.0, 0, 2, 4]]), torch.zeros(0, 4)]

    def score(self, features, regions, sizes):
        turned = bool(features[0][0, 0, 1, 4])
        self.asked.append([each.tolist() for each in regions])
        chances = torch.tensor([[0.4, 0.2]] if turned else [[0.8, 0.4]])
        return [Scores(chances[: len(each)], each[:, None].expand(-1, 2, -1)) for each in regions]

    def candidates_of(self, scores, sizes):
        return [self._of(each) for each in scores]

    def _of(self, scores):
        region, label = (scores.scores > self.limits.score).nonzero(as_tuple=True)
        return Candidates(scores.boxes[region, label], scores.scores[region, label], label, label)


def test_mean_by_hand():
    net = TwoLooks()
    first, second = Flip("mean").detect(net, images(), SIZES)
    # The same box in both looks: mirrored within 6 columns it is 4..6.
    assert net.asked == [[[[0, 0, 2, 4]], []], [[[4, 0, 6, 4]], []]]
    assert (first.boxes.tolist(), first.labels.tolist()) == ([[0, 0, 2, 4]], [0])
    assert first.scores.tolist() == pytest.approx([0.6])  # class 1 has 0.3, below the threshold
    assert len(second.scores) == 0


def test_mean_is_refused_without_a_second_stage():
    net = RetinaNet.example().eval()
    with pytest.raises(InputError, match=r"^protocol.merge is mean, but RetinaNet has no second stage .*; use union$"):
        Flip("mean").detect(net, torch.zeros(1, 3, 64, 64, dtype=torch.uint8), torch.tensor([[64, 64]]))


@pytest.mark.parametrize("merge", ["union", "mean"])
def test_a_symmetric_image_is_found_symmetrically(merge):
    torch.manual_seed(0)
    net = FasterRCNN.example().eval()
    with torch.no_grad():
        for parameter in (net.regions.head.cls.weight, net.proposals.head.cls.weight):
            parameter.normal_(std=0.3)
    half = torch.randint(0, 256, (1, 3, 64, 32), dtype=torch.uint8)
    image, sizes = torch.cat([half, half.flip(3)], 3), torch.tensor([[64, 64]])
    (once,) = Plain().detect(net, image, sizes)
    (found,) = Flip(merge).detect(net, image, sizes)
    assert len(found.scores) > 0
    assert math.isclose(found.scores[0], once.scores[0], rel_tol=0.2)
