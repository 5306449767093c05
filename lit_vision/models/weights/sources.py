"""Where weights come from, whatever they are for: a file, a copy of a release, or a release by name."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from torchvision.models import WeightsEnum

from lit_vision import files as plain_files
from lit_vision.errors import InputError
from lit_vision.models.weights import files, releases
from lit_vision.models.weights.files import State
from lit_vision.models.weights.layout import Layout, Public
from lit_vision.models.weights.preprocessing import Preprocessing


class Source(NamedTuple):
    """Tensors and their origin.

    Attributes:
        name: As the user gave it.
        state: Tensors by their names in the file, without common prefixes.
        layout: The public layout; None for our own.
        release: The torchvision release that they are; None for other files.
    """

    name: str
    state: State
    layout: Layout | None
    release: WeightsEnum | None

    def preprocessing(self) -> Preprocessing | None:
        """What the weights were trained with, where that is known."""
        if self.layout is None:
            return None
        if self.release is not None:
            return releases.preprocessing(self.release, self.layout.preprocessing)
        return self.layout.preprocessing.of(f"{self.name} ({self.layout.name})")


def find(name: str, public: Public, fitting: Callable[[], str], first: str) -> Source:
    """Reads a file or a release.

    Args:
        name: A path, or a torchvision weight name.
        public: What the network understands.
        fitting: Gives torchvision's enumeration that fits the network, or refuses.
        first: A version of that enumeration.

    Raises:
        InputError: Nothing found, not readable, or made for another option of the network.
    """
    path = Path(name).expanduser()
    release: WeightsEnum | None
    if plain_files.is_there(path):
        content, release = files.read(path), releases.copied(path, public.release, first)
    else:
        release = releases.find(name, fitting, first)
        content = releases.read(release)
    state = files.tensors(content, name)
    source = Source(name, state, public.layout_of(state), release)
    _tell_options(source, public)
    return source


def _tell_options(source: Source, public: Public) -> None:
    """Refuse options that the weights were certainly not made with, warn where only the usual files were not."""
    if source.layout is None:
        return
    for name, (theirs, ours) in public.differing(source.layout).items():
        told = f"weights: {source.name} ({source.layout.name}) needs {name}: {theirs}, but the network has {ours}"
        if source.layout.certain or source.release is not None:
            raise InputError(f"{told}\nset {name} of the backbone to {theirs}; see docs/public-weights.md")
        warnings.warn(f"{told}; unless this file was made with {ours}, its figures will be wrong", stacklevel=6)
