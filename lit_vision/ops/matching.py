"""Which object each anchor or proposal stands for."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor
from torchvision.ops import box_iou

from lit_vision.errors import InputError
from lit_vision.types import Target

NEGATIVE = -1
IGNORED = -2

KeepBest = Literal["never", "from_low", "always"]


@dataclass(frozen=True)
class Matcher:
    """Assignment by overlap: from `high` on an object, below `low` background, between them ignored.

    Attributes:
        low: Overlap below which an anchor is background.
        high: Overlap from which it stands for the object that it overlaps most.
        keep_best: Whether the anchors that overlap an object most stand for their own best object below `high` too, all
            of them if several overlap equally: `never`; `from_low`, instead of being ignored, as in RetinaNet's public
            code, where what lies below `low` is background whatever it is best at; or `always` (Faster R-CNN,
            Section 3.1.2, rule i).

    Raises:
        InputError: The overlaps are no ascending pair in 0..1, or `keep_best` is none of the choices.
    """

    low: float
    high: float
    keep_best: KeepBest = "never"

    def __post_init__(self) -> None:
        if not 0 <= self.low <= self.high <= 1:
            raise InputError(f"matching: needs 0 <= low <= high <= 1, got low {self.low} and high {self.high}")
        if self.keep_best not in get_args(KeepBest):
            raise InputError(
                f"matching: keep_best {self.keep_best!r} is unknown; choose one of {', '.join(get_args(KeepBest))}"
            )

    def __call__(self, boxes: Tensor, anchors: Tensor) -> Tensor:
        """Match one image: boxes [G, 4] and anchors [A, 4] give what `match` returns."""
        return match(box_iou(boxes, anchors), self.low, self.high, self.keep_best)


def match(overlap: Tensor, low: float, high: float, keep_best: KeepBest = "never") -> Tensor:
    """Assign by an overlap matrix; see `Matcher`.

    Args:
        overlap: [G, A]; either may be 0.
        low: As in `Matcher`.
        high: As in `Matcher`.
        keep_best: As in `Matcher`. An object that overlaps no anchor at all keeps none.

    Returns:
        int64 [A]: index of the object, `NEGATIVE` or `IGNORED`.
    """
    if overlap.numel() == 0:
        return torch.full(overlap.shape[1:], NEGATIVE, device=overlap.device)
    value, best = overlap.max(0)
    matched = best.masked_fill(value < high, IGNORED).masked_fill(value < low, NEGATIVE)
    if keep_best != "never":
        most = overlap.amax(1, keepdim=True)
        kept = ((overlap == most) & (most > 0)).any(0)
        if keep_best == "from_low":
            kept &= value >= low
        matched = torch.where(kept, best, matched)
    return matched


def trainable(target: Target) -> tuple[Tensor, Tensor]:
    """Boxes [G, 4] and labels [G] to learn from.

    Crowd regions and difficult objects are treated as if they were not there, as Detectron2 and torchvision do: anchors
    on them are background unless another object claims them. So are boxes without area, which have no offsets.
    """
    keep = learnable(target)
    return target.boxes[keep].float(), target.labels[keep]


def learnable(target: Target) -> Tensor:
    """Which objects `trainable` gives, bool [G]."""
    positive = (target.boxes[:, 2:] > target.boxes[:, :2]).all(1)
    return positive & ~target.crowd & ~target.difficult


def assign(matcher: Matcher, objects: Sequence[Tensor], anchors: Sequence[Tensor]) -> list[Tensor]:
    """Match each image, and count its objects on from those of the images before it.

    Args:
        matcher: Assigns within one image.
        objects: Boxes [G, 4] of each image.
        anchors: [A, 4] of each image.

    Returns:
        int64 [A] of each image: index into the concatenated objects, `NEGATIVE` or `IGNORED`.
    """
    matched, before = [], 0
    for boxes, candidates in zip(objects, anchors, strict=True):
        index = matcher(boxes, candidates)
        matched.append(torch.where(index >= 0, index + before, index))
        before += len(boxes)
    return matched


def labels_of(matched: Tensor, labels: Tensor) -> Tensor:
    """The label of each anchor's object, with `NEGATIVE` and `IGNORED` kept.

    Args:
        matched: int64 [...], as from `assign`.
        labels: int64 [G] of the concatenated objects.
    """
    # The two flags count from the end, so two more entries answer them.
    return torch.cat([labels, labels.new_tensor([IGNORED, NEGATIVE])])[matched]
