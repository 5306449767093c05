"""Several trained networks as one."""

from collections.abc import Sequence

from torch import Tensor, nn

from lit_vision.errors import InputError
from lit_vision.ops import probability
from lit_vision.protocols.base import ClassProtocol, TrainingImages
from lit_vision.protocols.plain import Plain


class Mean(ClassProtocol):
    """Averages the softmax of several networks (ResNet paper, Table 5), which may differ in architecture.

    The networks are those of the row's `members:`; the session hands them over by `join`, the first one is the task's.
    What normalises the input is in each network, so members may have been trained with different statistics.

    Args:
        of: How each member looks at an image; plainly if None.
    """

    def __init__(self, of: ClassProtocol | None = None) -> None:
        self.of = of or Plain()
        self.others: Sequence[nn.Module] | None = None

    def join(self, others: Sequence[nn.Module]) -> None:
        """Takes the members beside the task's own network; each is put on the images' device when it is asked."""
        self.others = [network.eval() for network in others]

    @property
    def alters(self) -> str:  # type: ignore[override]
        """What differs in each member from what was trained."""
        return self.of.alters

    def begin(self, network: nn.Module, training: TrainingImages) -> None:
        """Prepares how each member looks."""
        device = next(network.parameters()).device
        for member in (network, *(other.to(device) for other in self.others or ())):
            self.of.begin(member, training)

    def score(self, network: nn.Module, images: Tensor, sizes: Tensor) -> Tensor:
        """The mean of the members' softmax, as its logarithm.

        Raises:
            InputError: Nobody has handed the members over.
        """
        if self.others is None:
            raise InputError(
                "protocol Mean averages the members of a row, and there are none: give the row `members:`, and test it"
            )
        members = (network, *(other.to(images.device) for other in self.others))
        return probability.mean([self.of.score(member, images, sizes) for member in members])
