"""A localiser's boxes with the scores of a classifier (ResNet paper, 1512.03385, Table 13)."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from lit_vision.errors import InputError
from lit_vision.models.classifier import Classifier
from lit_vision.models.detector import Detector
from lit_vision.models.weights import files
from lit_vision.protocols.base import BoxProtocol
from lit_vision.protocols.plain import Plain
from lit_vision.types import Detections


class Classified(BoxProtocol):
    """Says what an image shows by one network, and where by another: each box gets its class's probability.

    "RPN dense, ResNet-101" of Table 13 is a `Localiser` looked at in this way. Both networks see the image as the
    pipeline hands it over; the classifier averages over all of it.

    Args:
        classifier: A network of the same classes in the same order.
        weights: Checkpoint of its training, or a file of its tensors by our names.
        of: How the boxes are found; plainly if None.

    Raises:
        InputError: There are no weights, or they cannot be read or do not fit.
    """

    def __init__(self, classifier: Classifier, weights: str | None = None, of: BoxProtocol | None = None) -> None:
        if weights is None:
            raise InputError("protocol Classified has a classifier without weights; name its file by protocol.weights")
        content = files.read(Path(weights))
        state = files.tensors(content, weights)
        own = {name.removeprefix("network."): value for name, value in state.items() if name.startswith("network.")}
        files.check(classifier, own or state, weights)
        classifier.load_state_dict(own or state, strict=False)
        self.classifier = classifier.eval()
        self.of = of or Plain()

    @torch.no_grad()
    def detect(
        self, network: Detector, images: Tensor, sizes: Tensor, proposals: Sequence[Tensor] | None = None
    ) -> list[Detections]:
        """The boxes that are found, the most probable class first.

        Raises:
            InputError: The two networks have different numbers of classes.
        """
        if self.classifier.num_classes != network.num_classes:
            raise InputError(
                f"protocol Classified: the classifier has {self.classifier.num_classes} classes, "
                f"{type(network).__name__} has {network.num_classes}"
            )
        found = self.of.detect(network, images, sizes, proposals)
        probabilities = self.classifier.to(images.device)(images, sizes).float().softmax(1)
        return [_scored(one, of_image) for one, of_image in zip(found, probabilities, strict=True)]


def _scored(found: Detections, probabilities: Tensor) -> Detections:
    """The boxes in the order of their classes' probabilities, [K]; those of one class keep theirs."""
    scores = probabilities[found.labels]
    order = scores.argsort(descending=True, stable=True)
    return Detections(found.boxes[order], scores[order], found.labels[order])
