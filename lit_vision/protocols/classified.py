"""A localiser's boxes with the scores of classifiers (ResNet paper, 1512.03385, Tables 13 and 14)."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from lit_vision.errors import InputError
from lit_vision.models import localiser
from lit_vision.models.classifier import Classifier
from lit_vision.models.detector import Detector
from lit_vision.models.weights import files
from lit_vision.ops import probability
from lit_vision.protocols.base import BoxProtocol, ClassProtocol
from lit_vision.protocols.plain import Plain
from lit_vision.types import Detections


class Classified(BoxProtocol):
    """Says what an image shows by some networks, and where by another: each box gets its class's probability.

    "RPN dense, ResNet-101" of Table 13 is a `Localiser` looked at in this way. All networks see the image as the
    pipeline hands it over.

    Args:
        classifiers: Networks of the same classes in the same order; the probabilities of several are averaged.
        weights: Of each, the checkpoint of its training, or a file of its tensors by our names. Without them the
            protocol can be shown, and finds nothing.
        of: How the boxes are found; plainly if None.
        by: How each classifier looks; plainly if None, which averages over the whole image.
        guesses: Most probable classes of an image, which alone a localiser looks for.

    Raises:
        InputError: There is no classifier, the weights are of another number, cannot be read or do not fit, or
            `guesses` is not positive.
    """

    def __init__(
        self,
        classifiers: Sequence[Classifier],
        weights: Sequence[str] | None = None,
        of: BoxProtocol | None = None,
        by: ClassProtocol | None = None,
        guesses: int = 5,
    ) -> None:
        if not classifiers or (weights is not None and len(classifiers) != len(weights)):
            raise InputError(
                f"protocol Classified has {len(classifiers)} classifier(s) and {len(weights or ())} file(s) of "
                "weights; name one file for each by protocol.weights"
            )
        if guesses < 1:
            raise InputError(f"protocol Classified: guesses is {guesses}; look for at least one class")
        self.filled = weights is not None
        self.classifiers = [_filled(*each) for each in zip(classifiers, weights or (), strict=self.filled)]
        self.of = of or Plain()
        self.by = by or Plain()
        self.guesses = guesses
        self.members = self.of.members

    def check(self, network: nn.Module) -> None:
        """As `of` does."""
        self.of.check(network)

    @torch.no_grad()
    def detect(
        self, network: Detector, images: Tensor, sizes: Tensor, proposals: Sequence[Tensor] | None = None
    ) -> list[Detections]:
        """The boxes that are found, the most probable class first.

        Raises:
            InputError: There are no weights, or the networks have different numbers of classes.
        """
        self._refuse_unfit(network)
        looks = [self.by.score(each.to(images.device), images, sizes) for each in self.classifiers]
        probabilities = probability.mean(looks).softmax(1)
        networks = [network] if self.members is None else self.members.beside(network, images.device)
        found = []
        for index, of_image in enumerate(probabilities):
            with localiser.only(of_image.topk(min(self.guesses, len(of_image))).indices, networks):
                given = None if proposals is None else proposals[index : index + 1]
                alone = images[index : index + 1], sizes[index : index + 1]
                found += self.of.detect(network, *alone, given)
        return [_scored(*each) for each in zip(found, probabilities, strict=True)]

    def _refuse_unfit(self, network: Detector) -> None:
        if not self.filled:
            raise InputError(
                "protocol Classified has classifiers without weights; name their files by protocol.weights"
            )
        for classifier in self.classifiers:
            if classifier.num_classes != network.num_classes:
                raise InputError(
                    f"protocol Classified: a classifier has {classifier.num_classes} classes, "
                    f"{type(network).__name__} has {network.num_classes}"
                )


def _filled(classifier: Classifier, weights: str) -> Classifier:
    """The classifier with the weights of a file, in evaluation mode."""
    content = files.read(Path(weights))
    state = files.tensors(content, weights)
    own = {name.removeprefix("network."): value for name, value in state.items() if name.startswith("network.")}
    files.check(classifier, own or state, weights)
    classifier.load_state_dict(own or state, strict=False)
    return classifier.eval()


def _scored(found: Detections, probabilities: Tensor) -> Detections:
    """The boxes in the order of their classes' probabilities, [K]; those of one class keep theirs."""
    scores = probabilities[found.labels]
    order = scores.argsort(descending=True, stable=True)
    return Detections(found.boxes[order], scores[order], found.labels[order])
