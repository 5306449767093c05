"""Scenes composed from scikit-learn's handwritten digits: detection data without files, a function of the index.

Uniform draws, sums and products in float64 alone make the pixels, so that every platform composes the same ones.
"""

import functools
from collections.abc import Iterator
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lit_vision.data.digits import Digits
from lit_vision.data.pipelines import sampler

Split = Literal["train", "val", "test"]
Floats = npt.NDArray[np.float64]

SPLITS = ("train", "val", "test")

_EMPTY = 1 / 20  # scenes without any digit
_MOST = 6  # digits in a scene
_SMALLEST = 12  # pixels, side of a digit's cell
_LARGEST = 7 / 16  # of the scene's side: 56 of 128 pixels
_OVERLAP = 0.1  # of the smaller box
_TRIES = 12  # places for a digit before it is left out
_INK = 0.3  # a pixel with less ink is background: what one would call the digit's outline


class Scene(NamedTuple):
    """One composed image and its objects.

    Attributes:
        image: uint8 [3, size, size].
        boxes: float64 [G, 4], xyxy pixels, tight around the ink, lower right exclusive.
        labels: int64 [G], the digit.
        masks: bool [G, size, size], each digit's ink, also where a later one covers it.
    """

    image: Tensor
    boxes: Tensor
    labels: Tensor
    masks: Tensor


class _Box(NamedTuple):
    x1: int
    y1: int
    x2: int
    y2: int


def scene(index: int, size: int = 128, split: Split = "train") -> Scene:
    """The scene of an index: up to six digits of 12 pixels to 7/16 of the side on a shaded, grained ground.

    The digits are those of the `Digits` split of the same name, so no digit of a test scene was ever trained on.

    Args:
        index: Any number; there is no last scene.
        size: Height and width in pixels, at least 32.
        split: Whose digits are used.
    """
    random = sampler.generator(SPLITS.index(split), index, size)
    draws = iter(torch.rand(256, generator=random, dtype=torch.float64).tolist())
    pixels = _ground(size, draws, random)
    boxes: list[_Box] = []
    labels, outlines = [], []
    count = 0 if next(draws) < _EMPTY else 1 + int(next(draws) * _MOST)
    for _ in range(count):
        ink, label = _digit(split, size, draws)
        box = _place(ink.shape, size, boxes, draws)
        colour = np.array([next(draws), next(draws), next(draws)])
        if box is not None:
            _paint(pixels, ink, box, colour, next(draws))
            boxes.append(box)
            labels.append(label)
            outlines.append(_outline(ink, box, size))
    image = torch.from_numpy(np.rint(pixels.clip(0, 1) * 255).astype(np.uint8))
    found = torch.tensor(boxes, dtype=torch.float64).reshape(-1, 4)
    masks = torch.from_numpy(np.array(outlines, dtype=np.bool_).reshape(-1, size, size))
    return Scene(image, found, torch.tensor(labels, dtype=torch.int64), masks)


@functools.cache
def _digits(split: Split) -> tuple[Floats, list[int]]:
    """Ink of all digits of a split, [N, 8, 8] in 0..255, and their labels."""
    found = Digits().read()[split]
    images = found.images
    assert isinstance(images, Tensor)
    return images[:, 0].double().numpy(), found.labels.tolist()


def _digit(split: Split, size: int, draws: Iterator[float]) -> tuple[Floats, int]:
    """A digit at some scale and slightly stretched, cut to its ink: [h, w] in 0..1; and its label."""
    inks, labels = _digits(split)
    chosen = int(next(draws) * len(labels))
    largest = max(_SMALLEST, size * _LARGEST)
    side = _SMALLEST * (largest / _SMALLEST) ** next(draws)  # small and large ones alike, by ratio
    stretch = 0.85 + 0.3 * next(draws)
    enlarged = _enlarge(max(8, round(side))) @ inks[chosen] @ _enlarge(max(8, round(side * stretch))).T
    # Eight pixels, enlarged, are a blur; a steeper edge is a pen's stroke again. Dividing by 255 only now leaves whole
    # numbers and binary fractions exact until here, whose ties would else be broken by rounding.
    ink = ((enlarged / 255 - 0.15) * 1.6).clip(0, 1)
    rows, columns = np.flatnonzero((ink > _INK).any(1)), np.flatnonzero((ink > _INK).any(0))
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1], labels[chosen]


