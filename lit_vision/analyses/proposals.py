"""The part of a detector that proposes, for analyses that look at its proposals."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

from lit_vision.analyses.base import Analysis
from lit_vision.errors import InputError
from lit_vision.models.rpn import ProposalNetwork


def part_of(network: nn.Module, analysis: Analysis, hint: str = "") -> ProposalNetwork:
    """The region proposal network of a detector.

    Args:
        network: The detector.
        analysis: What looks at it, for the message.
        hint: What to do where it has none.

    Raises:
        InputError: It has none.
    """
    part = getattr(network, "proposals", None)
    if not isinstance(part, ProposalNetwork):
        raise InputError(
            f"analysis {type(analysis).__name__} looks at proposals, and {type(network).__name__} makes none{hint}"
        )
    return part


@contextmanager
def keeping(part: ProposalNetwork, limit: int) -> Iterator[None]:
    """Has a network keep so many proposals; a context, which leaves its limits as they were."""
    before = part.test_selection
    part.test_selection = before.keeping(limit)
    try:
        yield
    finally:
        part.test_selection = before
