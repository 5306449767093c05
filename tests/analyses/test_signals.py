import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from lit_vision.analyses.signals import Signals
from lit_vision.errors import InputError
from lit_vision.models.backbones import resnet
from lit_vision.models.classifier import Classifier
from tests.analyses import subjects
from tests.analyses.subjects import batch


class Net(nn.Module):
    """Two 3x3 layers, the first with a norm, and a classifier of two classes."""

    def __init__(self):
        super().__init__()
        self.first, self.norm = nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.second, self.fc = nn.Conv2d(4, 2, 3, padding=1), nn.Linear(2, 2)

    def forward(self, images, sizes=None):
        x = self.norm(self.first(images.float() / 255)).relu()
        return self.fc(self.second(x).relu().mean((2, 3)))


def test_by_hand_on_the_statistics_of_the_batch():
    torch.manual_seed(0)
    net = Net().eval()
    found = Signals(images=3).look([subjects.of(net, [batch(5), batch(7)])])
    images = batch(5).images[:3].float() / 255
    normed = F.batch_norm(net.first(images), None, None, net.norm.weight, net.norm.bias, training=True)
    second = net.second(normed.relu())
    F.cross_entropy(net.fc(second.relu().mean((2, 3))), torch.zeros(3, dtype=torch.int64)).backward()
    expected = [each.double().var(correction=0).item() for each in (normed, second)]
    norms = [layer.weight.grad.norm().item() for layer in (net.first, net.second)]
    assert found.arrays["variance"] == pytest.approx(expected, rel=1e-4)
    assert found.arrays["gradient"] == pytest.approx(norms, rel=1e-4)
    assert found.figures == {
        "smallest_variance": pytest.approx(min(expected), rel=1e-4),
        "smallest_gradient": pytest.approx(min(norms), rel=1e-4),
        "gradient_slope": pytest.approx(np.log2(norms[0] / norms[1]), rel=1e-3),  # from the last layer to the first
    }


def test_the_network_is_left_as_it_was():
    net = Net().eval()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    Signals().look([subjects.of(net, [batch(4)])])
    assert not net.training
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())
    assert all(parameter.grad is None for parameter in net.parameters())


class Dead(Net):
    """No gradient comes back through its second layer."""

    def forward(self, images, sizes=None):
        return self.fc(self.second(self.norm(self.first(images.float()))).mean((2, 3)) * 0)


def test_a_gradient_that_is_gone_has_no_slope():
    figures = Signals().look([subjects.of(Dead().eval(), [batch(4)])]).figures
    assert figures["smallest_gradient"] == 0
    assert figures["gradient_slope"] == -np.inf


def test_neither_vanishes_in_a_plain_net_at_the_start():
    torch.manual_seed(0)
    net = Classifier(resnet.plain20(), 10).eval()
    found = Signals().look([subjects.of(net, [batch(16, side=32)])])
    assert len(found.arrays["gradient"]) == 19
    assert found.arrays["variance"] == pytest.approx(1, rel=1e-2)  # BatchNorm's, as it starts
    assert found.figures["gradient_slope"] > -0.1


def test_variances_above_and_gradients_below():
    found = Signals().look([subjects.of(Net().eval(), [batch(4)])])
    above, below = Signals().draw(found, "net").axes
    assert above.lines[0].get_ydata().tolist() == found.arrays["variance"].tolist()
    assert below.lines[0].get_ydata().tolist() == found.arrays["gradient"].tolist()
    assert (above.get_ylim()[0], above.get_yscale(), below.get_yscale()) == (0, "linear", "log")


def test_what_it_cannot_look_at_is_told():
    with pytest.raises(InputError, match=r"^analysis.images is 1; statistics of a batch need at least 2$"):
        Signals(images=1)
    point = nn.Sequential(nn.Conv2d(3, 2, 1))
    point.forward = lambda images, sizes: images.float().mean((2, 3))
    with pytest.raises(InputError, match=r"^analysis Signals looks at 3x3 convolutions, and Sequential has none$"):
        Signals().look([subjects.of(point, [batch(2)])])
