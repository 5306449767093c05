import dataclasses

import numpy as np
import pytest
import torch
from torch import nn

from lit_vision.analyses.responses import Recorder, Responses
from lit_vision.errors import InputError
from lit_vision.models.backbones import resnet
from lit_vision.models.classifier import Classifier
from lit_vision.types import Batch
from tests.analyses import subjects
from tests.analyses.subjects import batch


class Net(nn.Module):
    """A 1x1 layer, a 3x3 layer with a norm, and one without before an in-place nonlinearity."""

    def __init__(self):
        super().__init__()
        self.point, self.first = nn.Conv2d(3, 3, 1), nn.Conv2d(3, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.second = nn.Conv2d(4, 2, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, images, sizes=None):
        return self.relu(self.second(self.relu(self.norm(self.first(self.point(images.float() / 255))))))


def test_by_hand_over_several_batches():
    torch.manual_seed(0)
    net = Net().eval()
    nn.init.uniform_(net.norm.weight, 1, 3)
    batches = [batch(3), batch(2)]
    findings = Responses(images=100).look([subjects.of(net, batches)])
    with torch.no_grad():
        images = torch.cat([each.images for each in batches]).float() / 255
        first = net.norm(net.first(net.point(images)))
        second = net.second(first.relu())
    expected = [first.double().std(correction=0).item(), second.double().std(correction=0).item()]
    assert findings.arrays["layers"].tolist() == ["first", "second"]
    assert findings.arrays["std"] == pytest.approx(expected, rel=1e-5)
    assert findings.arrays["sorted"] == pytest.approx(sorted(expected, reverse=True), rel=1e-5)
    assert findings.figures == {
        **{"median_std": pytest.approx(np.mean(expected)), "mean_std": pytest.approx(np.mean(expected))},
        **{"largest_std": pytest.approx(max(expected)), "layers": 2},
    }


def test_so_many_images_and_no_more():
    net, read = Net().eval(), []

    def batches():
        for count in (3, 4, 5):
            read.append(count)
            yield batch(count)

    asked = dataclasses.replace(subjects.of(net), batches=batches)
    few = Responses(images=5).look([asked])
    assert read == [3, 4]
    second = batch(4)
    cut = Batch(second.images[:2], second.sizes[:2], second.targets[:2])
    assert few.figures == Responses().look([subjects.of(net, [batch(3), cut])]).figures


def test_no_hook_stays_behind():
    net = Net().eval()
    with Recorder(net):
        net(batch(1).images)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in net.modules())


@pytest.mark.parametrize(("build", "layers"), [(resnet.plain20, 19), (resnet.resnet20, 19), (resnet.resnet50, 16)])
def test_every_3x3_layer_of_the_paper_s_networks_is_seen(build, layers):
    net = Classifier(build(), 10).eval()
    findings = Responses(images=1).look([subjects.of(net, [batch(1, side=32)])])
    assert findings.figures["layers"] == layers
    assert (findings.arrays["std"] > 0).all()


def test_the_plot_has_both_orders():
    findings = Responses().look([subjects.of(Net().eval(), [batch(2)])])
    above, below = Responses().draw(findings, "net").axes
    assert above.lines[0].get_ydata().tolist() == findings.arrays["std"].tolist()
    assert below.lines[0].get_ydata().tolist() == findings.arrays["sorted"].tolist()


def scaled(gain):
    """The net with the responses of its second layer multiplied."""
    torch.manual_seed(0)
    net = Net().eval()
    with torch.no_grad():
        net.second.weight *= gain
        net.second.bias *= gain
    return net


class Deeper(Net):
    """With one layer more."""

    def __init__(self):
        super().__init__()
        self.third = nn.Conv2d(2, 2, 3, padding=1)

    def forward(self, images, sizes=None):
        return self.third(super().forward(images))


def test_several_networks_are_drawn_together_and_compared_with_the_first_of_their_depth():
    nets = {"plain": scaled(1), "weaker": scaled(0.5), "deeper": Deeper().eval()}
    found = Responses().look([subjects.of(net, [batch(3)], name=name) for name, net in nets.items()])
    alone = Responses().look([subjects.of(scaled(0.5), [batch(3)])])
    assert found.figures["median_std/weaker"] == alone.figures["median_std"]
    assert {name: value for name, value in found.figures.items() if "weaker/" in name} == {"weaker/weaker": 50.0}
    assert {row: len(values) for row, values in found.series("std").items()} == {"plain": 2, "weaker": 2, "deeper": 3}
    above, _ = Responses().draw(found, "three").axes
    assert [line.get_label() for line in above.lines] == list(nets)
    assert [text.get_text() for text in above.get_legend().get_texts()] == list(nets)


def test_what_it_cannot_look_at_is_told():
    with pytest.raises(InputError, match=r"^analysis.images is 0; it must be at least 1$"):
        Responses(images=0)
    with pytest.raises(InputError, match=r"^analysis Responses looks at 3x3 convolutions, and Conv2d has none$"):
        Responses().look([subjects.of(nn.Conv2d(3, 3, 1))])
