"""Fully convolutional testing: a network at every position of whole images, at several scales."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torchvision.transforms.v2 import functional as transforms

from lit_vision.errors import InputError
from lit_vision.models.classifier import Classifier
from lit_vision.ops import probability
from lit_vision.protocols.base import ClassProtocol


class Dense(ClassProtocol):
    """Averages what the network says of every window of an image, at several scales, mirrored too.

    The head is applied to every window of the last map that is as large as those it was trained on: of 7x7 cells in the
    ResNet paper (1512.03385, Table 4), of 14x14 cells through the SPP in the rectifiers paper (1502.01852, Section 4:
    multi-view testing on feature maps; Tables 4, 6 and 7). The papers average scores and do not say whether before or
    after the softmax: here it is the softmax, as in the authors' 10-crop test. Windows of one view are averaged first,
    so that each scale weighs the same.

    The pipeline hands over whole images (`data.pipeline.whole`). Each is resized to the short side as the pipeline
    resizes: bilinear with antialiasing, rounded to whole values; the long side is rounded down.

    Args:
        scales: Short sides, in pixels.
        flip: Whether the mirror image is looked at, too.

    Raises:
        InputError: There is no scale, or one below a pixel.
    """

    def __init__(self, scales: Sequence[int], flip: bool = True) -> None:
        if not scales or min(scales) < 1:
            raise InputError(f"protocol.scales is {list(scales)}; give at least one short side in pixels")
        self.scales = tuple(scales)
        self.flip = flip

    def score(self, network: nn.Module, images: Tensor, sizes: Tensor) -> Tensor:
        """The mean of the views' softmax, as its logarithm. Images that are padded are looked at one by one.

        Raises:
            InputError: The network is no `Classifier`, or a scale is too small for its head.
        """
        if not isinstance(network, Classifier):
            raise InputError(f"protocol: Dense looks by Classifier.dense, which {type(network).__name__} does not have")
        shape = list(images.shape[-2:])
        if all(size == shape for size in sizes.tolist()):
            return self._score(network, images)
        alone = zip(torch.split(images, 1), sizes.tolist(), strict=True)
        return torch.cat([self._score(network, image[:, :, :height, :width]) for image, (height, width) in alone])

    def views(self, images: Tensor) -> Iterator[Tensor]:
        """Each scale, then its mirror image: uint8 [B, 3, h, w].

        Args:
            images: uint8 [B, 3, H, W], without padding.
        """
        for scale in self.scales:
            view = transforms.resize(images, [scale], antialias=True)
            yield view
            if self.flip:
                yield view.flip(3)

    def _score(self, network: Classifier, images: Tensor) -> Tensor:
        """Scores of unpadded images of one size, [B, K]."""
        each = [probability.mean_of_windows(network.dense(view).float()) for view in self.views(images)]
        return probability.mean(each)
