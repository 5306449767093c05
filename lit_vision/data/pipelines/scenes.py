"""Photographs with boxes: read, transformed and padded in worker processes; uint8 all the way to the device."""

import warnings
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torchvision import tv_tensors
from torchvision.transforms import v2

from lit_vision.data.formats import masks
from lit_vision.data.formats.annotations import Annotations
from lit_vision.data.pipelines import collate, decode, loading
from lit_vision.data.pipelines.photos import IMAGENET_MEAN, IMAGENET_STD
from lit_vision.data.pipelines.pipeline import Pipeline
from lit_vision.data.pipelines.sampler import EvalBatches, TrainBatches
from lit_vision.data.pipelines.transforms import PCALighting, RandomShortSide, Rounding, ShortSide
from lit_vision.errors import InputError
from lit_vision.types import Batch, Sample, Target

Transform = nn.Module
ReadImage = Callable[[Annotations, int], Tensor]


class BoxPipeline(Pipeline[Annotations, list[Target]]):
    """Turns images with boxes into batches; transforms are torchvision's v2, which move the boxes along.

    What a transform draws is a pure function of (seed, epoch, sample), whatever the number of workers.

    Args:
        train: Transforms of training images and their boxes.
        eval: Transforms of validation and test images.
        mean: Three numbers in 0..1.
        std: Three numbers.
    """

    def __init__(
        self,
        train: Sequence[Transform],
        eval: Sequence[Transform],
        mean: Sequence[float] = IMAGENET_MEAN,
        std: Sequence[float] = IMAGENET_STD,
    ) -> None:
        self.train = v2.Compose(list(train) or [v2.Identity()])
        self.eval = v2.Compose(list(eval) or [v2.Identity()])
        self.mean = tuple(mean)
        self.std = tuple(std)
        self.input_size = None
        self.read_image: ReadImage = read_file
        self.skip_unreadable = False

    def train_loader(
        self, split: Annotations, batches: TrainBatches, seed: int, workers: int
    ) -> Iterable[Batch[list[Target]]]:
        """Reads, augments and pads."""
        read = partial(self._train_sample, split)
        return loading.loader(read, batches, collate.collate_boxes, seed, workers, split.names.__getitem__)

    def eval_loader(self, split: Annotations, batches: EvalBatches, workers: int) -> Iterable[Batch[list[Target]]]:
        """Reads, resizes and pads."""
        read = partial(self._eval_sample, split)
        return loading.loader(read, batches, collate.collate_boxes, 0, workers, split.names.__getitem__)

    def statistics(self, split: Annotations) -> tuple[Tensor, Tensor]:
        """The given numbers: a detector starts from a network that was trained with them."""
        return torch.tensor(self.mean)[:, None, None], torch.tensor(self.std)[:, None, None]

    def prepare(self, image: Tensor) -> Tensor:
        """The evaluation transforms."""
        prepared: Tensor = self.eval(image)
        return prepared

    def padded_shapes(self, sizes: Tensor) -> list[tuple[int, int]]:
        """Shape of each image's batch, were it evaluated alone; images of one shape need no more padding together.

        Args:
            sizes: int64 [N, 2], height and width of the images as they are. Where other transforms than a resizing to
                one short side are at work, these are what is returned: equal images stay equal.
        """
        resized = self.resized(sizes)
        return [(h, w) for h, w in sizes.tolist()] if resized is None else [collate.padded(size) for size in resized]

    def resized(self, sizes: Tensor) -> list[tuple[int, int]] | None:
        """Height and width of each image as it is tested; None where it is not resized to one short side.

        Args:
            sizes: int64 [N, 2], height and width of the images as they are.
        """
        transforms = list(self.eval.transforms)
        if len(transforms) != 1 or not isinstance(transforms[0], ShortSide) or len(transforms[0].min_size) != 1:
            return None
        resize = transforms[0]
        return [resize.size(height, width, resize.min_size[0]) for height, width in sizes.tolist()]

    def _train_sample(self, split: Annotations, index: int) -> Sample[Target]:
        """The sample of an index, or the next that can be read, so that batches keep their size."""
        for step in range(len(split)):
            chosen = (index + step) % len(split)
            image = self._read(split, chosen)
            if image is not None:
                image, target = apply(self.train, image, with_pixels(split.target(chosen)))
                return Sample(image, without_empty(target))
        raise InputError(f"none of the {len(split)} training images below {split.folder} can be read")

    def _eval_sample(self, split: Annotations, index: int) -> Sample[Target] | None:
        image = self._read(split, index)
        return None if image is None else apply(self.eval, image, split.target(index))

    def _read(self, split: Annotations, index: int) -> Tensor | None:
        """The image; None where it cannot be read and the policy is to go on without it."""
        try:
            image = self.read_image(split, index)
        except InputError as error:
            if not self.skip_unreadable:
                raise InputError(f"{error}, or set data.bad to skip") from None
            warnings.warn(f"left out: {error}", stacklevel=2)
            return None
        expected, got = split.sizes[index].tolist(), list(image.shape[-2:])
        if expected != got:
            raise InputError(
                f"{split.path(index)} is {got[0]}x{got[1]}, but its header said {expected[0]}x{expected[1]}"
            )
        return image


