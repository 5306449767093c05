"""The public CIFAR layout: `conv1, bn1, layer{1,2,3}.N.conv{1,2}/bn{1,2}, linear`.

The files known under it (akamaster/pytorch_resnet_cifar10) were trained with option A padding both sides and with
ImageNet's channel statistics.
"""

from lit_vision.models.weights import torchvision_resnet
from lit_vision.models.weights.files import State
from lit_vision.models.weights.layout import Layout
from lit_vision.models.weights.preprocessing import Preprocessing


def knows(state: State) -> bool:
    """Whether there are three stages by public names."""
    return "conv1.weight" in state and not any(key.startswith("layer4.") for key in state)


def rename(state: State) -> State:
    """To our names; the first stage is at level 0, full resolution."""
    return {torchvision_resnet.our_name(key, offset=-1): value for key, value in state.items()}


LAYOUT = Layout(
    name="the public CIFAR layout",
    knows=knows,
    rename=rename,
    preprocessing=Preprocessing("the public CIFAR ResNets", crop=32),
    options={"pad": "both"},
    certain=True,
)
