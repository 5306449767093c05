"""Networks of Delving Deep into Rectifiers (1502.01852), without norms and shortcuts.

A recipe names a builder: `net14`, `net30`, `model_a`, `model_b`, `model_c`. Their last map goes into
`heads.spp.SPP`: of 18x18 cells with 6, 3, 2 and 1 bins a side for the small nets, of 14x14 with 7, 3, 2 and 1 for the
large ones. `Classifier` sets activation and initialisation. Model B with ReLU is the 22-layer net of Figure 2.
`small_net` and `connected_net` are none of the paper's: they are for trials on small images, with a global average as
the head.
"""

from collections.abc import Sequence

from torch import nn

from lit_vision.errors import InputError
from lit_vision.models.backbones.chain import Chain, conv, pool, row


def net14(frozen_levels: Sequence[int] = ()) -> Chain:
    """The 14-layer net of Table 1, model E of 1412.1710; conv1 on level 1, conv2 on 3, conv3 on 4.

    Its strides are 2, 6 and 12, no powers of two: levels are names here, and no pyramid or detector fits.

    Args:
        frozen_levels: Levels that are not trained.
    """
    return _small(6, frozen_levels)


def net30(frozen_levels: Sequence[int] = ()) -> Chain:
    """The 30-layer net of Figure 3: sixteen more convolutions of 256 filters. The paper does not say where; here last.

    Args:
        frozen_levels: Levels that are not trained.
    """
    return _small(6 + 16, frozen_levels)


def model_a(frozen_levels: Sequence[int] = ()) -> Chain:
    """Model A of Table 3, 19 layers with the head; levels 1 to 4.

    Args:
        frozen_levels: Levels that are not trained.
    """
    return _large(5, (256, 512, 512), frozen_levels)


def model_b(frozen_levels: Sequence[int] = ()) -> Chain:
    """Model B of Table 3, 22 layers with the head; levels 1 to 4.

    Args:
        frozen_levels: Levels that are not trained.
    """
    return _large(6, (256, 512, 512), frozen_levels)


def model_c(frozen_levels: Sequence[int] = ()) -> Chain:
    """Model C of Table 3, 22 wide layers with the head; levels 1 to 4.

    Args:
        frozen_levels: Levels that are not trained.
    """
    return _large(6, (384, 768, 896), frozen_levels)


def small_net(depths: Sequence[int], widths: Sequence[int], frozen_levels: Sequence[int] = ()) -> Chain:
    """Rows of 3x3 convolutions with a pool between two rows, levels 0, 1, …; the project's own.

    Args:
        depths: Convolutions of each row.
        widths: Filters of each row.
        frozen_levels: Levels that are not trained.

    Raises:
        InputError: There are not as many depths as widths.
    """
    if len(depths) != len(widths):
        raise InputError(f"small_net: depths are {list(depths)} and widths {list(widths)}; give one of each per row")
    stages: dict[int, list[nn.Module]] = {}
    for level, (depth, inputs, outputs) in enumerate(zip(depths, (3, *widths), widths, strict=False)):
        stages[level] = [*([pool()] if level else []), *row(inputs, outputs, depth)]
    return _frozen(Chain(stages), frozen_levels)


def connected_net(depth: int, width: int, size: int) -> Chain:
    """Fully connected layers as convolutions, on level 0: the first sees the whole image; the project's own.

    This is the k = 1 case of the paper's equations, in which no border of an image changes the fan.

    Args:
        depth: Layers.
        width: Units of each.
        size: Height and width of the images.
    """
    later = [conv(width, width, 1) for _ in range(depth - 1)]
    return Chain({0: [conv(3, width, size, padding=0), *later]})


def _large(depth: int, widths: Sequence[int], frozen_levels: Sequence[int]) -> Chain:
    stages: dict[int, list[nn.Module]] = {1: [conv(3, 96, 7, stride=2)]}
    for level, (inputs, outputs) in enumerate(zip((96, *widths), widths, strict=False), 2):
        stages[level] = [pool(), *row(inputs, outputs, depth)]
    return _frozen(Chain(stages), frozen_levels)


def _small(last: int, frozen_levels: Sequence[int]) -> Chain:
    """For 224 pixels: 109 cells, 36, and 18."""
    stages: dict[int, list[nn.Module]] = {
        1: [conv(3, 64, 7, stride=2, padding=0)],
        3: [nn.MaxPool2d(3, 3), *_alternating(64, 128, 4)],
        4: [nn.MaxPool2d(2, 2), *_alternating(128, 256, last)],
    }
    return _frozen(Chain(stages), frozen_levels)


def _alternating(inputs: int, outputs: int, count: int) -> list[nn.Module]:
    """2x2 convolutions that pad by 1 and 0 in turn: sizes go up and down by one, and are the pool's at the end.

    The papers call the sizes of a stage "dominant" and print no padding.
    """
    widths = [inputs] + [outputs] * count
    return [conv(widths[n], outputs, 2, padding=1 - n % 2) for n in range(count)]


def _frozen(net: Chain, levels: Sequence[int]) -> Chain:
    if levels:
        net.freeze(levels)
    return net
