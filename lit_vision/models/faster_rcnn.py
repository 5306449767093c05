"""Faster R-CNN (1506.01497) over one level or a pyramid (1612.03144, Section 4): proposals, and Fast R-CNN on them."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lit_vision.errors import InputError
from lit_vision.models.backbones import resnet
from lit_vision.models.backbones.base import Backbone
from lit_vision.models.detector import ClassLayer, Pool, RegionDetector, full_precision, width
from lit_vision.models.heads.box import BoxHead, RegionHead
from lit_vision.models.normalise import Normalise
from lit_vision.models.pyramid import Pyramid
from lit_vision.models.rpn import ProposalNetwork
from lit_vision.models.weights import detectors as detector_weights
from lit_vision.models.weights import torchvision_faster_rcnn
from lit_vision.models.weights.class_rows import Pair
from lit_vision.ops import box, losses, matching
from lit_vision.ops.matching import Matcher
from lit_vision.ops.roi import Pooler
from lit_vision.ops.sampling import Sampler
from lit_vision.ops.selection import Selection
from lit_vision.types import Batch, Candidates, Features, Scores, Target

# Fast R-CNN, Section 2.3, with background from [0, 0.5) as on COCO (Faster R-CNN, Section 4.2).
MATCHER = Matcher(low=0.5, high=0.5)
# FPN, Section 5.2; a quarter of them objects (Fast R-CNN, Section 2.3).
SAMPLER = Sampler(size=512, fraction=0.25)
# The threshold and the 0.5 are the authors' code's; 100 detections are those that COCO evaluates. The shortest side
# is torchvision's.
SELECTION = Selection(score=0.05, per_level=1000, nms=0.5, limit=100, smallest=1e-2)
POOLER = Pooler()


class RegionClassifier(nn.Module):
    """Fast R-CNN on given feature maps and regions: the second stage.

    Args:
        channels: Of every level.
        num_classes: K.
        head: Makes the head from channels, cells per side and K.
        pooler: Makes features of one size from regions.
        matcher: Overlaps that make a region background or an object's.
        sampler: Regions of an image that are trained.
        selection: What is kept in detection; `per_level` has no effect.
        box_beta: Where smooth L1 turns linear (1 in Fast R-CNN, Eq. 3); 0 for L1. It is the inverse square of the sigma
            of Caffe's layer.
        box_weights: Factors of the offsets, for targets of about unit variance (Fast R-CNN, Section 2.3).
    """

    def __init__(
        self,
        channels: int,
        num_classes: int,
        head: Callable[[int, int, int], RegionHead] = BoxHead,
        pooler: Pooler = POOLER,
        matcher: Matcher = MATCHER,
        sampler: Sampler = SAMPLER,
        selection: Selection = SELECTION,
        box_beta: float = 1.0,
        box_weights: box.Weights = (10.0, 10.0, 5.0, 5.0),
    ) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.head = head(channels, pooler.size, num_classes)
        self.pooler = pooler
        self.matcher = matcher
        self.sampler = sampler
        self.selection = selection
        self.box_beta = box_beta
        self.box_weights = box_weights

    def loss(
        self,
        features: Features,
        regions: Sequence[Tensor],
        boxes: Sequence[Tensor],
        labels: Sequence[Tensor],
        sizes: Tensor,
    ) -> dict[str, Tensor]:
        """Log loss of sampled regions and box loss of those on objects, both divided by the number of regions.

        Args:
            features: {level: [B, C, H_l, W_l]}.
            regions: [R, 4] of each image; the objects themselves are added.
            boxes: [G, 4] of each image's objects.
            labels: [G] of each image's objects.
            sizes: int64 [B, 2], heights and widths without padding.

        Returns:
            `cls` and `box`.
        """
        regions, matched = self._sample(regions, boxes)
        logits, deltas = self._answers(partial(self.pooler, features), regions, sizes)
        with full_precision(logits):
            wanted = matching.labels_of(matched, torch.cat(list(labels)))
            wanted = wanted.where(wanted != matching.NEGATIVE, self.num_classes)
            on = (matched >= 0).nonzero()[:, 0]
            targets = box.encode(torch.cat(list(boxes))[matched[on]], torch.cat(regions)[on], self.box_weights)
            count = max(1, len(wanted))
            return {
                "cls": F.cross_entropy(logits.float(), wanted, reduction="sum") / count,
                "box": losses.smooth_l1(deltas[on, wanted[on]].float(), targets, self.box_beta).sum() / count,
            }

    def score(self, pool: Pool, regions: Sequence[Tensor], sizes: Tensor) -> list[Scores]:
        """Classify and refine regions; arguments as of `RegionDetector.score_pooled`."""
        logits, deltas = self._answers(pool, regions, sizes)
        with full_precision(logits):
            found = box.decode(deltas.float(), torch.cat(list(regions))[:, None], self.box_weights)
            counts = [len(each) for each in regions]
            # Without background, the last class
            scores = torch.split(logits.float().softmax(1)[:, :-1], counts)
            boxes = torch.split(found[:, :-1], counts)
            return [Scores(*image) for image in zip(scores, boxes, strict=True)]

    def candidates(self, scores: Scores, size: Tensor) -> Candidates:
        """Pairs of region and class above the threshold; size int64 [2] is the image's without padding."""
        region, label = (scores.scores > self.selection.score).nonzero(as_tuple=True)
        boxes = box.clip(scores.boxes[region, label], size)
        return Candidates(boxes, scores.scores[region, label], label, label)

    def _answers(self, pool: Pool, regions: Sequence[Tensor], sizes: Tensor) -> tuple[Tensor, Tensor]:
        """Logits and offsets of the regions; a head with context sees each whole image as one more."""
        if not self.head.context:
            return self.head(pool(regions))  # type: ignore[no-any-return]
        seen = [torch.cat(both) for both in zip(regions, box.whole(sizes)[:, None], strict=True)]
        return self.head(pool(seen), [len(each) for each in seen])  # type: ignore[no-any-return]

    def _sample(self, regions: Sequence[Tensor], boxes: Sequence[Tensor]) -> tuple[list[Tensor], Tensor]:
        """Regions to train of each image, and the objects that they match, counted over the batch."""
        candidates = [torch.cat(both) for both in zip(regions, boxes, strict=True)]
        matched = matching.assign(self.matcher, boxes, candidates)
        chosen = [self.sampler(each >= 0, each == matching.NEGATIVE) for each in matched]
        kept = [each[of] for each, of in zip(candidates, chosen, strict=True)]
        return kept, torch.cat([each[of] for each, of in zip(matched, chosen, strict=True)])


