"""torchvision's detectors with weights that find something, and ours with the same weights.

Random weights say nothing: every score would be the prior. So norm layers get the statistics of the photographs, and
the layers that score get weights large enough for confident answers, as training would give them.
"""

import json
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from sklearn.datasets import load_sample_images
from torch import nn
from torchvision.models import resnet50
from torchvision.models.detection import FasterRCNN as TheirFasterRCNN
from torchvision.models.detection import RetinaNet as TheirRetinaNet
from torchvision.models.detection.backbone_utils import _resnet_fpn_extractor
from torchvision.ops import FrozenBatchNorm2d
from torchvision.ops.feature_pyramid_network import LastLevelP6P7

from lit_vision.models.backbones import resnet
from lit_vision.models.faster_rcnn import FasterRCNN, RegionClassifier
from lit_vision.models.objective import DenseObjective
from lit_vision.models.pyramid import Pyramid
from lit_vision.models.retinanet import RetinaNet
from lit_vision.models.rpn import ProposalNetwork
from lit_vision.models.weights import detectors as detector_weights
from lit_vision.ops.anchor import Anchors
from lit_vision.ops.matching import Matcher
from lit_vision.ops.selection import Selection
from lit_vision.types import Batch, Detections, Target

CLASSES = 5
LIMIT = 22
KINDS = ("retinanet", "faster_rcnn")


class FixedSampler:
    """Samples by a fixed priority of each position, through torchvision's interface or ours."""

    def __init__(self, size, fraction):
        self.size = size
        self.fraction = fraction

    def __call__(self, positive, negative=None):
        if negative is None:
            masks = [(self._choose(labels >= 1, labels == 0), labels >= 1) for labels in positive]
            return [chosen & on for chosen, on in masks], [chosen & ~on for chosen, on in masks]
        if positive.dim() == 2:
            return torch.stack([self._choose(*each) for each in zip(positive, negative, strict=True)])
        return self._choose(positive, negative)

    def _choose(self, positive, negative):
        priority = torch.rand(len(positive), generator=torch.Generator().manual_seed(len(positive)))
        chosen = torch.zeros_like(positive)
        room = int(self.size * self.fraction)
        for candidates in (positive, negative):
            order = torch.where(candidates, priority, -1).argsort(descending=True)[: min(room, int(candidates.sum()))]
            chosen[order] = True
            room = self.size - len(order)
        return chosen


