"""One level of a backbone, as a recipe names it."""

import pytest
import torch
import yaml
from jsonargparse import ArgumentParser
from torch import nn

from lit_vision.errors import InputError
from lit_vision.models.backbones import resnet, vgg
from lit_vision.models.backbones.base import Backbone
from lit_vision.models.backbones.one_level import OneLevel
from lit_vision.models.detector import Detector
from lit_vision.types import Batch
from tests.parity.reference import target

# Faster R-CNN's sheet, A.3: 128, 256 and 512 pixels at stride 16, three ratios
RECIPE = """
class_path: lit_vision.models.faster_rcnn.FasterRCNN
init_args:
  num_classes: 3
  pyramid:
    class_path: lit_vision.models.backbones.one_level.OneLevel
    init_args:
      level: 4
      backbone: {class_path: lit_vision.models.backbones.resnet.resnet18, init_args: {norm: gn}}
  proposals:
    class_path: lit_vision.models.rpn.ProposalNetwork
    init_args:
      anchors: {base: 8, scales: [1, 2, 4], ratios: [0.5, 1, 2]}
      border: 0
  regions:
    class_path: lit_vision.models.faster_rcnn.RegionClassifier
    init_args:
      pooler: {levels: [4], op: pool, ends: inclusive}
      sampler: {size: 64, fraction: 0.25}
"""


def test_a_recipe_of_faster_r_cnn_on_c4_trains_and_detects():
    torch.manual_seed(0)
    parser = ArgumentParser()
    parser.add_argument("--detector", type=Detector)
    net = parser.instantiate(parser.parse_object({"detector": yaml.safe_load(RECIPE)})).detector
    assert net.pyramid.channels == {4: 256}
    assert [side * 2 for side in net.proposals.anchors.cell(4)[3:6, 2].tolist()] == [128, 256, 512]
    images = torch.randint(0, 256, (1, 3, 416, 544), dtype=torch.uint8)
    object_ = target(torch.tensor([[100.0, 100, 240, 230]]), torch.tensor([1]))
    losses = net.train().loss(Batch(images, torch.tensor([[416, 544]]), [object_]))
    sum(losses.values()).backward()
    assert [name for name, p in net.named_parameters() if p.grad is None] == []
    assert losses["rpn_box"] > 0  # an anchor within the image matched
    (found,) = net.eval().detect(images, torch.tensor([[416, 544]]))
    assert found.labels.numel() == len(found.boxes)


def test_higher_stages_are_gone():
    whole = sum(p.numel() for p in resnet.resnet50().parameters())
    stage_5 = sum(p.numel() for p in resnet.resnet50().stages["5"].parameters())
    assert sum(p.numel() for p in OneLevel(resnet.resnet50(), 4).parameters()) == whole - stage_5


def test_public_weights_fit_the_backbone_below():
    assert OneLevel(resnet.resnet50(stride_on="3x3"), 4).public.release == "ResNet50_Weights"


@pytest.mark.parametrize("build", [resnet.resnet18, vgg.vgg16])
def test_a_frozen_level_is_not_trained_and_keeps_its_statistics(build):
    frozen, trained = OneLevel(build(), 4, frozen=True).train(), OneLevel(build(), 4).train()
    assert not any(parameter.requires_grad for parameter in frozen.parameters())
    assert all(parameter.requires_grad for parameter in trained.parameters())
    norms = [layer for layer in frozen.modules() if isinstance(layer, nn.BatchNorm2d)]
    assert len(norms) == (13 if build is resnet.resnet18 else 0)
    assert not any(layer.training for layer in norms)


def test_a_level_that_is_not_there_is_told():
    with pytest.raises(InputError, match=r"^one level: ResNet offers levels \[2, 3, 4, 5\], not 6$"):
        OneLevel(resnet.resnet18(), 6)


def test_a_backbone_that_cannot_be_cut_is_told():
    class Whole(resnet.ResNet):
        cut = Backbone.cut

    net = resnet.resnet18()
    net.__class__ = Whole
    with pytest.raises(InputError, match=r"^Whole cannot be cut: its levels \[5\] lie above 4$"):
        OneLevel(net, 4)
