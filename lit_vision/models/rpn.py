"""Region proposal network (1506.01497, Section 3.1), over one level or a pyramid (1612.03144, Section 4.1)."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lit_vision.errors import InputError
from lit_vision.models.backbones import resnet
from lit_vision.models.backbones.base import Backbone
from lit_vision.models.detector import Detector, full_precision, width
from lit_vision.models.heads.proposal import ProposalHead
from lit_vision.models.normalise import Normalise
from lit_vision.models.pyramid import Pyramid
from lit_vision.models.weights import detectors as detector_weights
from lit_vision.models.weights import torchvision_faster_rcnn
from lit_vision.ops import box, losses, matching, selection
from lit_vision.ops.anchor import Anchors
from lit_vision.ops.matching import Matcher
from lit_vision.ops.sampling import Sampler
from lit_vision.ops.selection import Selection
from lit_vision.types import Batch, Candidates, Detections, Features, Predictions, Target

# Faster R-CNN, Section 3.1.2 and 3.1.3.
MATCHER = Matcher(low=0.3, high=0.7, keep_best="always")
SAMPLER = Sampler(size=256, fraction=0.5)
# 0.7 is from Section 3.3; 2000 proposals in training and 1000 in testing from FPN, Section 5.2, where the limit before
# suppression is the authors' code's. Their 16 pixels for the shortest side would lose small objects on a pyramid; what
# is thinner than a thousandth holds nothing to pool.
TRAIN = Selection(score=0.0, per_level=2000, nms=0.7, limit=2000, smallest=1e-3)
TEST = Selection(score=0.0, per_level=1000, nms=0.7, limit=1000, smallest=1e-3)

Left = Literal["scores", "offsets"]


@dataclass(frozen=True)
class Balance:
    """What divides the two terms of Faster R-CNN's Eq. 1, and weighs them against each other.

    In the paper 10 / 2400, for about 2400 places of a 60 x 40 map, is nearly 1 / 256: its terms balance as they do in
    the released Python code, which divides both by the sampled anchors and weighs them alike.

    Attributes:
        weight: Lambda, the factor of the box loss; 10 in the paper, 1 in that code.
        cls: What divides the log loss, N_cls: `sampled` anchors, or the `size` of the sampler's mini-batch, 256.
        box: What divides the box loss, N_reg: `sampled` anchors, or `places`, the cells of the maps. Both are
            counted over the images of the batch.

    Raises:
        InputError: The weight is negative.
    """

    weight: float = 1.0
    cls: Literal["sampled", "size"] = "sampled"
    box: Literal["sampled", "places"] = "sampled"

    def __post_init__(self) -> None:
        if self.weight < 0:
            raise InputError(f"balance: the weight of the box loss is {self.weight}; it must be at least 0")

    def divide(self, cls: Tensor, box: Tensor, sampled: int, size: int, places: int) -> dict[str, Tensor]:
        """The two terms.

        Args:
            cls: Log loss, summed over the sampled anchors of the batch.
            box: Box loss, summed over the positive ones.
            sampled: How many were sampled.
            size: How many the sampler would draw of so many images.
            places: Cells of the batch's maps.

        Returns:
            `rpn_cls` and `rpn_box`.
        """
        by_cls = size if self.cls == "size" else max(1, sampled)
        by_box = places if self.box == "places" else max(1, sampled)
        return {"rpn_cls": cls / by_cls, "rpn_box": box / by_box * self.weight}


BALANCE = Balance()


class ProposalNetwork(nn.Module):
    """Proposes regions on given feature maps: the part that the RPN detector and Faster R-CNN have in common.

    Args:
        channels: Of every level.
        head: Makes the head from channels and anchors per location.
        anchors: Default: one scale a level, 32 pixels on P2 to 512 on P6, and three ratios (FPN, Section 4.1).
        matcher: Overlaps that make an anchor background or an object's.
        sampler: Anchors of an image that are trained.
        train: What is proposed to a second stage in training.
        test: What is proposed in detection.
        box_beta: Where smooth L1 turns linear; 0 for L1. 1 in Faster R-CNN's Eq. 1; 1/9, for a sigma of 3, is from the
            authors' code.
        border: Pixels by which an anchor may cross its image's border and still be trained: 0 in Faster R-CNN, where
            those beyond are no object's best either (Section 3.3); None for any number, as in FPN.
        balance: What divides the two losses, and weighs them.
        leave_out: What detection does without (Faster R-CNN, Section 4.1, Table 2): `scores`, so that anchors are drawn
            at random instead; or `offsets`, so that the anchors themselves are proposed. None for neither.

    Raises:
        InputError: `border` is negative, or there is nothing of the name to leave out.
    """

    def __init__(
        self,
        channels: int,
        head: Callable[[int, int], ProposalHead] = ProposalHead,
        anchors: Anchors | None = None,
        matcher: Matcher = MATCHER,
        sampler: Sampler = SAMPLER,
        train: Selection = TRAIN,
        test: Selection = TEST,
        box_beta: float = 1 / 9,
        border: float | None = None,
        balance: Balance = BALANCE,
        leave_out: Left | None = None,
    ) -> None:
        super().__init__()
        if leave_out not in (None, *get_args(Left)):
            raise InputError(f"leave_out: {leave_out!r} is unknown; choose one of {', '.join(get_args(Left))}, or null")
        if border is not None and border < 0:
            raise InputError(f"proposals: border is in pixels, from 0 on, or null for all anchors; got {border}")
        self.anchors = anchors or Anchors(base=8, scales=(1,))
        self.head = head(channels, self.anchors.per_location)
        self.matcher = matcher
        self.sampler = sampler
        self.train_selection = train
        self.test_selection = test
        self.box_beta = box_beta
        self.border = border
        self.balance = balance
        self.leave_out = leave_out

    def predict(self, features: Features, image_size: Sequence[int]) -> Predictions:
        """What the head says about every anchor of a padded batch of that height and width."""
        logits, deltas = self.head(features)
        return Predictions(logits, deltas, *self.anchors(features, image_size))

    def loss(self, predictions: Predictions, objects: Sequence[Tensor], sizes: Tensor) -> dict[str, Tensor]:
        """Log loss of sampled anchors and box loss of the positive ones (Eq. 1), divided as `balance` says.

        Args:
            predictions: Of the batch.
            objects: Boxes [G, 4] of each image.
            sizes: int64 [B, 2], heights and widths without padding.

        Returns:
            `rpn_cls` and `rpn_box`.
        """
        anchors = predictions.anchors
        matched = self._assign(objects, anchors, sizes)
        sampled = self.sampler(matched >= 0, matched == matching.NEGATIVE)
        image, anchor = sampled.nonzero(as_tuple=True)
        matched = matched[image, anchor]
        cls = F.binary_cross_entropy_with_logits(
            predictions.logits[image, anchor, 0].float(), (matched >= 0).float(), reduction="sum"
        )
        positive = matched >= 0
        wanted = box.encode(torch.cat(list(objects))[matched[positive]], anchors[anchor[positive]])
        deltas = predictions.deltas[image[positive], anchor[positive]].float()
        off = losses.smooth_l1(deltas, wanted, self.box_beta).sum()
        size = len(objects) * self.sampler.size
        places = len(objects) * (len(anchors) // self.anchors.per_location)
        return self.balance.divide(cls, off, len(image), size, places)

    def _assign(self, objects: Sequence[Tensor], anchors: Tensor, sizes: Tensor) -> Tensor:
        """The object of each anchor of each image, int64 [B, A]; what crosses the border is ignored."""
        if self.border is None:
            return torch.stack(matching.assign(self.matcher, objects, [anchors] * len(objects)))
        inside = [box.inside(anchors, size, self.border) for size in sizes]
        found = matching.assign(self.matcher, objects, [anchors[each] for each in inside])
        matched = torch.full((len(objects), len(anchors)), matching.IGNORED, device=anchors.device)
        return matched.masked_scatter(torch.stack(inside), torch.cat(found))

    @torch.no_grad()
    def propose(self, predictions: Predictions, sizes: Tensor, limits: Selection) -> list[Detections]:
        """The best regions of each image, after suppression within each level; all have label 0.

        Args:
            predictions: Of the batch.
            sizes: int64 [B, 2], heights and widths without padding.
            limits: `train_selection` or `test_selection`.
        """
        return [selection.suppress(*image, selection=limits) for image in self.candidates(predictions, sizes, limits)]

    def candidates(self, predictions: Predictions, sizes: Tensor, limits: Selection) -> list[Candidates]:
        """The best anchors of each level, decoded; a level is a group. Arguments as of `propose`."""
        anchor, level = self.ranked(predictions, limits)
        scores = self._scores(predictions)[..., 0].gather(1, anchor).sigmoid()
        deltas = predictions.deltas.float()
        if self.leave_out == "offsets":
            deltas = torch.zeros_like(deltas)
        deltas = deltas.gather(1, anchor[..., None].expand(-1, -1, 4))
        boxes = box.clip(box.decode(deltas, predictions.anchors[anchor]), sizes)
        label = torch.zeros_like(level)
        return [Candidates(*image, level, label) for image in zip(boxes, scores, strict=True)]

    def ranked(self, predictions: Predictions, limits: Selection) -> tuple[Tensor, Tensor]:
        """The anchors behind `candidates`, in their order: int64 [B, M], and the position of each column's level."""
        return selection.top(self._scores(predictions), predictions.counts, limits.per_level)

    def _scores(self, predictions: Predictions) -> Tensor:
        """What anchors are chosen by, as logits."""
        logits = predictions.logits.float()
        return _at_random(logits) if self.leave_out == "scores" else logits


