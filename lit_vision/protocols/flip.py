"""An image and its mirror image, looked at by a detector."""

from collections.abc import Iterable, Sequence
from typing import Literal

from torch import Tensor, nn

from lit_vision.errors import InputError
from lit_vision.models.detector import Detector, RegionDetector
from lit_vision.ops import box, selection
from lit_vision.protocols.base import CandidateProtocol
from lit_vision.types import Candidates, Scores


class Flip(CandidateProtocol):
    """Detects in each image and in its mirror image; one suppression chooses from what both made candidates.

    Args:
        merge: `union` puts the candidates of both looks together. `mean` scores the image's own proposals in both looks
            and averages probabilities and boxes; it needs a detector with a second stage.
    """

    def __init__(self, merge: Literal["union", "mean"] = "union") -> None:
        self.merge = merge

    def check(self, network: nn.Module) -> None:
        """Refuses `mean` to a detector without a second stage."""
        if self.merge == "mean" and not isinstance(network, RegionDetector):
            raise InputError(
                f"protocol.merge is mean, but {type(network).__name__} has no second stage that scores boxes; use union"
            )

    def candidates(
        self, network: Detector, images: Tensor, sizes: Tensor, proposals: Sequence[Tensor] | None = None
    ) -> list[Candidates]:
        """Those of both looks, in the pixels of the batch.

        Raises:
            InputError: `mean` is asked of a detector without a second stage, or the regions come with the data.
        """
        if proposals is not None:
            raise InputError(
                f"protocol: Flip looks for regions itself, but those of {type(network).__name__} are given"
            )
        if self.merge == "union":
            return _union(network, images, sizes)
        self.check(network)
        assert isinstance(network, RegionDetector)
        return network.candidates_of(_mean(network, images, sizes), sizes)


def _union(network: Detector, images: Tensor, sizes: Tensor) -> list[Candidates]:
    shape = images.shape[-2:]
    straight = network.candidates(network.extract(images, sizes), shape, sizes)
    turned = network.candidates(network.extract(mirror(images, sizes), sizes), shape, sizes)
    back = [each._replace(boxes=box.mirror(each.boxes, width)) for each, width in zip(turned, sizes[:, 1], strict=True)]
    return selection.union((straight, back))


def _mean(network: RegionDetector, images: Tensor, sizes: Tensor) -> Iterable[Scores]:
    features = network.extract(images, sizes)
    regions = network.propose(features, images.shape[-2:], sizes)
    widths = sizes[:, 1]
    there = [box.mirror(each, width) for each, width in zip(regions, widths, strict=True)]
    straight = network.score(features, regions, sizes)
    turned = network.score(network.extract(mirror(images, sizes), sizes), there, sizes)
    for one, other, width in zip(straight, turned, widths, strict=True):
        yield Scores((one.scores + other.scores) / 2, (one.boxes + box.mirror(other.boxes, width)) / 2)


def mirror(images: Tensor, sizes: Tensor) -> Tensor:
    """Mirrors each image of a batch within its own width: the padding stays on the right.

    Args:
        images: uint8 [B, 3, H, W].
        sizes: int64 [B, 2], heights and widths without padding.
    """
    mirrored = images.clone()
    for index, width in enumerate(sizes[:, 1].tolist()):
        mirrored[index, :, :, :width] = images[index, :, :, :width].flip(2)
    return mirrored
