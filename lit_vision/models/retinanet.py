"""RetinaNet: Focal Loss for Dense Object Detection (1708.02002)."""

from collections.abc import Callable, Iterable, Sequence

from torch import Tensor, nn

from lit_vision.models.backbones import resnet
from lit_vision.models.backbones.base import Backbone
from lit_vision.models.detector import ClassLayer, Detector, full_precision, width
from lit_vision.models.heads.dense import DenseHead
from lit_vision.models.normalise import Normalise
from lit_vision.models.objective import DenseObjective
from lit_vision.models.pyramid import Pyramid
from lit_vision.models.weights import detectors as detector_weights
from lit_vision.models.weights import torchvision_retinanet
from lit_vision.ops import box, selection
from lit_vision.ops.anchor import Anchors
from lit_vision.ops.selection import Selection
from lit_vision.types import Batch, Candidates, Features, Predictions, Target

# Section 4.1, Inference; 100 detections are those that COCO evaluates.
SELECTION = Selection(score=0.05, per_level=1000, nms=0.5, limit=100)


class RetinaNet(Detector):
    """One-stage detector: every anchor of every level is classified and regressed (Figure 3).

    Args:
        pyramid: Levels 3 to 7 by convolutions on C5 in the paper.
        num_classes: K; linked from the data in a recipe.
        head: Makes the head from channels, anchors per location and K.
        anchors: Default: nine a location, 32 to 813 pixels on levels 3 to 7.
        objective: What is learnt from, see `models/objective.py`.
        selection: What is kept in detection.
        normalise: See `Detector`.
        weights: File or torchvision name, see `models/weights/detectors.py`.

    Raises:
        InputError: The pyramid's levels differ in width, or the weights cannot be found, read or matched.
    """

    public = torchvision_retinanet.PUBLIC

    def __init__(
        self,
        pyramid: Pyramid | Backbone,
        num_classes: int,
        head: Callable[[int, int, int], DenseHead] = DenseHead,
        anchors: Anchors | None = None,
        objective: DenseObjective | None = None,
        selection: Selection = SELECTION,
        normalise: Normalise | None = None,
        weights: str | None = None,
    ) -> None:
        super().__init__(pyramid, num_classes, normalise)
        self.anchors = anchors or Anchors()
        self.head = head(width(pyramid), self.anchors.per_location, num_classes)
        self.objective = objective or DenseObjective()
        self.selection = selection
        if weights is not None:
            self.expects = detector_weights.load(weights, self)

    def predict(self, images: Tensor, sizes: Tensor) -> Predictions:
        """What the head says about every anchor; images uint8 [B, 3, H, W], sizes int64 [B, 2]."""
        return self._predict(self.extract(images, sizes), images.shape[-2:])

    def _predict(self, features: Features, image_size: Sequence[int]) -> Predictions:
        logits, deltas = self.head(features)
        return Predictions(logits, deltas, *self.anchors(features, image_size))

    def loss(self, batch: Batch[list[Target]]) -> dict[str, Tensor]:
        """Classification loss `cls` of all anchors but the ignored, box loss `box` of those assigned to objects."""
        predictions = self.predict(batch.images, batch.sizes)
        with full_precision(batch.images):
            return self.objective(predictions, batch.targets)

    def candidates(self, features: Features, image_size: Sequence[int], sizes: Tensor) -> list[Candidates]:
        """The best pairs of anchor and class of each level, decoded (Section 4.1, Inference)."""
        predictions = self._predict(features, image_size)
        with full_precision(predictions.logits):
            logits, classes = predictions.logits.float(), predictions.logits.shape[2]
            index, _ = selection.top(logits, predictions.counts, self.selection.per_level)
            scores, labels = logits.flatten(1).gather(1, index).sigmoid(), index % classes
            anchor = index // classes
            deltas = predictions.deltas.float().gather(1, anchor[..., None].expand(-1, -1, 4))
            boxes = box.clip(box.decode(deltas, predictions.anchors[anchor]), sizes)
            return [Candidates(*image) for image in zip(boxes, scores, labels, labels, strict=True)]

    @property
    def limits(self) -> Selection:
        """The best 100 boxes above 0.05."""
        return self.selection

    def static(self) -> Iterable[nn.Module]:
        """Pyramid and head."""
        return self.pyramid, self.head

    def class_layers(self) -> list[ClassLayer]:
        """The last convolution of the class subnet."""
        return [ClassLayer(f"head.cls.{len(self.head.cls) - 1}", self.anchors.per_location, 1)]

    @classmethod
    def example(cls) -> "RetinaNet":
        """On a ResNet-18 with a narrow pyramid."""
        return cls(Pyramid(resnet.resnet18(), levels=range(3, 8), channels=32, top="conv"), num_classes=3)