def _at_random(logits: Tensor) -> Tensor:
    """As many logits in 0..1, drawn alike for every image, so that no figure depends on how batches are cut."""
    drawn = torch.rand(logits.shape[1:], generator=torch.Generator().manual_seed(0))
    return drawn.to(logits).expand_as(logits)


class RPN(Detector):
    """A region proposal network as a detector of its own: class-agnostic, every object is of class 0.

    Args:
        pyramid: Levels 2 to 6 with pooling at the top in FPN; `OneLevel`, level 4, in Faster R-CNN.
        num_classes: Accepted because the data's number is linked to every detector; proposals have no class.
        proposals: Makes the network behind the feature maps from their channels.
        normalise: See `Detector`.
        weights: File or torchvision name of a Faster R-CNN, see `models/weights/detectors.py`.

    Raises:
        InputError: The pyramid's levels differ in width, or the weights cannot be found, read or matched.
    """

    public = torchvision_faster_rcnn.PUBLIC
    agnostic = True

    def __init__(
        self,
        pyramid: Pyramid | Backbone,
        num_classes: int = 1,
        proposals: Callable[[int], ProposalNetwork] = ProposalNetwork,
        normalise: Normalise | None = None,
        weights: str | None = None,
    ) -> None:
        super().__init__(pyramid, num_classes, normalise)
        self.proposals = proposals(width(pyramid))
        if weights is not None:
            self.expects = detector_weights.load(weights, self)

    def predict(self, images: Tensor, sizes: Tensor) -> Predictions:
        """What the head says about every anchor; images uint8 [B, 3, H, W], sizes int64 [B, 2]."""
        return self.proposals.predict(self.extract(images, sizes), images.shape[-2:])

    def loss(self, batch: Batch[list[Target]]) -> dict[str, Tensor]:
        """Losses `rpn_cls` and `rpn_box` (Faster R-CNN, Eq. 1)."""
        predictions = self.predict(batch.images, batch.sizes)
        with full_precision(batch.images):
            objects = [matching.trainable(target)[0] for target in batch.targets]
            return self.proposals.loss(predictions, objects, batch.sizes)

    def candidates(self, features: Features, image_size: Sequence[int], sizes: Tensor) -> list[Candidates]:
        """The best anchors of each level."""
        predictions = self.proposals.predict(features, image_size)
        with full_precision(predictions.logits):
            return self.proposals.candidates(predictions, sizes, self.proposals.test_selection)

    @property
    def limits(self) -> Selection:
        """Up to 1000 proposals of each image."""
        return self.proposals.test_selection

    def static(self) -> Iterable[nn.Module]:
        """Pyramid and head."""
        return self.pyramid, self.proposals.head

    @classmethod
    def example(cls) -> "RPN":
        """On a ResNet-18 with a narrow pyramid."""
        return cls(Pyramid(resnet.resnet18(), levels=range(2, 7), channels=32))
