"""Photographs: read from disk by worker processes, transformed one by one, stacked into batches."""

from collections.abc import Iterable, Sequence
from functools import partial

import torch
from torch import Tensor
from torchvision.transforms import v2

from lit_vision.data.pipelines import decode, loading, transforms
from lit_vision.data.pipelines.collate import collate
from lit_vision.data.pipelines.mean_image import MeanImage
from lit_vision.data.pipelines.pipeline import ImagePipeline, Split, name_of
from lit_vision.data.pipelines.sampler import EvalBatches, TrainBatches
from lit_vision.data.pipelines.transforms import PCALighting, RandomShortSide
from lit_vision.types import Batch, Sample

Transform = torch.nn.Module

# Averages of ImageNet's training images in 0..1, the values that torchvision's weights were trained with.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
PIXELS = (1 / 255, 1 / 255, 1 / 255)  # divides by nothing: pixels stay in 0..255


class Photographs(ImagePipeline):
    """Images of any size, decoded and transformed in worker processes; uint8 all the way to the device.

    What a transform draws is a pure function of (seed, epoch, sample), whatever the number of workers.

    Args:
        train: Transforms of training images, uint8 [3, H, W] in and out.
        eval: Transforms of validation and test images.
        mean: Three numbers in 0..1, or the training images' mean image.
        std: Three numbers.
    """

    def __init__(
        self,
        train: Sequence[Transform],
        eval: Sequence[Transform],
        mean: Sequence[float] | MeanImage = IMAGENET_MEAN,
        std: Sequence[float] = IMAGENET_STD,
    ) -> None:
        self.train = v2.Compose(list(train) or [v2.Identity()])
        self.eval = v2.Compose(list(eval) or [v2.Identity()])
        self.mean = mean if isinstance(mean, MeanImage) else tuple(mean)
        self.std = tuple(std)
        self.reads_all = isinstance(mean, MeanImage)
        self.input_size = _output_size(self.train) or _output_size(self.eval)
        self.short_side = _short_side(self.eval)

    def train_loader(self, split: Split, batches: TrainBatches, seed: int, workers: int) -> Iterable[Batch[Tensor]]:
        """Reads, augments and stacks."""
        return loading.loader(
            partial(_sample, split, self.train), batches, collate, seed, workers, partial(name_of, split)
        )

    def eval_loader(self, split: Split, batches: EvalBatches, workers: int) -> Iterable[Batch[Tensor]]:
        """Reads, resizes and stacks."""
        name = partial(name_of, split)
        return loading.loader(partial(_sample, split, self.eval), batches, collate, 0, workers, name)

    def eval_groups(self, split: Split) -> Tensor | None:
        """By the size of the files, where evaluation does not bring all images to one."""
        if _output_size(self.eval) or isinstance(split.images, Tensor):
            return None
        sizes = torch.tensor([decode.size(path) for path in split.images])
        found: Tensor = torch.unique(sizes, dim=0, return_inverse=True)[1]
        return found

    def statistics(self, split: Split) -> tuple[Tensor, Tensor]:
        """The given numbers, or the mean image: a pass over a large training set once, and then kept."""
        mean = self.mean.of(split) if isinstance(self.mean, MeanImage) else torch.tensor(self.mean)[:, None, None]
        return mean, torch.tensor(self.std)[:, None, None]

    def prepare(self, image: Tensor) -> Tensor:
        """The evaluation transforms."""
        prepared: Tensor = self.eval(image)
        return prepared


def paper(
    low: int = 256,
    high: int = 480,
    crop: int = 224,
    short_side: int = 256,
    test_crop: int | None = None,
    whole: bool = False,
    mean: str = "channel",
) -> Photographs:
    """The ResNet paper's training (Section 3.4) and a centre crop for tests.

    Args:
        low: Smallest short side in training.
        high: Largest short side in training.
        crop: Side of the crop, in training and test.
        short_side: Short side in test.
        test_crop: Side of the crop in test, where a protocol makes smaller ones of it; None takes `crop`.
        whole: Whether tests get images as their files have them, for a protocol that resizes them itself
            (`protocols.dense.Dense`); `short_side` and `test_crop` then do nothing. Images of one size make a batch.
        mean: `channel` subtracts ImageNet's three averages and divides by its deviations. `image` subtracts the mean
            image of the training images and divides by nothing, as the paper has it; a `.npy` file gives that image.
    """
    image = None if mean == "channel" else MeanImage(low, crop, None if mean == "image" else mean)
    std = IMAGENET_STD if image is None else PIXELS
    train = [RandomShortSide(low, high), v2.RandomCrop(crop), v2.RandomHorizontalFlip(), PCALighting()]
    evaluated = [] if whole else centre(short_side, test_crop or crop)
    return Photographs(train, evaluated, image or IMAGENET_MEAN, std)


def modern(crop: int = 224, short_side: int = 256, test_crop: int | None = None) -> Photographs:
    """Crops of random area and aspect ratio, as most public trainers do since Inception.

    Args:
        crop: Side of the crop.
        short_side: Short side in test.
        test_crop: See `paper`.
    """
    train = [v2.RandomResizedCrop(crop, antialias=True), v2.RandomHorizontalFlip()]
    return Photographs(train, centre(short_side, test_crop or crop))


def centre(short_side: int, crop: int) -> list[Transform]:
    """Short side and centre crop."""
    transforms.refuse_below_one({"short side": short_side, "crop": crop})
    return [v2.Resize(short_side, antialias=True), v2.CenterCrop(crop)]


def _sample(split: Split, transform: Transform, index: int) -> Sample[int]:
    source = split.images[index]
    image = source if isinstance(source, Tensor) else decode.read(source)
    return Sample(transform(image), int(split.labels[index]))


def _short_side(transform: v2.Compose) -> int | None:
    """The short side that evaluation resizes to, where it does."""
    sizes = [step.size for step in transform.transforms if isinstance(step, v2.Resize)]
    return int(sizes[0][0]) if sizes and sizes[0] and len(sizes[0]) == 1 else None


def _output_size(transform: v2.Compose) -> tuple[int, int] | None:
    """The size that transforms end at, where one of them fixes it."""
    size = next((found for each in reversed(transform.transforms) if (found := getattr(each, "size", None))), None)
    return (int(size[0]), int(size[1])) if isinstance(size, Sequence) and len(size) == 2 else None
