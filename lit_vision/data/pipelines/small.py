"""Small images of one size: all in memory, indexed and augmented in whole batches."""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.transforms.v2 import functional as transforms

from lit_vision.data.pipelines import decode, sampler
from lit_vision.data.pipelines.pipeline import ImagePipeline, Normaliser, Place, Split, named
from lit_vision.data.pipelines.sampler import EvalBatches, TrainBatches
from lit_vision.data.pipelines.transforms import refuse_below_one
from lit_vision.errors import InputError
from lit_vision.types import Batch

Fill = Literal["mean", "black"]

_CHUNK = 4096  # images per pass over the training set; keeps the statistics' memory small


class SmallImages(ImagePipeline):
    """Images in memory as one uint8 tensor; random crops and flips run batched on the training device.

    As in the ResNet paper, Section 4.2: the mean image is subtracted, then each image is padded by `pad` zeros on every
    side, and a crop of its own size, or of its mirror image, is drawn. So the mean stays where it was computed, and
    what surrounds an image is exactly zero in the network's first layer.

    Args:
        pad: Pixels on each side before the random crop; 0 crops nothing.
        flip: Whether images are mirrored half of the time.
        mean: `pixel` is the training set's mean image (the paper's), `channel` its three averages, or three numbers.
        std: `channel` is the training set's, or three numbers; None leaves pixels in 0..255 (the paper's).
        size: Height and width, where the images are files; None takes those of the data.
        fill: What surrounds an image: zeros after normalisation, that is, its `mean` (the paper's), or `black` pixels
            before it, where the images' own ground is black.

    Raises:
        InputError: `fill` is none of the choices.
    """

    def __init__(
        self,
        pad: int = 4,
        flip: bool = True,
        mean: Literal["pixel", "channel"] | Sequence[float] = "channel",
        std: Literal["channel"] | Sequence[float] | None = "channel",
        size: int | None = None,
        fill: Fill = "mean",
    ) -> None:
        if fill not in get_args(Fill):
            raise InputError(f"fill: {fill!r} is unknown; choose one of {', '.join(get_args(Fill))}")
        self.fill = fill
        if pad < 0:
            raise InputError(f"the pipeline's pad is {pad}; it must be at least 0 pixels")
        if size is not None:
            refuse_below_one({"size": size})
        self.pad = pad
        self.flip = flip
        self.mean = mean
        self.std = std
        self.input_size = (size, size) if size else None

    def load(self, split: Split) -> Split:
        """The split with its images in memory."""
        images, names = split.images, split.names
        if not isinstance(images, Tensor):
            images, names = read_files(images, self.input_size), named(split)
        self.input_size = self.input_size or (images.shape[2], images.shape[3])
        return Split(images, split.labels, names)

    def train_loader(self, split: Split, batches: TrainBatches, seed: int, workers: int) -> Iterable[Batch[Tensor]]:
        """Indexes whole batches; augmentation follows on the device."""
        return MemoryLoader(split, batches)

    def eval_loader(self, split: Split, batches: EvalBatches, workers: int) -> Iterable[Batch[Tensor]]:
        """Indexes whole batches."""
        return MemoryLoader(split, batches)

    def prepare(self, image: Tensor) -> Tensor:
        """Resizes to the training size."""
        size = self.input_size or tuple(image.shape[-2:])
        resized: Tensor = transforms.resize(image, list(size), antialias=True)
        return resized

    def statistics(self, split: Split) -> tuple[Tensor, Tensor]:
        """Mean ([3, 1, 1] or the mean image) and standard deviation of the training images."""
        images = split.images
        assert isinstance(images, Tensor)
        total, squares = torch.zeros(images.shape[1:], dtype=torch.float64), torch.zeros(3, dtype=torch.float64)
        for chunk in torch.split(images, _CHUNK):
            pixels = chunk.double()
            total += pixels.sum(0)
            squares += pixels.square().sum((0, 2, 3))
        mean_image = total / len(images) / 255
        channel = mean_image.mean((1, 2))
        deviation = (squares / images[:, 0].numel() / 255**2 - channel.square()).clamp(min=1e-12).sqrt()
        return _chosen_mean(self.mean, mean_image, channel), _chosen_std(self.std, deviation)

    def augment(self, images: Tensor, place: Place, normalise: Normaliser) -> Tensor:
        """Random crop and flip of each image, drawn by its position in the total batch; float32 if `fill` is `mean`."""
        random = sampler.generator(place.seed, place.step)
        mine = slice(place.start, place.start + len(images))
        # Drawn for the whole batch and then cut, so that ranks and accumulation do not change a crop.
        corners = torch.randint(2 * self.pad + 1, (place.total, 2), generator=random)[mine]
        mirrored = torch.randint(2, (place.total,), generator=random)[mine].bool()
        if self.fill == "mean" and (self.pad or self.flip):
            images = normalise(images)
        if self.flip:
            mirror = mirrored.to(images.device, non_blocking=True)[:, None, None, None]
            images = torch.where(mirror, images.flip(3), images)
        return crop(images, self.pad, corners.to(images.device, non_blocking=True)) if self.pad else images


