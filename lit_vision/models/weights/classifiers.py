"""Weights from elsewhere: the `weights:` option of backbones and of the classifier.

One option takes either a path or the name of a torchvision release. The public layouts are those that the backbone
declares; our own is recognised too, of a whole classifier or of a backbone alone.
"""

import warnings

from torch import nn

from lit_vision.models.backbones.base import Backbone
from lit_vision.models.weights import files, sources
from lit_vision.models.weights.files import State
from lit_vision.models.weights.preprocessing import Preprocessing
from lit_vision.models.weights.sources import Source

_FIRST = "IMAGENET1K_V1"


def load(name: str, backbone: Backbone, fc: nn.Linear | None = None) -> Preprocessing | None:
    """Fill a backbone, and a classifier's last layer if given, from a file or a torchvision release.

    Args:
        name: A path, or a torchvision weight name.
        backbone: Filled completely, or not at all.
        fc: Filled too, unless the file has another number of classes: then it stays as it is, with a warning.

    Returns:
        What the weights were trained with; None where the file does not say.

    Raises:
        InputError: Nothing found, not readable, names and shapes that do not match, or weights that were certainly
            made with another option.
    """
    source = sources.find(name, backbone.public, backbone.public.fitting, _FIRST)
    state = _to_our_names(source)
    parts: dict[str, nn.Module] = {"backbone": backbone}
    if fc is not None and not _has_other_classes(state, fc, name):
        parts["fc"] = fc
    wanted = {key: value for key, value in state.items() if key.partition(".")[0] in parts}
    files.check(nn.ModuleDict(parts), wanted, name)
    nn.ModuleDict(parts).load_state_dict(wanted, strict=False)
    return source.preprocessing()


def _to_our_names(source: Source) -> State:
    """Bring any layout to the names of a `Classifier`."""
    state = source.layout.rename(source.state) if source.layout else source.state
    if any(key.startswith("backbone.") for key in state):
        return state
    return {key if key.startswith("fc.") else f"backbone.{key}": value for key, value in state.items()}


def _has_other_classes(state: State, fc: nn.Linear, source: str) -> bool:
    weight = state.get("fc.weight")
    if weight is None or weight.shape[0] == fc.out_features:
        return False
    warnings.warn(
        f"{source} knows {weight.shape[0]} classes, the data {fc.out_features}: the last layer starts afresh",
        stacklevel=4,
    )
    return True
