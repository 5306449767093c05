"""From the scores of many boxes to a few good ones."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torchvision.ops import batched_nms, box_iou

from lit_vision.errors import InputError
from lit_vision.types import Candidates, Detections


@dataclass(frozen=True)
class Selection:
    """Limits of what is kept of an image.

    Attributes:
        score: What does not score above it is dropped.
        per_level: Candidates that each level may send into non-maximum suppression.
        nms: Overlap above which the lower of two boxes of one group is dropped.
        limit: Boxes of an image in the end.
        smallest: Shortest side, in pixels after clipping; what is thinner is dropped.
    """

    score: float
    per_level: int
    nms: float
    limit: int
    smallest: float = 0.0

    def __post_init__(self) -> None:
        if not (0 <= self.score <= 1 and 0 <= self.nms <= 1 and self.per_level > 0 and self.limit > 0):
            raise InputError(f"selection: score and nms lie in 0..1, per_level and limit are positive, got {self}")

    def keeping(self, limit: int) -> "Selection":
        """The same for another number of boxes, with as many candidates of each level at least."""
        return replace(self, limit=limit, per_level=max(self.per_level, limit))


def top(logits: Tensor, counts: Sequence[int], limit: int) -> tuple[Tensor, Tensor]:
    """The best pairs of anchor and class of each level.

    A score threshold may come before or after: the best of those above it are the best that are above it.

    Args:
        logits: [B, A, K].
        counts: Anchors of each level; their sum is A.
        limit: Pairs of one level.

    Returns:
        int64 [B, M], `anchor * K + class`, and the position of each column's level, int64 [M].
    """
    classes, found, start = logits.shape[2], [], 0
    for level in torch.split(logits, list(counts), 1):
        index = level.flatten(1).topk(min(limit, level[0].numel())).indices
        found.append(index + start * classes)
        start += level.shape[1]
    levels = [torch.full(index.shape[1:], level, device=logits.device) for level, index in enumerate(found)]
    return torch.cat(found, 1), torch.cat(levels)


def suppress(boxes: Tensor, scores: Tensor, groups: Tensor, labels: Tensor, selection: Selection) -> Detections:
    """Non-maximum suppression within each group of one image, then the best of all groups.

    Args:
        boxes: [N, 4].
        scores: [N].
        groups: int64 [N]; only boxes of one group suppress each other.
        labels: int64 [N].
        selection: Thresholds and limits.
    """
    keep = (scores > selection.score) & ((boxes[:, 2:] - boxes[:, :2]) >= selection.smallest).all(1)
    boxes, scores, groups, labels = boxes[keep], scores[keep], groups[keep], labels[keep]
    best = batched_nms(boxes, scores, groups, selection.nms)[: selection.limit]
    return Detections(boxes[best], scores[best], labels[best])


def best_of_each(boxes: Tensor, scores: Tensor, groups: Tensor, labels: Tensor, limit: int) -> Detections:
    """The best candidate of each group of one image, of at most `limit` groups; other arguments as of `suppress`."""
    order = scores.argsort(descending=True, stable=True)
    found, group = torch.unique(groups[order], return_inverse=True)
    place = torch.arange(len(order), device=order.device)
    first = torch.full_like(found, len(order)).scatter_reduce(0, group, place, "amin")
    best = order[first.sort().values[:limit]]
    return Detections(boxes[best], scores[best], labels[best])


def union(looks: Iterable[Sequence[Candidates]]) -> list[Candidates]:
    """The candidates of several looks at the same images, of each image together."""
    return [Candidates(*map(torch.cat, zip(*image, strict=True))) for image in zip(*looks, strict=True)]


def vote(found: Detections, candidates: Candidates, overlap: float) -> Detections:
    """Moves each box to the mean of the candidates of its class around it, weighted by their scores.

    Scores and order stay. Boxes of no neighbour, not even themselves, stay too.

    Args:
        found: What was selected from the candidates of an image.
        candidates: Those that may vote.
        overlap: From which overlap with the box on.
    """
    near = (box_iou(found.boxes, candidates.boxes) >= overlap) & (found.labels[:, None] == candidates.labels)
    weights = (candidates.scores * near)[..., None]
    total = weights.sum(1)
    # Not a matrix product, which would be in half precision under autocast
    voted = (weights * candidates.boxes).sum(1) / total
    return found._replace(boxes=voted.where(total > 0, found.boxes))
