"""Multi-scale testing of the ResNet paper's Table 9: two adjacent scales of a region, merged by maxout."""

import pytest
import torch

from lit_vision.errors import InputError
from lit_vision.models.fast_rcnn import FastRCNN
from lit_vision.protocols.adjacent_scales import AdjacentScales
from lit_vision.protocols.image_pyramid import nearest
from lit_vision.protocols.nearest_scale import NearestScale
from lit_vision.protocols.plain import Plain
from lit_vision.protocols.refined import Refined
from lit_vision.protocols.voted import Voted
from lit_vision.types import Scores
from tests.protocols.nets import c4, images, sure
from tests.protocols.two_stages import Told

SIDES = torch.tensor([200.0, 400, 600, 800, 1000])


def boxes(*sides):
    return torch.tensor([[0.0, 0, side, side] for side in sides])


def same(one, other):
    for mine, theirs in zip(one, other, strict=True):
        assert len(mine.scores) > 3
        torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-3)


def test_two_neighbours_by_hand():
    # In an image of 600: 672 pixels are 224 at the smallest scale, 134 are so at the largest; 224 are so as they are,
    # and at 800 their area is 178^2 too large, at 400 167^2 too small. 10 and 2000 pixels are beyond the ends.
    chosen = nearest(boxes(672, 134, 224, 10, 2000), SIDES / 600, 224, 2)
    assert chosen.nonzero()[:, 1].reshape(-1, 2).tolist() == [[0, 1], [3, 4], [1, 2], [3, 4], [0, 1]]


def test_the_two_nearest_are_always_neighbours():
    sides = torch.cat([torch.zeros(1), torch.logspace(-6, 5, 2000)])
    regions = torch.cat([torch.zeros(len(sides), 2), sides[:, None].expand(-1, 2)], 1)
    places = nearest(regions, SIDES / 600, 224, 2).nonzero()[:, 1].reshape(-1, 2)
    assert (places[:, 1] - places[:, 0] == 1).all()
    assert places.unique(dim=0).tolist() == [[0, 1], [1, 2], [2, 3], [3, 4]]


class Sums(Told):
    """Pools the height of the padded image at a scale, its negative, and the box's left edge."""

    def extract(self, images, sizes):
        return {0: float(images.shape[-2])}

    def pool(self, features, boxes):
        left = torch.cat(list(boxes))[:, 0]
        side = torch.full_like(left, features[0])
        return torch.stack([side, -side, left], 1)[:, :, None, None]

    def score_pooled(self, pool, regions, sizes):
        self.asked.append(pool(regions)[:, :, 0, 0].tolist())
        return [Scores(torch.ones(len(each), 1), each[:, None]) for each in regions]


def test_maxout_by_hand():
    network = Sums({(32.0, 0.0, 96.0, 64.0): ((1.0,), None), (0.0, 0.0, 256.0, 256.0): ((1.0,), None)}, [])
    image, sizes = torch.zeros(1, 3, 320, 320, dtype=torch.uint8), torch.tensor([[320, 320]])
    regions = torch.tensor([[32.0, 0, 96, 64], [0, 0, 256, 256]])
    (found,) = AdjacentScales(sides=(640, 160, 320, 960)).detect(network, image, sizes, [regions])
    # 64 pixels are nearest to 224 at 960 (192) and 640; 256 at 320 and, 40,000 below against 12,000 above, at 160
    assert network.asked == [[[960, -640, 96], [320, -160, 0]]]
    assert found.boxes.tolist() == regions.tolist()
    AdjacentScales(sides=(640, 160, 320, 960), ideal=64).detect(network, image, sizes, [regions])
    assert network.asked[1] == [[320, -160, 32], [320, -160, 0]]


def test_scales_of_the_pipeline_s_size_change_nothing():
    batch, sizes = images((60, 96), (60, 80))
    for context in (False, True):
        network = c4(context)
        wanted = Plain().detect(network, batch, sizes)
        same(AdjacentScales(sides=(60, 60)).detect(network, batch, sizes), wanted)
        same(NearestScale(sides=(60,), proposed_at=60).detect(network, batch, sizes), wanted)


def test_scales_that_the_cap_makes_equal_are_one():
    network, (batch, sizes) = c4(), images((64, 96))
    once = NearestScale(sides=(64,)).detect(network, batch, sizes)
    same(AdjacentScales(sides=(100, 200), cap=96).detect(network, batch, sizes), once)


def test_regions_are_proposed_at_a_scale_of_their_own():
    asked = []

    class Proposes(Sums):
        def propose(self, features, image_size, sizes):
            asked.append((features[0], tuple(image_size), sizes.tolist()))
            return [torch.tensor([[0.0, 0, 30, 60]])]

    network = Proposes({(0.0, 0.0, 1.0, 1.0): ((1.0,), None)})
    image, sizes = torch.zeros(1, 3, 128, 224, dtype=torch.uint8), torch.tensor([[100, 200]])
    look = AdjacentScales(sides=(50, 100), proposed_at=60).look(network, image, sizes)
    # 60 x 120, padded to 64 x 128; a box of 30 x 60 there is one of 50 x 100
    (regions,) = look.propose()
    torch.testing.assert_close(regions, torch.tensor([[0.0, 0, 50, 100]]))
    assert asked == [(64.0, (64, 128), [[60, 120]])]


def test_each_scale_is_computed_once_for_both_turns():
    network, (batch, sizes) = c4(), images((64, 96))
    sides, extract = [], network.extract
    network.extract = lambda images, sizes: sides.append(sizes[0].tolist()) or extract(images, sizes)
    Refined(AdjacentScales(sides=(32, 64, 128), proposed_at=64)).detect(network, batch, sizes)
    assert sorted(sides) == [[64, 96], [128, 192]]


@pytest.mark.parametrize("context", [False, True], ids=["alone", "with context"])
def test_a_batch_is_looked_at_as_its_images_one_by_one(context):
    network, (batch, sizes) = c4(context), images((64, 96), (100, 64), (40, 50))
    protocol = Voted(Refined(AdjacentScales(sides=(48, 96, 144), proposed_at=64)))
    together = protocol.detect(network, batch, sizes)
    for index, one in enumerate(together):
        same([one], protocol.detect(network, batch[index : index + 1], sizes[index : index + 1]))


def test_an_image_without_proposals_has_no_detections():
    torch.manual_seed(0)
    network, (batch, sizes) = sure(FastRCNN.example()), images((64, 96), (64, 64))
    given = [torch.zeros(0, 4), torch.tensor([[4.0, 4, 40, 50]])]
    first, second = AdjacentScales(sides=(64, 96)).detect(network, batch, sizes, given)
    assert len(first.scores) == 0
    assert len(second.scores) > 0
    (alone,) = AdjacentScales(sides=(64, 96)).detect(network, batch[:1], sizes[:1], given[:1])
    assert alone.boxes.shape == (0, 4)


def test_bad_scales_are_told():
    told = r"^protocol AdjacentScales pools each region from 2 of its sides, got \[600\]; name more$"
    with pytest.raises(InputError, match=told):
        AdjacentScales(sides=(600,))
    told = (
        r"^protocol AdjacentScales: sides, cap, proposed_at and ideal are in pixels, from 1 on, "
        r"got \[200, 400\], 2000, 0 and 224$"
    )
    with pytest.raises(InputError, match=told):
        AdjacentScales(sides=(200, 400), proposed_at=0)
