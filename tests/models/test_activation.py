"""Rectifiers by name: values by hand, slopes where the paper has them, and none of them decayed."""

import pytest
import torch
from torch import nn

from lit_vision.errors import InputError
from lit_vision.models import activation, counts
from lit_vision.models.backbones import rectifier, resnet, vgg
from lit_vision.models.classifier import Classifier
from lit_vision.models.heads.spp import SPP, Flat
from lit_vision.tasks import optim


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("relu", [0, 0, 3]), ("leaky", [-0.02, 0, 3]), ("prelu", [-0.5, 0, 3]), ("prelu_shared", [-0.5, 0, 3])],
)
def test_values_by_hand(kind, expected):
    found = activation.make(kind)(3)(torch.tensor([[-2.0, 0.0, 3.0]]))
    assert found[0].tolist() == pytest.approx(expected)


def test_prelu_has_the_paper_s_gradients():
    """Equations 2 and 3: the sum of E' times y where y is not positive; shared, over all channels too."""
    y = torch.tensor([[[-1.0, 2.0]], [[-3.0, -4.0]]]).permute(1, 0, 2)  # two channels, two positions
    above = torch.tensor([[[1.0, 10.0]], [[100.0, 1000.0]]]).permute(1, 0, 2)
    for kind, expected in (("prelu", [-1.0, -4300.0]), ("prelu_shared", [-4301.0])):
        layer = activation.make(kind)(2)
        layer(y).backward(above)
        assert layer.weight.grad.tolist() == pytest.approx(expected)


# Section 1.3 of the sheet: one slope per channel and, of fc1 and fc2, per unit; shared, 13 layers of the small net.
SLOPES = {
    "net14": ("prelu", 10_304),
    "model_a": ("prelu", 14_688),
    "model_b": ("prelu", 15_968),
    "model_c": ("prelu", 20_576),
}
SMALL = {"bins": (6, 3, 2, 1), "window": 18}


def classifier(name, kind=None, **options):
    """A network of the rectifiers paper on the meta device."""
    small = SMALL if name in ("net14", "net30") else {}
    with torch.device("meta"):
        head = lambda channels, classes: SPP(channels, classes, **small)  # noqa: E731
        return Classifier(getattr(rectifier, name)(), 1000, head=head, activation=kind, **options)


@pytest.mark.parametrize(
    ("name", "kind", "extra"), [*((n, *s) for n, s in SLOPES.items()), ("net14", "prelu_shared", 13)]
)
def test_it_reaches_every_layer_but_the_last(name, kind, extra):
    plain, learned = classifier(name), classifier(name, kind)
    assert counts.parameters(learned) - counts.parameters(plain) == extra
    assert not any(isinstance(module, nn.ReLU) for module in learned.modules())


def test_slopes_start_at_a_quarter_and_are_not_decayed():
    net = Classifier(vgg.vgg16(), 5, head=lambda *sizes: Flat(*sizes, width=8), activation="prelu")
    slopes = [module.weight for module in net.modules() if isinstance(module, nn.PReLU)]
    assert len(slopes) == 15
    assert all((slope == 0.25).all() for slope in slopes)
    decayed, exempt = optim.parameter_groups(net, no_decay=["slope"])
    assert exempt["weight_decay"] == 0
    assert {id(parameter) for parameter in exempt["params"]} == {id(slope) for slope in slopes}
    assert len(decayed["params"]) == 2 * 16


def test_networks_that_take_none_are_told():
    with pytest.raises(InputError, match=r"^activation: prelu reaches the layers of the rectifier and VGG networks"):
        Classifier(resnet.resnet20(), 10, activation="prelu")
    with pytest.raises(InputError, match=r"^activation: 'elu' is unknown; choose one of relu, leaky, prelu, prelu_sha"):
        Classifier(vgg.vgg16(), 10, head=lambda *sizes: Flat(*sizes, width=8), activation="elu")
