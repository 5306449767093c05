import math
from functools import partial

import pytest
import torch

from lit_vision.errors import InputError
from lit_vision.models.backbones import resnet
from lit_vision.models.faster_rcnn import FasterRCNN, RegionClassifier
from lit_vision.models.pyramid import Pyramid
from lit_vision.ops import box, selection
from lit_vision.ops.roi import Pooler
from lit_vision.types import Batch, Detections
from tests.parity.reference import target

MAPS = {2: torch.zeros(1, 4, 32, 32)}
SIZES = torch.tensor([[128, 128]])
OBJECT = torch.tensor([[0.0, 0, 20, 20]])


class Answers:
    """A head that gives fixed answers, and counts what it is asked."""

    context = False

    def __init__(self, logits, deltas=None):
        self.logits = logits
        self.deltas = deltas
        self.asked = []

    def __call__(self, pooled):
        self.asked.append(len(pooled))
        count = len(pooled)
        logits = torch.tensor(self.logits).expand(count, -1)
        deltas = torch.zeros(count, len(self.logits), 4) if self.deltas is None else self.deltas.expand(count, -1, -1)
        return logits, deltas


def second_stage(head, classes=2, **options):
    stage = RegionClassifier(4, classes, **options)
    stage._modules.pop("head")
    stage.head = head
    return stage


def test_parameters_are_torchvision_s():
    # fasterrcnn_resnet50_fpn: 41,755,286 with 91 outputs, one of them background; frozen norm layers have none
    backbone = resnet.resnet50(stride_on="3x3", norm="frozen", frozen_levels=(1, 2))
    net = FasterRCNN(Pyramid(backbone, range(2, 7)), 90)
    assert sum(p.numel() for p in net.parameters()) == 41_755_286


def test_loss_by_hand():
    # The object itself joins the regions; the region beside it is background, the last class
    stage = second_stage(Answers([1.0, 0.0, 2.0]), box_beta=0.0, box_weights=(1.0, 1.0, 1.0, 1.0))
    losses = stage.loss(MAPS, [torch.tensor([[60.0, 60, 80, 80]])], [OBJECT], [torch.tensor([1])], SIZES)
    assert stage.head.asked == [2]
    total = math.log(math.e + 1 + math.exp(2))
    assert losses["cls"].item() == pytest.approx(((total - 0) + (total - 2)) / 2)
    assert losses["box"].item() == 0


def test_box_loss_is_of_the_object_s_class_with_weights():
    deltas = torch.arange(12.0).view(3, 4)
    stage = second_stage(Answers([0.0, 0.0, 0.0], deltas), box_beta=0.0)
    region = torch.tensor([[0.0, 0, 20, 24]])
    losses = stage.loss(MAPS, [region], [OBJECT], [torch.tensor([1])], SIZES)
    offsets = box.encode(OBJECT, torch.cat([region, OBJECT]), (10, 10, 5, 5))
    wanted = (deltas[1] - offsets).abs().sum() / 2
    assert losses["box"].item() == pytest.approx(wanted.item(), rel=1e-5)


def test_a_quarter_of_512_regions_are_objects():
    stage = second_stage(Answers([0.0, 0.0, 0.0]))
    near = OBJECT.repeat(300, 1) + torch.rand(300, 1)
    far = OBJECT.repeat(700, 1) + 60
    stage.loss(MAPS, [torch.cat([near, far])], [OBJECT], [torch.tensor([0])], SIZES)
    assert stage.head.asked == [512]
    chosen, matched = stage._sample([torch.cat([near, far])], [OBJECT])
    assert len(chosen[0]) == 512
    assert (matched >= 0).sum() == 128


def test_image_without_objects_has_background_only():
    stage = second_stage(Answers([0.0, 0.0, 5.0]))
    losses = stage.loss(MAPS, [OBJECT], [OBJECT[:0]], [torch.zeros(0, dtype=torch.int64)], SIZES)
    assert losses["cls"].item() == pytest.approx(math.log(2 + math.exp(5)) - 5)
    assert losses["box"].item() == 0


