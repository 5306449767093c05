"""What a dense detector learns from: which anchor stands for which object, two losses, and what divides them."""

from collections.abc import Sequence

import torch
from torch import Tensor

from lit_vision.models.losses import DenseLoss, FocalLoss
from lit_vision.ops import box, losses, matching
from lit_vision.ops.matching import Matcher
from lit_vision.ops.mining import HardExamples
from lit_vision.types import Predictions, Target

# Section 4, Anchors; the paper does not say what happens to an object that no anchor overlaps by half: `from_low` is
# its authors' code.
MATCHER = Matcher(low=0.4, high=0.5, keep_best="from_low")


class DenseObjective:
    """Losses over all anchors of RetinaNet (1708.02002, Section 4.1), or over the hardest of them (Table 1d).

    Both are divided by the number of anchors assigned to objects, image by image, and averaged over the images. So the
    gradient of a batch is the mean of those of its equal parts, wherever these are computed. Where examples are mined,
    each image's losses are divided by the number of its examples instead: the paper does not say by what, and OHEM's
    mini-batches are averaged.

    Args:
        matcher: Overlaps that make an anchor background or an object's.
        class_loss: Classification loss; default: focal loss with gamma 2 and alpha 0.25.
        box_beta: Where smooth L1 turns linear; 0 for L1. Not in the paper; 0.11 is from the authors' code.
        mining: Chooses each image's examples by their classification loss and their predicted boxes; None for all.
    """

    def __init__(
        self,
        matcher: Matcher = MATCHER,
        class_loss: DenseLoss | None = None,
        box_beta: float = 0.11,
        mining: HardExamples | None = None,
    ) -> None:
        self.matcher = matcher
        self.class_loss = class_loss or FocalLoss()
        self.box_beta = box_beta
        self.mining = mining

    def __call__(self, predictions: Predictions, targets: Sequence[Target]) -> dict[str, Tensor]:
        """Classification loss `cls` of all examples, box loss `box` of those assigned to objects."""
        matched, boxes, labels = self.assign(predictions.anchors, targets)
        cls = self.class_loss(predictions.logits, labels)
        examples, number = self._examples(predictions, cls, matched)
        weights = 1 / (number.clamp(min=1).float() * len(matched))

        image, anchor = (examples & (matched >= 0)).nonzero(as_tuple=True)
        wanted = box.encode(boxes[matched[image, anchor]], predictions.anchors[anchor])
        off = losses.smooth_l1(predictions.deltas[image, anchor].float(), wanted, self.box_beta)
        return {"cls": (cls.masked_fill(~examples, 0).sum(1) * weights).sum(), "box": (off * weights[image]).sum()}

    def assign(self, anchors: Tensor, targets: Sequence[Target]) -> tuple[Tensor, Tensor, Tensor]:
        """What each anchor stands for.

        Args:
            anchors: [A, 4].
            targets: Of B images, with G objects together.

        Returns:
            int64 [B, A], as from `matching.assign`; the objects' boxes [G, 4]; and each anchor's label, int64 [B, A].
        """
        boxes, labels = zip(*map(matching.trainable, targets), strict=True)
        matched = torch.stack(matching.assign(self.matcher, boxes, [anchors] * len(boxes)))
        return matched, torch.cat(boxes), matching.labels_of(matched, torch.cat(labels))

    def _examples(self, predictions: Predictions, cls: Tensor, matched: Tensor) -> tuple[Tensor, Tensor]:
        """What is learnt from, bool [B, A], and what each image's losses are divided by, int64 [B]."""
        positive, negative = matched >= 0, matched == matching.NEGATIVE
        if self.mining is None:
            return positive | negative, positive.sum(1)
        boxes = box.decode(predictions.deltas.detach().float(), predictions.anchors)
        images = zip(cls.detach(), boxes, positive, negative, strict=True)
        examples = torch.stack([self.mining(*image) for image in images])
        return examples, examples.sum(1)
