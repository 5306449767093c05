"""Weights from elsewhere: the `weights:` option of backbones and of the classifier.

One option takes either a path or the name of a torchvision release. The public layouts are those that the backbone
declares; our own is recognised too, of a whole classifier or of a backbone alone.
"""

import warnings

from torch import nn

from lit_vision.models.backbones.base import Backbone
from lit_vision.models.heads.classes import ClassHead
from lit_vision.models.weights import files, sources
from lit_vision.models.weights.files import State
from lit_vision.models.weights.preprocessing import Preprocessing
from lit_vision.models.weights.sources import Source

_FIRST = "IMAGENET1K_V1"


def load(name: str, backbone: Backbone, head: ClassHead | None = None) -> Preprocessing | None:
    """Fill a backbone, and a classifier's head if given, from a file or a torchvision release.

    Args:
        name: A path, or a torchvision weight name.
        backbone: Filled completely, or not at all.
        head: Filled too, but for its last layer where the file has another number of classes: that one stays as it is,
            with a warning.

    Returns:
        What the weights were trained with; None where the file does not say.

    Raises:
        InputError: Nothing found, not readable, names and shapes that do not match, or weights that were certainly
            made with another option.
    """
    source = sources.find(name, backbone.public, backbone.public.fitting, _FIRST)
    state = _to_our_names(source)
    parts = nn.ModuleDict({"backbone": backbone} if head is None else {"backbone": backbone, "fc": head})
    wanted = {key: value for key, value in state.items() if key.partition(".")[0] in parts}
    if head is not None:
        wanted |= _last_layer(wanted, head, name)
    files.check(parts, wanted, name)
    parts.load_state_dict(wanted, strict=False)
    return source.preprocessing()


def _to_our_names(source: Source) -> State:
    """Bring any layout to the names of a `Classifier`."""
    state = source.layout.rename(source.state) if source.layout else source.state
    if any(key.startswith("backbone.") for key in state):
        return state
    return {key if key.startswith("fc.") else f"backbone.{key}": value for key, value in state.items()}


def _last_layer(state: State, head: ClassHead, source: str) -> State:
    """The head's own last layer, where the file's is one of other classes; else nothing."""
    prefix = "fc." + f"{head.scores}." * bool(head.scores)
    own = {f"{prefix}{name}": value for name, value in head.get_submodule(head.scores).state_dict().items()}
    there, here = state.get(f"{prefix}weight"), own[f"{prefix}weight"]
    if there is None or len(there) == len(here):
        return {}
    warnings.warn(
        f"{source} knows {len(there)} classes, the data {len(here)}: the last layer starts afresh", stacklevel=4
    )
    return own
