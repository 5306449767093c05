"""Rectifiers by name, and the layers that carry one (Delving Deep into Rectifiers, 1502.01852, Section 2.1)."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Literal, get_args

from torch import nn

from lit_vision.errors import InputError

Activation = Literal["relu", "leaky", "prelu", "prelu_shared"]
MakeActivation = Callable[[int], nn.Module]

LEAK = 0.01  # of Maas et al., as Section 2.1 relays it
START = 0.25  # of every learned slope (Section 2.1, Optimization)


def make(kind: Activation) -> MakeActivation:
    """Factory that builds the named rectifier from a number of channels.

    Args:
        kind: `relu`; `leaky` with a fixed slope of 0.01; `prelu` learns a slope for each channel, of a fully connected
            layer for each unit; `prelu_shared` learns one for the layer.

    Raises:
        InputError: `kind` is none of these.
    """
    factories: dict[str, MakeActivation] = {
        "relu": lambda _: nn.ReLU(inplace=True),
        "leaky": lambda _: nn.LeakyReLU(LEAK, inplace=True),
        "prelu": lambda channels: nn.PReLU(channels, init=START),
        "prelu_shared": lambda _: nn.PReLU(1, init=START),
    }
    if kind not in factories:
        raise InputError(f"activation: {kind!r} is unknown; choose one of {', '.join(get_args(Activation))}")
    return factories[kind]


class Rectified(nn.Sequential):
    """A convolution or a fully connected layer, and its rectifier.

    Args:
        layer: Its number of outputs is that of the channels.
        kind: See `make`.
    """

    layer: nn.Conv2d | nn.Linear
    act: nn.Module

    def __init__(self, layer: nn.Conv2d | nn.Linear, kind: Activation = "relu") -> None:
        super().__init__(OrderedDict([("layer", layer), ("act", make(kind)(outputs(layer)))]))


def outputs(layer: nn.Conv2d | nn.Linear) -> int:
    """Channels of a convolution, units of a fully connected layer."""
    return layer.out_channels if isinstance(layer, nn.Conv2d) else layer.out_features


def replace(network: nn.Module, kind: Activation) -> None:
    """Gives every rectified layer of a network another rectifier, in place.

    Raises:
        InputError: `kind` is unknown, or the network has no such layers: ResNets share rectifiers between layers.
    """
    factory = make(kind)
    layers = [module for module in network.modules() if isinstance(module, Rectified)]
    if not layers:
        raise InputError(
            f"activation: {kind} reaches the layers of the rectifier and VGG networks, and this network has none;\n"
            "leave activation out, or choose a backbone of lit_vision.models.backbones.rectifier or vgg"
        )
    for module in layers:
        module.act = factory(outputs(module.layer))
