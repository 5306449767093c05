"""RetinaNet: Focal Loss for Dense Object Detection (1708.02002)."""

from collections.abc import Callable, Iterable, Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from lit_vision.models.backbones import resnet
from lit_vision.models.backbones.base import Backbone
from lit_vision.models.detector import ClassLayer, Detector, full_precision, width
from lit_vision.models.heads.dense import DenseHead
from lit_vision.models.losses import DenseLoss, FocalLoss
from lit_vision.models.normalise import Normalise
from lit_vision.models.pyramid import Pyramid
from lit_vision.models.weights import detectors as detector_weights
from lit_vision.ops import box, losses, matching, selection
from lit_vision.ops.anchor import Anchors
from lit_vision.ops.matching import Matcher
from lit_vision.ops.selection import Selection
from lit_vision.types import Batch, Candidates, Features, Predictions, Target

Normaliser = Literal["image", "batch"]

# Section 4, Anchors; the paper does not say what happens to an object that no anchor overlaps by half. The authors'
# code and all others give it its best anchors.
MATCHER = Matcher(low=0.4, high=0.5, force=True)
# Section 4.1, Inference; 100 detections are those that COCO evaluates.
SELECTION = Selection(score=0.05, per_level=1000, nms=0.5, limit=100)


class RetinaNet(Detector):
    """One-stage detector: every anchor of every level is classified and regressed (Figure 3).

    Args:
        pyramid: Levels 3 to 7 by convolutions on C5 in the paper.
        num_classes: K; linked from the data in a recipe.
        head: Makes the head from channels, anchors per location and K.
        anchors: Default: nine a location, 32 to 813 pixels on levels 3 to 7.
        loss: Classification loss; default: focal loss with gamma 2 and alpha 0.25.
        box_beta: Where smooth L1 turns linear; 0 for L1. Not in the paper; 0.11 is from the authors' code.
        normaliser: Both losses are divided by the number of anchors assigned to objects (Section 4.1): of each
            `image`, and averaged over images, or of the whole `batch`.
        matcher: Overlaps that make an anchor background or an object's.
        selection: What is kept in detection.
        normalise: See `Detector`.
        weights: File or torchvision name, see `models/weights/detectors.py`.

    Raises:
        InputError: The pyramid's levels differ in width, or the weights cannot be found, read or matched.
    """

    published = "RetinaNet_ResNet50_FPN_Weights"

    def __init__(
        self,
        pyramid: Pyramid | Backbone,
        num_classes: int,
        head: Callable[[int, int, int], DenseHead] = DenseHead,
        anchors: Anchors | None = None,
        loss: DenseLoss | None = None,
        box_beta: float = 0.11,
        normaliser: Normaliser = "image",
        matcher: Matcher = MATCHER,
        selection: Selection = SELECTION,
        normalise: Normalise | None = None,
        weights: str | None = None,
    ) -> None:
        super().__init__(pyramid, num_classes, normalise)
        self.anchors = anchors or Anchors()
        self.head = head(width(pyramid), self.anchors.per_location, num_classes)
        self.class_loss = loss or FocalLoss()
        self.box_beta = box_beta
        self.normaliser = normaliser
        self.matcher = matcher
        self.selection = selection
        if weights is not None:
            detector_weights.load(weights, self)

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
            return self._loss(predictions, batch.targets)

    def _loss(self, predictions: Predictions, targets: list[Target]) -> dict[str, Tensor]:
        boxes, labels = zip(*map(matching.trainable, targets), strict=True)
        anchors = predictions.anchors
        matched = torch.stack(matching.assign(self.matcher, boxes, [anchors] * len(boxes)))
        image, anchor = (matched >= 0).nonzero(as_tuple=True)
        weights = self._weights(matched)

        cls = self.class_loss(predictions.logits, matching.labels_of(matched, torch.cat(labels)))
        cls = cls.masked_fill(matched == matching.IGNORED, 0).sum(1)
        wanted = box.encode(torch.cat(boxes)[matched[image, anchor]], anchors[anchor])
        off = losses.smooth_l1(predictions.deltas[image, anchor].float(), wanted, self.box_beta)
        return {"cls": (cls * weights).sum(), "box": (off * weights[image]).sum()}

    def _weights(self, matched: Tensor) -> Tensor:
        """Factor of each image's summed losses, [B]."""
        objects = (matched >= 0).sum(1)
        if self.normaliser == "batch":
            return 1 / objects.sum().clamp(min=1).float().expand(len(matched))
        return 1 / (objects.clamp(min=1).float() * len(matched))

    def candidates(self, features: Features, image_size: Sequence[int], sizes: Tensor) -> list[Candidates]:
        """The 1000 best pairs of anchor and class of each level, decoded (Section 4.1, Inference)."""
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
