"""A public layout: how one implementation names its tensors, and how its weights were made. One file per layout."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from torch import nn

from lit_vision.errors import InputError
from lit_vision.models.weights.files import State
from lit_vision.models.weights.preprocessing import Preprocessing


@dataclass(frozen=True)
class Layout:
    """What is known of files of one public implementation.

    Attributes:
        name: For messages.
        knows: Whether a state dict has its names.
        rename: Brings its names to ours.
        preprocessing: What its weights were trained with, unless a release says otherwise.
        options: Options of the network, by name, that neither names nor shapes reveal.
        certain: Whether all public files of this layout were made with those options.
    """

    name: str
    knows: Callable[[State], bool]
    rename: Callable[[State], State]
    preprocessing: Preprocessing
    options: Mapping[str, str] = field(default_factory=dict)
    certain: bool = False


@dataclass(frozen=True)
class DetectorLayout(Layout):
    """A layout with class layers, whose outputs are in an order of their own.

    Attributes:
        rows: Which of the file's outputs are ours, in our order, from the file's number of outputs, our classes and
            whether we have a background; None if they are those of other classes.
        exact: Changes tensors by our names so that the network computes what a release was trained with.
    """

    rows: Callable[[int, int, bool], list[int] | None] = field(kw_only=True)
    exact: Callable[[State, nn.Module], None] = field(kw_only=True)


@dataclass(frozen=True)
class Public:
    """What public weights fit a network; each network says so beside itself.

    Attributes:
        layouts: Of files that it understands.
        release: torchvision's weight enumeration for this architecture; empty if there is none.
        unfit: Why no release fits, options considered; empty if one does.
        options: The network's own options that a layout may differ in.
    """

    layouts: tuple[Layout, ...] = ()
    release: str = ""
    unfit: str = ""
    options: Mapping[str, str] = field(default_factory=dict)

    def layout_of(self, state: State) -> Layout | None:
        """The layout that a state dict has; None for our own."""
        return next((layout for layout in self.layouts if layout.knows(state)), None)

    def fitting(self) -> str:
        """The release that fits.

        Raises:
            InputError: There is none.
        """
        if self.unfit:
            raise InputError(f"weights: no torchvision release fits this network: {self.unfit}")
        return self.release

    def differing(self, layout: Layout) -> dict[str, tuple[str, str]]:
        """Options that differ: {name: (the layout's, ours)}."""
        return {
            name: (theirs, self.options[name])
            for name, theirs in layout.options.items()
            if self.options.get(name, theirs) != theirs
        }
