"""Global context of the ResNet paper's Table 9: the outputs see each region's vector beside its whole image's."""

import pytest
import torch

from lit_vision.models.backbones import resnet
from lit_vision.models.heads.box import BoxHead, RegionHead
from lit_vision.models.heads.stage import StageHead
from lit_vision.ops import box
from lit_vision.types import Batch
from tests.parity.reference import target
from tests.protocols.nets import c4, images


class Means(RegionHead):
    """A region's vector is its mean; the outputs say what they are given."""

    def __init__(self):
        super().__init__(num_classes=1, context=True)
        self._end(1)
        self.cls.weight.data = torch.eye(2)
        self.box.weight.data.zero_()
        self.cls.bias.data.zero_()

    def vectors(self, pooled):
        return pooled.mean((1, 2, 3))[:, None]


def pooled(*values):
    return torch.tensor(values)[:, None, None, None].expand(-1, 3, 2, 2)


def test_the_image_s_vector_stands_behind_each_region_s():
    # Two regions and the image with 9; an image with 8 without regions; one region and the image with 7
    logits, deltas = Means()(pooled(1.0, 2, 9, 8, 3, 7), [3, 1, 2])
    assert logits.tolist() == [[1, 9], [2, 9], [3, 7]]
    assert deltas.shape == (3, 2, 4)


def test_no_regions_at_all():
    logits, deltas = Means()(pooled(9.0, 8), [1, 1])
    assert (logits.shape, deltas.shape) == ((0, 2), (0, 2, 4))


@pytest.mark.parametrize(
    ("make", "width"),
    [
        (lambda context: BoxHead(8, 3, 4, width=16, context=context), 16),
        (lambda context: StageHead(256, 14, 4, resnet.resnet18(), context=context), 512),
    ],
    ids=["two layers", "fifth stage"],
)
def test_context_doubles_what_the_outputs_see_and_adds_no_layer(make, width):
    alone, beside = make(False), make(True)
    grown = {
        name: (tuple(alone.state_dict()[name].shape), tuple(value.shape))
        for name, value in beside.state_dict().items()
        if value.shape != alone.state_dict()[name].shape
    }
    # Four classes and background: 5 scores and 20 offsets
    assert grown == {"cls.weight": ((5, width), (5, 2 * width)), "box.weight": ((20, width), (20, 2 * width))}
    assert alone.state_dict().keys() == beside.state_dict().keys()


def test_whole_images_end_where_their_padding_begins():
    assert box.whole(torch.tensor([[30, 60], [20, 10]])).tolist() == [[0, 0, 60, 30], [0, 0, 10, 20]]


def test_what_is_pooled_ends_with_the_whole_image():
    network, asked = c4(context=True), []
    regions, sizes = [torch.tensor([[4.0, 4, 40, 50]]), torch.zeros(0, 4)], torch.tensor([[64, 96], [60, 50]])

    def pool(boxes):
        asked.append([each.tolist() for each in boxes])
        return torch.rand(sum(map(len, boxes)), 256, 4, 4)

    first, second = network.score_pooled(pool, regions, sizes)
    assert asked == [[[[4, 4, 40, 50], [0, 0, 96, 64]], [[0, 0, 50, 60]]]]
    assert (first.scores.shape, second.scores.shape) == ((1, 3), (0, 3))


def test_scores_depend_on_what_lies_outside_the_region():
    batch, sizes = images((96, 320))
    other = batch.clone()
    other[:, :, :, 224:] = 0  # far from the region, beyond what its cells see
    regions = [torch.tensor([[0.0, 0, 40, 40]])]

    def difference(network):
        with torch.no_grad():
            one, two = (network.score(network.extract(each, sizes), regions, sizes)[0] for each in (batch, other))
        return (one.scores - two.scores).abs().max().item()

    assert difference(c4(context=False)) < 1e-6
    assert difference(c4(context=True)) > 1e-5


def test_it_is_trained_end_to_end():
    network, (batch, sizes) = c4(context=True).train(), images((64, 96), (96, 64))
    objects = [target(torch.tensor([[4.0, 4, 40, 50]]), torch.tensor([1]))] * 2
    losses = network.loss(Batch(batch, sizes, objects))
    sum(losses.values()).backward()
    head = network.regions.head
    assert head.cls.weight.grad[:, 512:].abs().sum() > 0
    assert [name for name, p in network.named_parameters() if p.grad is None] == []


def test_a_batch_without_regions_keeps_every_parameter_in_the_loss():
    network = c4(context=True)
    features, none = {4: torch.rand(2, 256, 4, 6)}, [torch.zeros(0, 4)] * 2
    labels = [torch.zeros(0, dtype=torch.int64)] * 2
    losses = network.regions.loss(features, none, none, labels, torch.tensor([[64, 96], [60, 50]]))
    sum(losses.values()).backward()
    assert [loss.item() for loss in losses.values()] == [0, 0]
    assert [name for name, p in network.regions.named_parameters() if p.grad is None] == []
