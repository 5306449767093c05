"""The nouns that travel between the rooms. Named tuples, because they pass through pin-memory and device transfer.

Shapes use one alphabet everywhere: `B` images, `G` objects, `A` anchors, `R` regions, `K` classes, `H W` pixels.
Boxes are absolute pixels `x1 y1 x2 y2` with exclusive lower right corners, whatever a file's own convention.
"""

from typing import Generic, NamedTuple, TypeVar

import torch
from torch import Tensor

Features = dict[int, Tensor]
"""Feature maps by level: level `l` has nominal stride `2**l` (FPN paper, Section 3)."""


class Target(NamedTuple):
    """The objects of one image.

    Attributes:
        boxes: float32 [G, 4], in the pixels of the image beside it: resized and flipped with it.
        labels: int64 [G], 0..K-1; background is no label.
        crowd: bool [G], regions of uncounted objects (COCO): never trained on, ignored in evaluation.
        difficult: bool [G], objects that VOC neither trains on nor counts.
        area: float64 [G], the file's own (COCO's is the mask's), in original pixels.
        image_id: int64 [], the data set's number for the image.
        original_size: int64 [2], height and width of the file's image.
        original_boxes: float64 [G, 4], as the file has them: what a metric compares with.
        proposals: float32 [R, 4], regions from elsewhere in the pixels of `boxes`; empty where the data bring none.
        masks: bool [G, H, W], the objects' pixels in the image beside it; empty in evaluation, and where the data do
            not keep masks.
        original_masks: uint8 [G, L], masks as the file has them, in COCO's compressed run lengths and filled up with
            zeros: what a metric compares with. Empty where the data do not keep masks.
    """

    boxes: Tensor
    labels: Tensor
    crowd: Tensor
    difficult: Tensor
    area: Tensor
    image_id: Tensor
    original_size: Tensor
    original_boxes: Tensor
    proposals: Tensor = torch.zeros(0, 4)
    masks: Tensor = torch.zeros(0, 0, 0, dtype=torch.bool)
    original_masks: Tensor = torch.zeros(0, 0, dtype=torch.uint8)


T = TypeVar("T")


class Sample(NamedTuple, Generic[T]):
    """One image between the reader and the collate function.

    Attributes:
        image: uint8 [3, H, W], RGB.
        target: Class index, 0..K-1, or the objects as a `Target`.
    """

    image: Tensor
    target: T


class Batch(NamedTuple, Generic[T]):
    """What a loader yields and a task consumes.

    Attributes:
        images: uint8 [B, 3, H, W], RGB, padded right and bottom; float32 once augmentation has normalised them.
        sizes: int64 [B, 2], height and width of each image without its padding.
        targets: Class indices, int64 [B], or a list of B `Target`s.
    """

    images: Tensor
    sizes: Tensor
    targets: T


class Predictions(NamedTuple):
    """What a head says about every anchor of a batch, before anything is decoded.

    Attributes:
        logits: float [B, A, K].
        deltas: float [B, A, 4], box offsets relative to the anchors.
        anchors: float32 [A, 4]; all levels in ascending order.
        counts: Anchors of each level, in the same order; their sum is A.
    """

    logits: Tensor
    deltas: Tensor
    anchors: Tensor
    counts: tuple[int, ...]


class Candidates(NamedTuple):
    """Scored boxes of one image before the selection, in any order.

    Attributes:
        boxes: float32 [N, 4], ending at the image's borders.
        scores: float32 [N].
        groups: int64 [N]; only boxes of one group suppress each other.
        labels: int64 [N], 0..K-1.
    """

    boxes: Tensor
    scores: Tensor
    groups: Tensor
    labels: Tensor


class Scores(NamedTuple):
    """What a second stage says about given boxes of one image.

    Attributes:
        scores: float32 [R, K], probabilities without the background's.
        boxes: float32 [R, K, 4], the box that each class makes of the given one, not clipped.
    """

    scores: Tensor
    boxes: Tensor


class Detections(NamedTuple):
    """What was found in one image, best first.

    Attributes:
        boxes: float32 [R, 4].
        scores: float32 [R], descending.
        labels: int64 [R], 0..K-1.
        masks: float32 [R, M, M], the probability that a cell of the window belongs to the object; empty where a
            network finds boxes alone.
        windows: float32 [R, 4], what `masks` cover: squares that may reach out of the image. Likewise empty.
    """

    boxes: Tensor
    scores: Tensor
    labels: Tensor
    masks: Tensor = torch.zeros(0, 0, 0)
    windows: Tensor = torch.zeros(0, 4)
