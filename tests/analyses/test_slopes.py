"""Learned slopes by the paper's names, with numbers set by hand."""

import pytest
import torch

from lit_vision.analyses.base import Subject
from lit_vision.analyses.slopes import Slopes, layers
from lit_vision.errors import InputError
from lit_vision.models.backbones import rectifier, resnet
from lit_vision.models.backbones.chain import Chain, conv, pool, row
from lit_vision.models.classifier import Classifier
from lit_vision.models.heads.spp import SPP

LAYERS = ("conv1", "conv2_1", "conv2_2", "fc1", "fc2")


def subject(activation):
    """A chain of two stages whose slopes are 0.1, 0.2, … from layer to layer; of channels, around these."""
    backbone = Chain({0: [conv(3, 4, 3)], 1: [pool(), *row(4, 4, 2)]})
    head = lambda channels, classes: SPP(channels, classes, (1,), 1, 4)  # noqa: E731
    net = Classifier(backbone, 3, head=head, activation=activation)
    for number, layer in enumerate(layers(net).values(), 1):
        if activation != "relu":
            slopes = layer.act.weight
            slopes.data = 0.1 * number + torch.linspace(-0.05, 0.05, 4)[: len(slopes)] * (len(slopes) > 1)
    return Subject("row", network=lambda: net, skeleton=None, batches=None)


@pytest.mark.parametrize("activation", ["prelu", "prelu_shared"])
def test_means_by_layer_and_by_stage(activation):
    found = Slopes().look([subject(activation)])
    expected = dict(zip(LAYERS, (0.1, 0.2, 0.3, 0.4, 0.5), strict=True)) | {"conv2": 0.25, "fc": 0.45}
    assert found.figures == pytest.approx({f"slope/{name}": value for name, value in expected.items()})
    assert found.arrays["layers"].tolist() == list(LAYERS)
    reach = 0.05 if activation == "prelu" else 0
    assert found.arrays["lowest"].tolist() == pytest.approx([value - reach for value in found.arrays["slope"]])
    assert found.arrays["highest"].tolist() == pytest.approx([value + reach for value in found.arrays["slope"]])


def test_the_plot_names_the_layers():
    analysis = Slopes()
    (axes,) = analysis.draw(analysis.look([subject("prelu")]), "title").axes
    assert [label.get_text() for label in axes.get_xticklabels()] == list(LAYERS)


def test_layers_of_the_small_net_are_table_1_s():
    head = lambda channels, classes: SPP(channels, classes, (6, 3, 2, 1), 18)  # noqa: E731
    with torch.device("meta"):
        net = Classifier(rectifier.net14(), 1000, head=head)
    stages = [f"conv2_{n}" for n in range(1, 5)] + [f"conv3_{n}" for n in range(1, 7)]
    assert list(layers(net)) == ["conv1", *stages, "fc1", "fc2"]


def test_networks_without_such_slopes_are_told():
    with pytest.raises(InputError, match=r"^analysis Slopes looks at PReLU, and this network has none"):
        Slopes().look([subject("relu")])
    other = Classifier(resnet.resnet20(), 10)
    with pytest.raises(InputError, match=r"^analysis Slopes names the layers of the rectifier and VGG networks"):
        Slopes().look([Subject("row", network=lambda: other, skeleton=None, batches=None)])
