"""What a protocol is: how `validate`, `test` and `predict` look at an image, and what they make of several views.

A protocol is the section `protocol:` of a recipe. It owns the views (scales, crops, mirror images) and merges what the
network says of them; whoever counts images, metrics and result files included, never meets a view. Training does not
ask it.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor, nn

from lit_vision.models.detector import Detector
from lit_vision.ops import probability
from lit_vision.ops.selection import Selection
from lit_vision.protocols.members import Members
from lit_vision.types import Candidates, Detections

TrainingImages = Callable[[nn.Module, int, int], Iterable[Tensor]]
"""Gives this process's share of a fixed choice of training images for a network: so many, in batches of so many."""


class Protocol:
    """What `protocol:` may name; a kind of its own for each task.

    Attributes:
        alters: What the network that is looked by differs in from the trained one; empty where it is the trained one.
            Every result says it.
        members: What takes the networks of a row with `members:`; None where one network is looked by.
    """

    alters: str = ""
    members: Members | None = None

    def check(self, network: nn.Module) -> None:
        """Called before anything is trained or tested, of each network that will be looked by.

        Raises:
            InputError: The protocol is not for such a network.
        """

    def begin(self, network: nn.Module, training: TrainingImages) -> None:
        """Called before each pass over a split, by all processes; most protocols need nothing.

        Args:
            network: What will be looked by.
            training: Training images, for a protocol that measures on them.
        """


class ClassProtocol(Protocol, ABC):
    """How a classifier looks at images."""

    @abstractmethod
    def score(self, network: nn.Module, images: Tensor, sizes: Tensor) -> Tensor:
        """Scores of whole images, whatever was looked at.

        Args:
            network: A classifier: images and sizes in, logits [B, K] out.
            images: uint8 [B, 3, H, W], as the pipeline hands them over.
            sizes: int64 [B, 2], heights and widths without padding.

        Returns:
            [B, K], whose softmax are the probabilities: logits, or logarithms of averaged probabilities.
        """


class BoxProtocol(Protocol, ABC):
    """How a detector looks at images."""

    @abstractmethod
    def detect(
        self, network: Detector, images: Tensor, sizes: Tensor, proposals: Sequence[Tensor] | None = None
    ) -> list[Detections]:
        """Objects of whole images, whatever was looked at.

        Args:
            network: The detector.
            images: See `Detector.detect`.
            sizes: See `Detector.detect`.
            proposals: Regions that come with the data, [R, 4] of each image, for a detector that takes them.
        """


class CandidateProtocol(BoxProtocol):
    """How a detector looks at images where one selection has the last word: others may take part in it."""

    @abstractmethod
    def candidates(
        self, network: Detector, images: Tensor, sizes: Tensor, proposals: Sequence[Tensor] | None = None
    ) -> list[Candidates]:
        """Scored boxes of each image, from which `limits` choose; arguments as of `detect`."""

    def limits(self, network: Detector) -> Selection:
        """What is kept of them; the network's own limits."""
        return network.limits

    @torch.no_grad()
    def detect(
        self, network: Detector, images: Tensor, sizes: Tensor, proposals: Sequence[Tensor] | None = None
    ) -> list[Detections]:
        """The best candidates."""
        return network.select(self.candidates(network, images, sizes, proposals), self.limits(network))


class Views(ClassProtocol):
    """Several views of each image. A subclass cuts them; the probabilities of all are averaged.

    A batch of views of one kind is as large as the batch of images, so no view needs more memory than the image.
    """

    @abstractmethod
    def views(self, images: Tensor) -> list[Tensor]:
        """The views of a batch, each uint8 [B, 3, h, w].

        Args:
            images: uint8 [B, 3, H, W].
        """

    def score(self, network: nn.Module, images: Tensor, sizes: Tensor) -> Tensor:
        """The mean of the views' softmax, as its logarithm; the logits themselves where there is one view only."""
        logits = [network(view).float() for view in self.views(images)]
        return logits[0] if len(logits) == 1 else probability.mean(logits)