def test_no_regions_at_all():
    stage = RegionClassifier(4, 2)
    losses = stage.loss(MAPS, [OBJECT[:0]], [OBJECT[:0]], [torch.zeros(0, dtype=torch.int64)], SIZES)
    sum(losses.values()).backward()
    assert [name for name, p in stage.named_parameters() if p.grad is None] == []
    assert [loss.item() for loss in losses.values()] == [0, 0]
    (scores,) = stage.score(partial(stage.pooler, MAPS), [OBJECT[:0]], SIZES)
    found = stage.candidates(scores, torch.tensor([128, 128]))
    assert found.boxes.shape == (0, 4)


def test_detect_by_hand():
    # Class 0 at 0.6, class 1 at 0.3; background is never found. Class 1's box is twice as wide.
    deltas = torch.zeros(3, 4)
    deltas[1, 2] = 5 * math.log(2)
    stage = second_stage(Answers([math.log(6), math.log(3), 0.0], deltas))
    regions = torch.tensor([[10.0, 10, 30, 30], [11, 10, 31, 30], [100, 10, 120, 30]])
    (scores,) = stage.score(partial(stage.pooler, MAPS), [regions], SIZES)
    candidates = stage.candidates(scores, torch.tensor([128, 115]))
    found = selection.suppress(*candidates, selection=stage.selection)
    # The second region is suppressed within each class; what leaves the image is cut off
    assert found.labels.tolist() == [0, 0, 1, 1]
    assert found.scores.tolist() == pytest.approx([0.6, 0.6, 0.3, 0.3])
    wanted = [[10, 10, 30, 30], [100, 10, 115, 30], [0, 10, 40, 30], [90, 10, 115, 30]]
    torch.testing.assert_close(found.boxes, torch.tensor(wanted, dtype=torch.float32))


def test_regions_pool_from_levels_2_to_5():
    net = FasterRCNN.example()
    assert sorted(net.pyramid.channels) == [2, 3, 4, 5, 6]
    assert net.regions.pooler == Pooler(7, "align", 2, (2, 3, 4, 5))


def test_trains_on_2000_proposals_and_detects_on_1000():
    net, seen = FasterRCNN.example(), []
    own = net.proposals.propose
    net.proposals.propose = lambda predictions, sizes, limits: seen.append(limits) or own(predictions, sizes, limits)
    images, sizes = torch.zeros(1, 3, 64, 64, dtype=torch.uint8), torch.tensor([[64, 64]])
    net.train().loss(Batch(images, sizes, [target(OBJECT, torch.tensor([0]))]))
    net.eval().detect(images, sizes)
    assert [limits.limit for limits in seen] == [2000, 1000]


def test_proposals_are_fixed_inputs_of_the_second_stage():
    # Section 3.2, (ii): no gradient through their coordinates
    net = FasterRCNN.example().train()
    images, sizes = torch.zeros(1, 3, 64, 64, dtype=torch.uint8), torch.tensor([[64, 64]])
    losses = net.loss(Batch(images, sizes, [target(OBJECT, torch.tensor([0]))]))
    (losses["cls"] + losses["box"]).backward()
    assert all(p.grad is None for p in net.proposals.parameters())


def test_nothing_to_pool_from_is_told():
    pyramid = Pyramid(resnet.resnet18(), (5, 6), channels=8)
    told = r"^regions are pooled from levels \[2, 3\], but there are maps of levels \[5, 6\] only; set regions"
    with pytest.raises(InputError, match=told):
        FasterRCNN(pyramid, 3, regions=lambda *sizes: RegionClassifier(*sizes, pooler=Pooler(levels=(2, 3))))


def test_detections_are_named_tuples_without_background():
    net = FasterRCNN.example().eval()
    (found,) = net.detect(torch.zeros(1, 3, 64, 64, dtype=torch.uint8), torch.tensor([[64, 64]]))
    assert isinstance(found, Detections)
    assert found.labels.max() < net.num_classes