class MemoryLoader:
    """Batches of images in memory; what a data loader would do image by image is one index operation.

    Args:
        split: Images in memory and their labels.
        batches: Which samples make which batch.
    """

    def __init__(self, split: Split, batches: TrainBatches | EvalBatches) -> None:
        assert isinstance(split.images, Tensor)
        self.images = split.images
        self.labels = split.labels
        self.batches = batches
        self.size = torch.tensor(split.images.shape[-2:])

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[Batch[Tensor]]:
        for _, indices in self.batches.indices():
            # Ten times as fast as `images[indices]`: rows are copied whole.
            yield Batch(self.images.index_select(0, indices), self.size.expand(len(indices), 2), self.labels[indices])


def crop(images: Tensor, pad: int, corners: Tensor) -> Tensor:
    """Crops each image of a batch, padded with zeros, at a corner of its own.

    Args:
        images: [B, 3, H, W].
        pad: Pixels added on each side.
        corners: int64 [B, 2], top and left in the padded image, 0..2*pad.

    Returns:
        [B, 3, H, W].
    """
    height, width = images.shape[2:]
    padded = F.pad(images, (pad, pad, pad, pad))
    windows = padded.unfold(2, height, 1).unfold(3, width, 1)  # a view: [B, 3, 2*pad+1, 2*pad+1, H, W]
    return windows[torch.arange(len(images), device=images.device), :, corners[:, 0], corners[:, 1]]


def read_files(files: Sequence[Path], size: tuple[int, int] | None) -> Tensor:
    """Decodes equal small images into one tensor, uint8 [N, 3, H, W].

    Raises:
        InputError: If a file cannot be decoded, or has another size than `size` or the first.
    """
    expected = size or decode.size(files[0])
    images = torch.empty((len(files), 3, *expected), dtype=torch.uint8)

    def read(index: int) -> None:
        image = decode.read(files[index])
        if image.shape[1:] != expected:
            got = "x".join(map(str, image.shape[1:]))
            raise InputError(
                f"{files[index]} is {got}, but images held in memory have one size, here {expected[0]}x{expected[1]}; "
                "resize them, or set data.pipeline to lit_vision.data.pipelines.photos.paper"
            )
        images[index] = image

    with ThreadPoolExecutor() as pool:  # decoding releases the interpreter lock
        list(pool.map(read, range(len(files))))
    return images


def _chosen_mean(asked: str | Sequence[float], image: Tensor, channel: Tensor) -> Tensor:
    if asked == "pixel":
        return image.float()
    return (channel if asked == "channel" else torch.tensor(asked)).float()[:, None, None]


def _chosen_std(asked: str | Sequence[float] | None, channel: Tensor) -> Tensor:
    if asked is None:
        return torch.full((3, 1, 1), 1 / 255)
    return (channel if asked == "channel" else torch.tensor(asked)).float()[:, None, None]
