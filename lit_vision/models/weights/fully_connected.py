"""Weights from elsewhere for the two hidden layers of a region head: a classifier's fc6 and fc7."""

from torch import nn

from lit_vision.models.weights import files, sources, torchvision_vgg
from lit_vision.models.weights.files import State
from lit_vision.models.weights.layout import Public

PUBLIC = Public((torchvision_vgg.LAYOUT,), "VGG16_Weights")
_FIRST = "IMAGENET1K_V1"


def load(name: str, fc1: nn.Linear, fc2: nn.Linear) -> None:
    """Fill both layers, or neither.

    Args:
        name: A path, or the name of a torchvision release of VGG-16.
        fc1: Reads pooled cells of as many channels and cells as the classifier's.
        fc2: Follows it.

    Raises:
        InputError: Nothing found, not readable, or layers that the file does not have in these shapes.
    """
    source = sources.find(name, PUBLIC, PUBLIC.fitting, _FIRST)
    state = source.layout.rename(source.state) if source.layout else source.state
    layers = nn.ModuleDict({"fc1": fc1, "fc2": fc2})
    found: State = {
        key: state[f"fc.{layer}.layer.{kind}"]
        for key, layer, kind in ((key, *key.split(".")) for key in layers.state_dict())
        if f"fc.{layer}.layer.{kind}" in state
    }
    files.check(layers, found, name)
    layers.load_state_dict(found)