def photographs(height, width, folder=None):
    """Two photographs with objects in a padded batch: of COCO, or scikit-learn's with boxes drawn by hand."""
    found = _coco(folder) if folder else _sklearn()
    sizes = torch.tensor([[height, width], [height - height // 16, width - width // 16]])
    images = torch.zeros(2, 3, height, width, dtype=torch.uint8)
    targets = []
    for image, (h, w), (pixels, boxes, labels) in zip(images, sizes.tolist(), found, strict=True):
        resized = F.interpolate(pixels[None].float(), (h, w), mode="bilinear", antialias=True)[0]
        image[:, :h, :w] = resized.round().clamp(0, 255).byte()
        scale = torch.tensor([w / pixels.shape[2], h / pixels.shape[1]]).repeat(2)
        targets.append(target(boxes * scale, labels % CLASSES))
    return Batch(images, sizes, targets)


def one_of(batch, step):
    """A batch of a single photograph, another one at each step, with no more padding than it needs by itself."""
    index = step % len(batch.targets)
    height, width = (-(-side // 32) * 32 for side in batch.sizes[index].tolist())
    images = batch.images[index : index + 1, :, :height, :width].contiguous()
    return Batch(images, batch.sizes[index : index + 1], [batch.targets[index]])


def target(boxes, labels):
    """A `Target` of ordinary objects."""
    boxes = boxes.float()
    no = torch.zeros(len(boxes), dtype=torch.bool)
    area = (boxes[:, 2:] - boxes[:, :2]).prod(1).double()
    return Target(boxes, labels, no, no, area, torch.tensor(0), torch.tensor([0, 0]), boxes.double())


def _sklearn():
    china, flower = (torch.from_numpy(np.array(image)).permute(2, 0, 1) for image in load_sample_images().images)
    roofs = torch.tensor([[150.0, 30, 470, 330], [20, 300, 120, 400], [500, 250, 620, 420]])
    return [(china, roofs, torch.tensor([0, 1, 2])), (flower, torch.tensor([[260.0, 40, 560, 400]]), torch.tensor([3]))]


def _coco(folder: Path):
    truth = json.loads((folder / "annotations" / "instances_train2017.json").read_text())
    objects: dict[int, list] = {}
    for one in truth["annotations"]:
        if not one["iscrowd"]:
            objects.setdefault(one["image_id"], []).append(one)
    found = []
    for image in truth["images"]:
        of_image = objects.get(image["id"], [])
        pixels = np.array(Image.open(folder / "train2017" / image["file_name"]).convert("RGB"))
        if len(of_image) >= 3 and image["width"] > image["height"]:
            x, y, w, h = torch.tensor([one["bbox"] for one in of_image]).unbind(1)
            labels = torch.tensor([one["category_id"] for one in of_image])
            found.append((torch.from_numpy(pixels).permute(2, 0, 1), torch.stack([x, y, x + w, y + h], 1), labels))
        if len(found) == 2:
            return found
    raise AssertionError("no two such photographs")


def theirs(kind, batch, seed=0, regions=512, confident=True):
    """torchvision's detector on ResNet-50-FPN, its stem and first stage frozen, ready for the photographs.

    Unless `confident`, the layers that score are as fresh as in training, and Faster R-CNN's maps, on which random
    layers of 1024 units would learn in leaps, are small.
    """
    torch.manual_seed(seed)
    body = resnet50(weights=None, norm_layer=FrozenBatchNorm2d)
    if kind == "retinanet":
        backbone = _resnet_fpn_extractor(body, 3, returned_layers=[2, 3, 4], extra_blocks=LastLevelP6P7(256, 256))
        net = TheirRetinaNet(backbone, CLASSES, detections_per_img=LIMIT)
    else:
        net = TheirFasterRCNN(_resnet_fpn_extractor(body, 3), CLASSES + 1, box_detections_per_img=LIMIT)
        net.rpn.fg_bg_sampler = FixedSampler(256, 0.5)
        net.roi_heads.fg_bg_sampler = FixedSampler(regions, 0.25)
    net.transform.resize = lambda image, target: (image, target)  # the photographs have their size
    with torch.no_grad():
        _calibrate_norms(net, batch)
        if not confident and kind == "faster_rcnn":
            for smooth in net.backbone.fpn.layer_blocks:
                smooth[0].weight.mul_(0.1)
        if not confident:
            return net.eval()
        if kind == "retinanet":
            _spread(net, net.head.classification_head.cls_logits, batch, low=-5.0, high=4.0)
        else:
            _spread(net, net.rpn.head.cls_logits, batch, low=-4.0, high=4.0)
            _spread(net, net.roi_heads.box_predictor.cls_score, batch, low=0.0, high=7.0)
            net.roi_heads.box_predictor.cls_score.bias[0] += 5
    return net.eval()


def images_of(batch):
    """The batch as torchvision wants it."""
    return [image[:, :h, :w] / 255 for image, (h, w) in zip(batch.images, batch.sizes.tolist(), strict=True)]


def share_pixels(reference, detector):
    """Let the reference see our normalised pixels, to the last bit.

    Both normalise alike to 5e-7, but behind fifty rectifiers even that turns some of them over, and gradients differ by
    the square root of how many.
    """
    reference.transform.normalize = lambda image: detector.normalise((image * 255).round().byte())


def share_proposals(reference, detector):
    """Let our second stage see the reference's proposals of the same step.

    A difference in the last bit decides now and then which of two overlapping proposals stays, and with it all samples.
    """
    latest = []
    reference.rpn.register_forward_hook(lambda _, __, output: latest.__setitem__(slice(None), output[0]))
    detector.proposals.propose = lambda *_: [Detections(boxes, *torch.zeros(2, len(boxes))) for boxes in latest]


def targets_of(batch, kind):
    """The objects as torchvision wants them: Faster R-CNN's class 0 is background, RetinaNet's is a class."""
    first = 0 if kind == "retinanet" else 1
    return [{"boxes": each.boxes, "labels": each.labels + first} for each in batch.targets]


def _calibrate_norms(net, batch):
    def take_statistics(layer, inputs):
        layer.running_var, layer.running_mean = torch.var_mean(inputs[0], (0, 2, 3), correction=0)

    layers = [layer for layer in net.modules() if isinstance(layer, FrozenBatchNorm2d)]
    handles = [layer.register_forward_pre_hook(take_statistics) for layer in layers]
    net.eval()(images_of(batch))
    for handle in handles:
        handle.remove()


def _spread(net, layer, batch, low, high):
    """Give each output of a layer the mean `low` on the photographs, and the largest of all the value `high`."""
    outputs = []
    handle = layer.register_forward_hook(lambda layer, inputs, output: outputs.append(output.detach()))
    net.eval()(images_of(batch))
    handle.remove()
    by_output = torch.cat([each.transpose(0, 1).flatten(1) for each in outputs], 1)
    mean = by_output.mean(1)
    factor = (high - low) / (by_output - mean[:, None]).max()
    layer.bias.copy_(low - factor * (mean - layer.bias))
    layer.weight.mul_(factor)


def ours(kind, reference, regions=512):
    """Our detector with torchvision's options and the reference's weights, renamed as `weights:` does."""
    backbone = resnet.resnet50(stride_on="3x3", norm="frozen", frozen_levels=(1, 2))
    net = (_retinanet if kind == "retinanet" else _faster_rcnn)(backbone, regions)
    state = renamed(reference.state_dict(), net)
    assert set(net.state_dict()) - set(state) == {"normalise.mean", "normalise.std"}
    net.load_state_dict(state, strict=False)
    return net.eval()


def _retinanet(backbone, _):
    return RetinaNet(
        Pyramid(backbone, range(3, 8), top="conv", top_input="P5"),
        CLASSES,
        anchors=Anchors(corners="rounded", stride="floor"),
        objective=DenseObjective(Matcher(0.4, 0.5, "always"), box_beta=0.0),
        selection=Selection(score=0.05, per_level=1000, nms=0.5, limit=LIMIT),
    )


def _faster_rcnn(backbone, regions):
    return FasterRCNN(
        Pyramid(backbone, range(2, 7)),
        CLASSES,
        proposals=lambda channels: ProposalNetwork(
            channels, anchors=Anchors(8, (1,), corners="rounded", stride="floor"), sampler=FixedSampler(256, 0.5)
        ),
        regions=lambda channels, classes: RegionClassifier(
            channels,
            classes,
            sampler=FixedSampler(regions, 0.25),
            box_beta=1 / 9,
            selection=Selection(score=0.05, per_level=1, nms=0.5, limit=LIMIT, smallest=1e-2),
        ),
    )


def renamed(tensors, detector):
    """Tensors by torchvision's parameter names, by our names and in our order of classes."""
    (layout,) = detector.public.layouts
    state = layout.rename(tensors)
    return state | detector_weights.classes(state, detector, layout, "")


def trainable(module):
    return {name: parameter for name, parameter in module.named_parameters() if parameter.requires_grad}


def relative_error(found: torch.Tensor, wanted: torch.Tensor) -> float:
    return float((found - wanted).norm() / wanted.norm().clamp(min=1e-12))


def outputs_of(net: nn.Module, layers, run):
    """Outputs of some layers while something runs, by layer."""
    kept: dict[str, list] = {name: [] for name in layers}
    handles = [
        net.get_submodule(name).register_forward_hook(lambda _, __, out, name=name: kept[name].append(out.clone()))
        for name in layers
    ]
    run()
    for handle in handles:
        handle.remove()
    return kept