@functools.cache
def _enlarge(side: int) -> Floats:
    """Cubic convolution of 8 samples to more (Keys 1981, a = -0.5), as a matrix [side, 8]."""
    matrix = np.zeros((side, 8))
    rows = np.arange(side)
    centres = (rows + 0.5) * 8 / side - 0.5
    first = np.floor(centres).astype(np.int64) - 1
    for tap in range(4):
        distance = np.abs(centres - (first + tap))
        near = (1.5 * distance - 2.5) * distance**2 + 1
        far = ((-0.5 * distance + 2.5) * distance - 4) * distance + 2
        np.add.at(matrix, (rows, (first + tap).clip(0, 7)), np.where(distance <= 1, near, far))
    return matrix


def _place(shape: tuple[int, ...], size: int, boxes: list[_Box], draws: Iterator[float]) -> _Box | None:
    """A place for a digit that hides little of the others, if one was found."""
    height, width = shape
    for _ in range(_TRIES):
        y, x = int(next(draws) * (size - height + 1)), int(next(draws) * (size - width + 1))
        box = _Box(x, y, x + width, y + height)
        if all(_shared(box, other) <= _OVERLAP for other in boxes):
            return box
    return None


def _outline(ink: Floats, box: _Box, size: int) -> npt.NDArray[np.bool_]:
    outline = np.zeros((size, size), dtype=np.bool_)
    outline[box.y1 : box.y2, box.x1 : box.x2] = ink > _INK
    return outline


def _shared(one: _Box, other: _Box) -> float:
    """Intersection over the smaller box."""
    width = min(one.x2, other.x2) - max(one.x1, other.x1)
    height = min(one.y2, other.y2) - max(one.y1, other.y1)
    smaller = min((box.x2 - box.x1) * (box.y2 - box.y1) for box in (one, other))
    return max(0, width) * max(0, height) / smaller


def _ground(size: int, draws: Iterator[float], random: torch.Generator) -> Floats:
    """A colour at each corner, blended, with coarse blotches and fine grain: [3, size, size] in 0..1."""
    level = 0.2 + 0.6 * next(draws)
    corners = level + 0.3 * (np.array([next(draws) for _ in range(12)]).reshape(3, 2, 2) - 0.5)
    blotches = torch.rand(1, 9, 9, generator=random, dtype=torch.float64).numpy() - 0.5
    grain = torch.rand(1, size, size, generator=random, dtype=torch.float64).numpy() - 0.5
    shaded = _blend(size, 2) @ corners @ _blend(size, 2).T
    blotched = _blend(size, 9) @ blotches @ _blend(size, 9).T
    return shaded + (0.25 * next(draws)) * blotched + (0.12 * next(draws)) * grain


@functools.cache
def _blend(size: int, knots: int) -> Floats:
    """Linear interpolation between evenly spaced knots, as a matrix [size, knots]."""
    at = np.arange(size)[:, None] * (knots - 1) / (size - 1)
    return (1 - np.abs(at - np.arange(knots))).clip(0)


def _paint(pixels: Floats, ink: Floats, box: _Box, colour: Floats, contrast: float) -> None:
    """Lays a digit over the ground, in a colour clearly lighter or darker than what is below it."""
    below = pixels[:, box.y1 : box.y2, box.x1 : box.x2]
    level = below.mean()
    gap = 0.3 + 0.35 * contrast
    wanted = level + gap if level < 0.5 else level - gap
    tint = colour - colour.mean()
    shade = (wanted + 0.35 * tint).clip(0, 1)
    below += ink * (shade[:, None, None] - below)
