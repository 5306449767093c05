"""Samples to batches."""

from collections.abc import Sequence

import torch
from torch import Tensor

from lit_vision.types import Batch, Sample, Target

MULTIPLE = 32  # sides of a padded batch: the coarsest stride of a ResNet


def collate(samples: Sequence[Sample[int]]) -> Batch[Tensor]:
    """Stacks samples; images of different sizes are padded right and bottom to a common multiple of 32.

    Padding is black here; the model's `Normalise` sets it to exactly zero by `sizes`.
    """
    sizes = torch.tensor([sample.image.shape[-2:] for sample in samples])
    targets = torch.tensor([sample.target for sample in samples])
    return Batch(pad_batch([sample.image for sample in samples], sizes), sizes, targets)


def collate_boxes(samples: Sequence[Sample[Target]]) -> Batch[list[Target]]:
    """Pads images to a common multiple of 32, always, and keeps one target per image."""
    sizes = torch.tensor([sample.image.shape[-2:] for sample in samples])
    images = pad_batch([sample.image for sample in samples], sizes, always=True)
    return Batch(images, sizes, [sample.target for sample in samples])


def pad_batch(images: Sequence[Tensor], sizes: Tensor, always: bool = False) -> Tensor:
    """One tensor from images of any size.

    Args:
        images: uint8 [3, H, W] each.
        sizes: int64 [B, 2], their heights and widths.
        always: Whether images of one size are padded too, instead of stacked as they are.

    Returns:
        uint8 [B, 3, H, W].
    """
    if not always and bool((sizes == sizes[0]).all()):
        return torch.stack(list(images))
    height, width = padded(sizes.amax(0).tolist())
    batch = images[0].new_zeros((len(images), 3, height, width))
    for target, image in zip(batch, images, strict=True):
        target[:, : image.shape[1], : image.shape[2]] = image
    return batch


def padded(size: Sequence[int]) -> tuple[int, int]:
    """Height and width to which an image of some size is padded."""
    height, width = (-(-side // MULTIPLE) * MULTIPLE for side in size)
    return height, width
