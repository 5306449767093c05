"""Small detectors that are sure of something, and images for them."""

import torch

from lit_vision.models.backbones import resnet
from lit_vision.models.backbones.one_level import OneLevel
from lit_vision.models.faster_rcnn import FasterRCNN, RegionClassifier
from lit_vision.models.heads.stage import StageHead
from lit_vision.models.rpn import ProposalNetwork
from lit_vision.ops.roi import Pooler
from lit_vision.ops.selection import Selection


def images(*sizes, seed=0):
    """A batch of noise, each image within its own height and width, padded to a multiple of 32; and the sizes."""
    generator = torch.Generator().manual_seed(seed)
    height, width = (-(-max(sides) // 32) * 32 for sides in zip(*sizes, strict=True))
    batch = torch.zeros(len(sizes), 3, height, width, dtype=torch.uint8)
    for image, (h, w) in zip(batch, sizes, strict=True):
        image[:, :h, :w] = torch.randint(0, 256, (3, h, w), dtype=torch.uint8, generator=generator)
    return batch, torch.tensor(sizes)


def sure(net, seed=0):
    """The detector with random outputs of its heads, so that scores and boxes differ."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            if name.endswith(("head.cls.weight", "head.box.weight")):
                parameter.normal_(std=0.1)
    return net.eval()


def c4(context=False, seed=0, proposals=20):
    """Faster R-CNN of the ResNet paper, on a ResNet-18: regions go through the fifth stage."""
    torch.manual_seed(seed)

    def head(channels, size, classes):
        return StageHead(channels, size, classes, resnet.resnet18(), context=context)

    def regions(channels, classes):
        return RegionClassifier(channels, classes, head, Pooler(size=4, levels=(4,)))

    test = Selection(score=0.0, per_level=100, nms=0.7, limit=proposals, smallest=1e-3)
    net = FasterRCNN(OneLevel(resnet.resnet18(), 4), 3, lambda channels: ProposalNetwork(channels, test=test), regions)
    return sure(net, seed)
