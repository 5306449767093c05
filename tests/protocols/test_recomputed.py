"""BatchNorm statistics measured on training images, by hand and against PyTorch's own cumulative average."""

import copy

import pytest
import torch
from torch import nn

from lit_vision.data.pipelines.sampler import SampledBatches
from lit_vision.errors import InputError
from lit_vision.models import batch_statistics
from lit_vision.models.backbones import resnet
from lit_vision.models.classifier import Classifier
from lit_vision.protocols.crops import CenterCrop
from lit_vision.protocols.ensemble import Mean
from lit_vision.protocols.recomputed import Recomputed, _in_order


class Two(nn.Module):
    """One BatchNorm, and what comes out of it as two logits."""

    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm2d(1, eps=1e-12)
        self.drop = nn.Dropout(0.5)

    def forward(self, images, sizes=None):
        return self.drop(self.norm(images[:, :1].float()).flatten(1))


def batch(*rows):
    """Images of one row of two pixels, [B, 3, 1, 2]."""
    return torch.tensor(rows, dtype=torch.float32)[:, None, None, :].expand(-1, 3, -1, -1)


FIRST, SECOND = batch((0, 2), (4, 6)), batch((10, 10), (10, 14))
SIZES = torch.tensor([[1, 2]])


def by_hand(network, images, of):
    assert (images, of) == (4, 2)
    return [FIRST, SECOND]


def test_the_average_of_two_batches_by_hand():
    """0 2 4 6: mean 3, variance 20/3. 10 10 10 14: mean 11, variance 4. So the mean is 7 and the variance 16/3."""
    net = Two().eval()
    protocol = Recomputed(images=4, batch=2)
    protocol.begin(net, by_hand)
    scores = protocol.score(net, batch((7, 7 + (16 / 3) ** 0.5)), SIZES)
    assert scores[0].tolist() == pytest.approx([0, 1], abs=1e-6)
    assert protocol.alters == "BatchNorm statistics averaged over 4 training images in 2 batches of 2"


def test_the_trained_network_stays_as_it_is():
    net = Two().eval()
    before = copy.deepcopy(net.state_dict())
    protocol = Recomputed(images=4, batch=2)
    protocol.begin(net, by_hand)
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert net(batch((3, 5)))[0].tolist() == pytest.approx([3, 5])


def test_a_second_pass_measures_anew():
    net = Two().eval()
    protocol = Recomputed(images=4, batch=2)
    protocol.begin(net, lambda *_: [SECOND])
    protocol.begin(net, lambda *_: [FIRST])
    assert protocol.score(net, batch((3, 3)), SIZES)[0].tolist() == pytest.approx([0, 0], abs=1e-6)


def small():
    torch.manual_seed(0)
    return Classifier(resnet.resnet20(), 10).eval()


def test_deep_layers_see_what_training_would_show_them():
    """PyTorch's cumulative average, `momentum=None`, over the same batches in training mode."""
    net, random = small(), torch.Generator().manual_seed(1)
    batches = [torch.randint(0, 256, (4, 3, 16, 16), dtype=torch.uint8, generator=random) for _ in range(3)]
    reference = copy.deepcopy(net)
    for layer in batch_statistics.layers(reference).values():
        layer.reset_running_stats()
        layer.momentum = None
        layer.train()
    with torch.no_grad():
        for images in batches:
            reference(images)
    found = batch_statistics.average([batch_statistics.measure(net, images) for images in batches])
    assert len(found) == 19  # one behind each convolution
    for name, layer in batch_statistics.layers(reference).items():
        torch.testing.assert_close(found[name][0].float(), layer.running_mean, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(found[name][1].float(), layer.running_var, rtol=1e-4, atol=1e-5)
    assert all(layer.running_mean is not None for layer in batch_statistics.layers(net).values())


def test_it_wraps_other_protocols_and_is_wrapped():
    net, other = small(), small()
    nn.init.normal_(other.fc.weight)
    images = torch.randint(0, 256, (2, 3, 16, 16), dtype=torch.uint8)
    measured_on = torch.randint(0, 256, (8, 3, 16, 16), dtype=torch.uint8)
    mean = Mean(of=Recomputed(CenterCrop(8), images=8, batch=8))
    mean.members.join([other])
    mean.begin(net, lambda *_: [measured_on])
    assert mean.alters == "BatchNorm statistics averaged over 8 training images in 1 batch of 8"
    apart = []
    for member in (net, other):
        alone = copy.deepcopy(member)
        batch_statistics.use(alone, batch_statistics.measure(member, measured_on))
        apart.append(alone(images[:, :, 4:12, 4:12]).softmax(1))
    got = mean.score(net, images, torch.tensor([[16, 16]] * 2)).softmax(1)
    torch.testing.assert_close(got, torch.stack(apart).mean(0))


def test_batches_of_processes_are_averaged_as_they_were_dealt():
    parts = [[{"a": torch.tensor(number)} for number in range(rank, 5, 2)] for rank in (0, 1)]
    assert [int(one["a"]) for one in _in_order(parts)] == [0, 1, 2, 3, 4]
    dealt = [list(SampledBatches(23, 4, 5, rank, 2).indices()) for rank in (0, 1)]
    whole = list(SampledBatches(23, 4, 5).indices())
    assert [len(part) for part in dealt] == [3, 2]
    in_order = [dealt[number % 2][number // 2] for number in range(5)]
    assert all(torch.equal(one[1], other[1]) for one, other in zip(in_order, whole, strict=True))
    assert len(SampledBatches(23, 4, 100)) == 5  # whole batches only


def test_what_cannot_be_measured_is_refused():
    with pytest.raises(InputError, match=r"^protocol Recomputed: batch is 8 and images is 4;"):
        Recomputed(images=4, batch=8)
    with pytest.raises(InputError, match=r"Sequential has no such layer; leave it out$"):
        Recomputed().begin(nn.Sequential(nn.Conv2d(3, 4, 1)), by_hand)
    with pytest.raises(InputError, match="measures on training images, and there are none here"):
        Recomputed().score(Two(), FIRST, SIZES)