def read_file(split: Annotations, index: int) -> Tensor:
    """Decodes the image's file, uint8 [3, H, W]."""
    return decode.read(split.path(index))


def apply(transform: nn.Module, image: Tensor, target: Target) -> Sample[Target]:
    """Transforms an image, and its boxes, proposals and masks with it; what is `original` stays as it is."""
    size = (image.shape[-2], image.shape[-1])
    objects = len(target.boxes)
    regions = torch.cat([target.boxes, target.proposals])
    moved: Any = tv_tensors.BoundingBoxes(regions, format=tv_tensors.BoundingBoxFormat.XYXY, canvas_size=size)
    outlines = [tv_tensors.Mask(target.masks.byte())] if len(target.masks) else []  # no kernel resizes none of them
    image, moved, *outlines = transform(tv_tensors.Image(image), moved, *outlines)
    moved = moved.as_subclass(Tensor)
    target = target._replace(boxes=moved[:objects], proposals=moved[objects:])
    if outlines:
        target = target._replace(masks=outlines[0].as_subclass(Tensor).bool())
    return Sample(image.as_subclass(Tensor), target)


def with_pixels(target: Target) -> Target:
    """The target with its masks as pixels of the file's image, as a loss needs them; as it is without masks."""
    if not len(target.original_masks):
        return target
    height, width = target.original_size.tolist()
    return target._replace(masks=masks.pixels(target.original_masks, height, width))


def without_empty(target: Target) -> Target:
    """The target without objects that a transform has moved out of the picture: no loss is defined for them."""
    kept = (target.boxes[:, 2:] > target.boxes[:, :2]).all(1)
    if bool(kept.all()):
        return target
    of_objects = ["boxes", "labels", "crowd", "difficult", "area", "original_boxes"]
    of_objects += ["masks"] if len(target.masks) else []
    of_objects += ["original_masks"] if len(target.original_masks) else []
    return target._replace(**{name: getattr(target, name)[kept] for name in of_objects})


def short_side(
    train: Sequence[int] = (800,),
    test: int = 800,
    cap: int = 1333,
    flip: bool = True,
    extra: Sequence[Transform] = (),
    rounding: Rounding = "nearest",
    whole: bool = False,
) -> BoxPipeline:
    """The papers' resizing: the short side to a size, or less where the long side would pass its cap.

    Args:
        train: Short sides in training; more than one is scale jitter, drawn per image.
        test: Short side in validation and test.
        cap: Longest long side.
        flip: Whether images are mirrored half of the time (all of the papers' augmentation).
        extra: Further transforms of training images, after the resizing.
        rounding: See `ShortSide`; torchvision's weights were trained and scored with `floor`.
        whole: Whether tests get images as their files have them, for a protocol that resizes them itself; `test` then
            does nothing.
    """
    mirror: list[Transform] = [v2.RandomHorizontalFlip()] if flip else []
    evaluated = [] if whole else [ShortSide([test], cap, rounding)]
    return BoxPipeline([ShortSide(train, cap, rounding), *mirror, *extra], evaluated)


def crops(low: int = 256, high: int = 480, crop: int = 224, short_side: int = 256, whole: bool = False) -> BoxPipeline:
    """Training as in classification, on images with boxes (ResNet paper, Appendix C); see `photos.paper`.

    An object outside of a crop is not trained on, one that is cut off ends at the crop's border.

    Args:
        low: Smallest short side in training.
        high: Largest short side in training.
        crop: Side of the random crop.
        short_side: Short side in test.
        whole: See `short_side`.
    """
    train = [RandomShortSide(low, high), v2.RandomCrop(crop), v2.RandomHorizontalFlip(), PCALighting()]
    return BoxPipeline(train, [] if whole else [ShortSide([short_side], 1 << 16)])
