"""The networks of a row with `members:`, within the protocol that joins them."""

from collections.abc import Sequence

import torch
from torch import nn

from lit_vision.errors import InputError


class Members:
    """Networks that a protocol asks together; the session hands them over, and the first one is the task's.

    Args:
        owner: The protocol's name, for messages.
    """

    def __init__(self, owner: str) -> None:
        self.owner = owner
        self.others: Sequence[nn.Module] | None = None

    def join(self, others: Sequence[nn.Module]) -> None:
        """Takes the members beside the task's own network, in evaluation mode."""
        self.others = [network.eval() for network in others]

    def beside(self, network: nn.Module, device: torch.device) -> list[nn.Module]:
        """All members, `network` first; the others are put on the device.

        Raises:
            InputError: Nobody has handed the members over.
        """
        if self.others is None:
            raise InputError(
                f"protocol {self.owner} joins the members of a row, and there are none: give the row `members:`, "
                "and test it"
            )
        return [network, *(other.to(device) for other in self.others)]
