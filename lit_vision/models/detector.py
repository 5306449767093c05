"""What every detector promises."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from lit_vision.errors import InputError
from lit_vision.models.backbones.base import Backbone
from lit_vision.models.normalise import Normalise
from lit_vision.models.pyramid import Pyramid
from lit_vision.models.weights.layout import Public
from lit_vision.models.weights.preprocessing import Preprocessing
from lit_vision.ops import selection
from lit_vision.ops.selection import Selection
from lit_vision.types import Batch, Candidates, Detections, Features, Scores, Target

Pool = Callable[[Sequence[Tensor]], Tensor]
"""Makes features of one size, [R, C, size, size], of the boxes [R, 4] of each image of a batch."""


class ClassLayer(NamedTuple):
    """A layer whose outputs belong to classes, laid out as [before, classes, after].

    Attributes:
        name: Path of the layer in the detector.
        before: Anchors per location, or 1.
        after: Values of a class: 1 score, or 4 offsets.
    """

    name: str
    before: int
    after: int


class Detector(nn.Module, ABC):
    """A network that finds objects. Contract tests find every subclass through `example`.

    `detect` is `extract`, `candidates` and `select` in a row: a protocol that looks twice joins what several looks made
    candidates, and selects once.

    Losses, decoding and non-maximum suppression run in float32, also under autocast.

    Args:
        pyramid: Where the feature maps come from: a pyramid, or a backbone whose levels are used as they are.
        num_classes: K.
        normalise: None starts with ImageNet's mean and standard deviation and takes the data's when a run starts.

    Attributes:
        public: What public weights fit; its release is one on ResNet-50 with a pyramid.
        expects: What the weights that it was filled from were trained with; None where nothing is known.
        follows_data: Whether `normalise` takes the data's statistics when a run starts.
        background: Whether class layers have one output more than there are classes, the last.
        agnostic: Whether what is found has no class, only the label 0.
        takes_proposals: Whether `detect` needs the data's regions as a third argument, and `loss` those of the targets.
    """

    public: ClassVar[Public] = Public()
    expects: Preprocessing | None = None
    background: ClassVar[bool] = False
    agnostic: ClassVar[bool] = False
    takes_proposals: ClassVar[bool] = False

    def __init__(self, pyramid: Pyramid | Backbone, num_classes: int, normalise: Normalise | None = None) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.follows_data = normalise is None
        self.normalise = normalise or Normalise()
        self.pyramid = pyramid

    @abstractmethod
    def loss(self, batch: Batch[list[Target]]) -> dict[str, Tensor]:
        """Named scalar losses of a batch, to be summed; every trainable parameter has a part in them."""

    @torch.no_grad()
    def detect(self, images: Tensor, sizes: Tensor) -> list[Detections]:
        """Find objects.

        Args:
            images: uint8 [B, 3, H, W].
            sizes: int64 [B, 2], height and width of each image without padding.

        Returns:
            Of each image, in the pixels of the batch; boxes end at the image's borders.
        """
        return self.select(self.candidates(self.extract(images, sizes), images.shape[-2:], sizes))

    @abstractmethod
    def candidates(self, features: Features, image_size: Sequence[int], sizes: Tensor) -> list[Candidates]:
        """Scored boxes of each image, from which `select` chooses.

        Args:
            features: Of the batch, from `extract`.
            image_size: Height and width of the padded batch.
            sizes: int64 [B, 2], height and width of each image without padding.
        """

    @property
    @abstractmethod
    def limits(self) -> Selection:
        """What is kept in the end."""

    def select(self, candidates: Iterable[Candidates], limits: Selection | None = None) -> list[Detections]:
        """The best candidates of each image, after suppression within each group.

        Args:
            candidates: Of each image.
            limits: What is kept; `self.limits` if None.
        """
        limits = limits or self.limits
        return [selection.suppress(*image, selection=limits) for image in candidates]

    @abstractmethod
    def static(self) -> Iterable[nn.Module]:
        """The parts whose shapes depend on the images' size alone: backbone, pyramid, dense heads."""

    def class_layers(self) -> list[ClassLayer]:
        """The layers that depend on the number of classes: what a file of another number cannot fill."""
        return []

    @classmethod
    @abstractmethod
    def example(cls) -> "Detector":
        """Build a small instance for the contract tests."""

    def compile_static(self, **options: Any) -> None:
        """Compile the static parts with `torch.compile`, in place: names in checkpoints stay as they are."""
        for part in self.static():
            part.compile(**options)

    def extract(self, images: Tensor, sizes: Tensor) -> Features:
        """Feature maps of a batch."""
        features: Features = self.pyramid(self.normalise(images, sizes))
        return features


class RegionDetector(Detector):
    """A detector whose second stage scores any boxes that it is given: proposals, or boxes of another look."""

    @abstractmethod
    def propose(self, features: Features, image_size: Sequence[int], sizes: Tensor) -> list[Tensor]:
        """Boxes [R, 4] of each image that are worth scoring; arguments as of `candidates`."""

    @abstractmethod
    def pool(self, features: Features, boxes: Sequence[Tensor]) -> Tensor:
        """What the second stage sees of boxes [R, 4] of each image: [R, C, size, size]."""

    @abstractmethod
    def score_pooled(self, pool: Pool, regions: Sequence[Tensor], sizes: Tensor) -> list[Scores]:
        """What the second stage says about given boxes, however they are pooled.

        Args:
            pool: Asked for the regions, and for whole images by a head with context.
            regions: [R, 4] of each image.
            sizes: int64 [B, 2], height and width of each image without padding.
        """

    def score(self, features: Features, regions: Sequence[Tensor], sizes: Tensor) -> list[Scores]:
        """What the second stage says about given boxes, [R, 4] of each image, on these features."""
        return self.score_pooled(partial(self.pool, features), regions, sizes)

    @abstractmethod
    def candidates_of(self, scores: Iterable[Scores], sizes: Tensor) -> list[Candidates]:
        """Pairs of box and class that score above the threshold, cut off at the images' borders."""

    def candidates(self, features: Features, image_size: Sequence[int], sizes: Tensor) -> list[Candidates]:
        """What the second stage makes of the detector's own proposals."""
        regions = self.propose(features, image_size, sizes)
        return self.candidates_of(self.score(features, regions, sizes), sizes)


def width(pyramid: Pyramid | Backbone) -> int:
    """The number of channels that all levels have.

    Raises:
        InputError: They differ, so that no head can serve them all.
    """
    widths = set(pyramid.channels.values())
    if len(widths) != 1:
        raise InputError(
            f"one head serves all levels, but those of {type(pyramid).__name__} have {pyramid.channels} channels; "
            "put models.pyramid.Pyramid on it, or choose one level by models.backbones.one_level.OneLevel"
        )
    return widths.pop()


def full_precision(images: Tensor) -> torch.autocast:
    """Context without autocast on the device of `images`."""
    return torch.autocast(images.device.type, enabled=False)
