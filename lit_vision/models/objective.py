"""What a dense detector learns from: which anchor stands for which object, two losses, and what divides them."""

from collections.abc import Sequence

import torch
from torch import Tensor

from lit_vision.models.losses import DenseLoss, FocalLoss
from lit_vision.ops import box, losses, matching
from lit_vision.ops.matching import Matcher
from lit_vision.types import Predictions, Target

# Section 4, Anchors; the paper does not say what happens to an object that no anchor overlaps by half: `from_low` is
# its authors' code.
MATCHER = Matcher(low=0.4, high=0.5, keep_best="from_low")


class DenseObjective:
    """Losses over all anchors of RetinaNet (1708.02002, Section 4.1).

    Both are divided by the number of anchors assigned to objects, image by image, and averaged over the images. So the
    gradient of a batch is the mean of those of its equal parts, wherever these are computed.

    Args:
        matcher: Overlaps that make an anchor background or an object's.
        class_loss: Classification loss; default: focal loss with gamma 2 and alpha 0.25.
        box_beta: Where smooth L1 turns linear; 0 for L1. Not in the paper; 0.11 is from the authors' code.
    """

    def __init__(self, matcher: Matcher = MATCHER, class_loss: DenseLoss | None = None, box_beta: float = 0.11) -> None:
        self.matcher = matcher
        self.class_loss = class_loss or FocalLoss()
        self.box_beta = box_beta

    def __call__(self, predictions: Predictions, targets: Sequence[Target]) -> dict[str, Tensor]:
        """Classification loss `cls` of all anchors but the ignored, box loss `box` of those assigned to objects."""
        boxes, labels = zip(*map(matching.trainable, targets), strict=True)
        anchors = predictions.anchors
        matched = torch.stack(matching.assign(self.matcher, boxes, [anchors] * len(boxes)))
        image, anchor = (matched >= 0).nonzero(as_tuple=True)
        weights = 1 / ((matched >= 0).sum(1).clamp(min=1).float() * len(matched))

        cls = self.class_loss(predictions.logits, matching.labels_of(matched, torch.cat(labels)))
        cls = cls.masked_fill(matched == matching.IGNORED, 0).sum(1)
        wanted = box.encode(torch.cat(boxes)[matched[image, anchor]], anchors[anchor])
        off = losses.smooth_l1(predictions.deltas[image, anchor].float(), wanted, self.box_beta)
        return {"cls": (cls * weights).sum(), "box": (off * weights[image]).sum()}
