"""VGG's networks of 16 and 19 layers (1409.1556, columns D and E), the baselines of all five papers.

A level's number is its stride's: conv1 is level 0, conv5 is level 4 with stride 16, on which Faster R-CNN stands
(`OneLevel`, level 4), and the last pool is level 5. `frozen_levels: [0, 1]` keeps conv1 and conv2 as they are. As a
classifier, the head is `heads.spp.Flat`.
"""

from collections.abc import Sequence

from torch import nn

from lit_vision.models.backbones.chain import Chain, pool, row
from lit_vision.models.weights import classifiers as weight_files
from lit_vision.models.weights import torchvision_vgg
from lit_vision.models.weights.layout import Public

WIDTHS = (64, 128, 256, 512, 512)


def vgg16(frozen_levels: Sequence[int] = (), weights: str | None = None) -> Chain:
    """13 convolutions, with the head 16 layers.

    Args:
        frozen_levels: Levels that are not trained.
        weights: File or torchvision name; see `models/weights`.
    """
    return _vgg((2, 2, 3, 3, 3), "VGG16_Weights", frozen_levels, weights)


def vgg19(frozen_levels: Sequence[int] = (), weights: str | None = None) -> Chain:
    """16 convolutions, with the head 19 layers (rectifiers paper, Table 3, first column).

    Args:
        frozen_levels: Levels that are not trained.
        weights: File or torchvision name; see `models/weights`.
    """
    return _vgg((2, 2, 4, 4, 4), "VGG19_Weights", frozen_levels, weights)


def _vgg(depths: Sequence[int], release: str, frozen_levels: Sequence[int], weights: str | None) -> Chain:
    stages: dict[int, list[nn.Module]] = {}
    for level, (depth, inputs, outputs) in enumerate(zip(depths, (3, *WIDTHS), WIDTHS, strict=False)):
        stages[level] = [*([pool()] if level else []), *row(inputs, outputs, depth)]
    net = Chain({**stages, 5: [pool()]}, Public((torchvision_vgg.LAYOUT,), release))
    if weights is not None:
        net.expects = weight_files.load(weights, net)
    if frozen_levels:
        net.freeze(frozen_levels)
    return net