class OnRegions(RegionDetector):
    """What Fast and Faster R-CNN have in common: the second stage, `regions`, scores the boxes that it is given."""

    background = True
    regions: RegionClassifier

    def build_regions(self, make: Callable[[int, int], RegionClassifier], channels: int) -> None:
        """Makes the second stage.

        Args:
            make: From channels and K.
            channels: Of every level.

        Raises:
            InputError: There is no level to pool from.
        """
        self.regions = make(channels, self.num_classes)
        wanted, there = self.regions.pooler.levels, self.pyramid.channels
        if not set(wanted) & set(there):
            raise InputError(
                f"regions are pooled from levels {list(wanted)}, "
                f"but there are maps of levels {sorted(there)} only; set regions.pooler.levels"
            )

    def pool(self, features: Features, boxes: Sequence[Tensor]) -> Tensor:
        """By the second stage's pooler."""
        return self.regions.pooler(features, boxes)

    def score_pooled(self, pool: Pool, regions: Sequence[Tensor], sizes: Tensor) -> list[Scores]:
        """What Fast R-CNN says about regions."""
        return self.regions.score(pool, regions, sizes)

    def candidates_of(self, scores: Iterable[Scores], sizes: Tensor) -> list[Candidates]:
        """Pairs of region and class above the threshold."""
        return [self.regions.candidates(*image) for image in zip(scores, sizes, strict=True)]

    @property
    def limits(self) -> Selection:
        """The best boxes, after suppression within each class."""
        return self.regions.selection

    def class_layers(self) -> list[ClassLayer]:
        """Scores and offsets of the second stage."""
        return [ClassLayer("regions.head.cls", 1, 1), ClassLayer("regions.head.box", 1, 4)]


class FasterRCNN(OnRegions):
    """Two-stage detector, trained jointly: proposals are fixed inputs of the second stage (Section 3.2, ii).

    Args:
        pyramid: Levels 2 to 6 with pooling at the top in FPN; `OneLevel`, level 4, in Faster R-CNN.
        num_classes: K; linked from the data in a recipe.
        proposals: Makes the region proposal network behind the feature maps from their channels.
        regions: Makes the second stage from the channels and K.
        normalise: See `Detector`.
        weights: File or torchvision name, see `models/weights/detectors.py`.
        weights_rows: `coco_to_voc` takes the rows of VOC's classes from the weights of a COCO detector.

    Raises:
        InputError: The pyramid's levels differ in width, there is none to pool from, or the weights cannot be found,
            read or matched.
    """

    public = torchvision_faster_rcnn.PUBLIC

    def __init__(
        self,
        pyramid: Pyramid | Backbone,
        num_classes: int,
        proposals: Callable[[int], ProposalNetwork] = ProposalNetwork,
        regions: Callable[[int, int], RegionClassifier] = RegionClassifier,
        normalise: Normalise | None = None,
        weights: str | None = None,
        weights_rows: Pair | None = None,
    ) -> None:
        super().__init__(pyramid, num_classes, normalise)
        self.proposals = proposals(width(pyramid))
        self.build_regions(regions, width(pyramid))
        if weights is not None:
            self.expects = detector_weights.load(weights, self, weights_rows)

    def loss(self, batch: Batch[list[Target]]) -> dict[str, Tensor]:
        """Losses `rpn_cls` and `rpn_box` of the proposals, `cls` and `box` of the regions."""
        features = self.extract(batch.images, batch.sizes)
        predictions = self.proposals.predict(features, batch.images.shape[-2:])
        boxes, labels = zip(*map(matching.trainable, batch.targets), strict=True)
        with full_precision(batch.images):
            first = self.proposals.loss(predictions, boxes, batch.sizes)
            proposed = self.proposals.propose(predictions, batch.sizes, self.proposals.train_selection)
        return first | self.regions.loss(features, [each.boxes for each in proposed], boxes, labels, batch.sizes)

    def propose(self, features: Features, image_size: Sequence[int], sizes: Tensor) -> list[Tensor]:
        """The best regions of each image, as `proposals.test_selection` says."""
        predictions = self.proposals.predict(features, image_size)
        with full_precision(predictions.logits):
            proposed = self.proposals.propose(predictions, sizes, self.proposals.test_selection)
        return [each.boxes for each in proposed]

    def static(self) -> Iterable[nn.Module]:
        """Pyramid and proposal head: how many regions there are depends on the images' content."""
        return self.pyramid, self.proposals.head

    @classmethod
    def example(cls) -> "FasterRCNN":
        """On a ResNet-18 with a narrow pyramid."""
        return cls(Pyramid(resnet.resnet18(), levels=range(2, 7), channels=32), num_classes=3)
