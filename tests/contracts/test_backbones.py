"""What every backbone promises; a new file in `lit_vision/models/backbones` is tested without an edit here."""

import importlib
import inspect
import pkgutil

import pytest
import torch

from lit_vision.errors import InputError
from lit_vision.models import backbones
from lit_vision.models.backbones.base import Backbone


def subclasses(cls):
    for module in pkgutil.walk_packages(backbones.__path__, backbones.__name__ + "."):
        importlib.import_module(module.name)
    found = [*cls.__subclasses__()]
    for subclass in found:  # grows while it is walked
        found += subclass.__subclasses__()
    # Stand-ins of other tests, which the same process may have imported, promise nothing.
    ours = [each for each in dict.fromkeys(found) if each.__module__.startswith(f"{backbones.__name__}.")]
    return [each for each in ours if not inspect.isabstract(each)]


BACKBONES = pytest.mark.parametrize("backbone", subclasses(Backbone), ids=lambda cls: cls.__name__)


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def test_there_are_backbones():
    assert "ResNet" in [cls.__name__ for cls in subclasses(Backbone)]


@BACKBONES
def test_the_example_is_of_its_class(backbone):
    assert isinstance(backbone.example(), backbone)


@BACKBONES
@pytest.mark.parametrize("size", [(64, 64), (65, 63), (33, 50)])
def test_levels_channels_and_strides(backbone, size):
    net = backbone.example().eval()
    features = net(torch.randn(2, 3, *size))
    assert list(features) == sorted(net.channels)
    for level, channels in net.channels.items():
        height, width = (-(-pixels // 2**level) for pixels in size)  # ceiling
        assert features[level].shape == (2, channels, height, width)
        assert features[level].is_floating_point()


@BACKBONES
def test_gradients_reach_every_trainable_parameter(backbone):
    net = backbone.example().train()
    sum(feature.square().sum() for feature in net(torch.randn(2, 3, 64, 64)).values()).backward()
    assert [name for name, p in net.named_parameters() if p.requires_grad and p.grad is None] == []
    assert [name for name, p in net.named_parameters() if p.requires_grad and not p.grad.any()] == []


@BACKBONES
def test_an_images_features_do_not_depend_on_its_neighbours_in_evaluation(backbone):
    net = backbone.example().eval()
    images = torch.randn(3, 3, 64, 64)
    with torch.no_grad():
        together, alone = net(images), net(images[1:2])
    for level in net.channels:
        torch.testing.assert_close(together[level][1:2], alone[level], rtol=1e-4, atol=1e-4)


@BACKBONES
def test_state_round_trip(backbone):
    source, target = backbone.example().eval(), backbone.example().eval()
    target.load_state_dict(source.state_dict())
    images = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        for level, feature in source(images).items():
            assert torch.equal(target(images)[level], feature)


@BACKBONES
def test_freezing_all_levels_leaves_nothing_to_train(backbone):
    net = backbone.example()
    assert set(net.channels) <= set(net.parts())
    net.freeze(list(net.parts()))
    before = {name: buffer.clone() for name, buffer in net.named_buffers()}
    features = net.train()(torch.randn(2, 3, 64, 64))
    assert not any(feature.requires_grad for feature in features.values())
    assert [name for name, p in net.named_parameters() if p.requires_grad] == []
    assert all(torch.equal(buffer, before[name]) for name, buffer in net.named_buffers())


@BACKBONES
def test_freezing_up_to_a_level_stops_there(backbone):
    # Frozen levels are lowest first: their maps need no gradient, and all maps above still do.
    lowest, *others = sorted(backbone.example().channels)
    net = backbone.example()
    net.freeze([lowest])
    features = net.train()(torch.randn(2, 3, 64, 64))
    assert not features[lowest].requires_grad
    assert all(features[level].requires_grad for level in others)


@BACKBONES
def test_an_unknown_level_is_told(backbone):
    net = backbone.example()
    with pytest.raises(InputError, match=rf"^cannot freeze level 99: {backbone.__name__} has levels \["):
        net.freeze([99])


@BACKBONES
def test_cutting_leaves_the_levels_below_as_they_are(backbone):
    whole, cut = backbone.example().eval(), backbone.example().eval()
    cut.load_state_dict(whole.state_dict())
    lowest = min(cut.channels)
    cut.cut(lowest)
    image = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        assert list(cut.channels) == list(cut(image)) == [lowest]
        assert torch.equal(cut(image)[lowest], whole(image)[lowest])
    assert [level for level in cut.parts() if level > lowest] == []
    cut.train()(image)[lowest].square().sum().backward()
    assert [name for name, p in cut.named_parameters() if p.grad is None] == []
