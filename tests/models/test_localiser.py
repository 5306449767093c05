"""Proposals of each class, by hand (ResNet paper, Appendix C)."""

import math
from functools import partial

import pytest
import torch

from lit_vision.errors import InputError
from lit_vision.metrics.localisation import LocalisationError
from lit_vision.models.backbones import resnet
from lit_vision.models.backbones.one_level import OneLevel
from lit_vision.models.heads.localisation import LocalisationHead
from lit_vision.models.localiser import MATCHER, SAMPLER, ClassProposals, Localiser
from lit_vision.ops.anchor import Anchors
from lit_vision.ops.sampling import Sampler
from lit_vision.types import Batch, Target

SIZE = torch.tensor([[64, 64]])


ANCHORS = Anchors(base=2, scales=(1,), ratios=(1.0,))  # 32 x 32 pixels around (0, 0), (16, 0), …


def net(classes=3, sampler=SAMPLER, **options):
    torch.manual_seed(0)
    proposals = partial(ClassProposals, anchors=ANCHORS, sampler=sampler)
    return Localiser(OneLevel(resnet.resnet18(), 4), classes, proposals, **options).eval()


def target(label, *corners):
    boxes = torch.tensor([corners], dtype=torch.float64)
    flag = torch.zeros(1, dtype=torch.bool)
    return Target(boxes.float(), torch.tensor([label]), flag, flag, torch.ones(1), torch.tensor(1), SIZE[0], boxes)


def batch(*targets):
    return Batch(torch.zeros(len(targets), 3, 64, 64, dtype=torch.uint8), SIZE.expand(len(targets), 2), list(targets))


def answering(module, logits, deltas):
    """The head's answers, fixed: [B, A, K] and [B, A, K, 4]."""
    module.proposals.head.forward = lambda features: (logits, deltas)
    return module


def test_the_head_has_a_thousand_logits_and_four_thousand_offsets_of_each_anchor():
    head = LocalisationHead(8, 9, 1000)
    assert (head.cls.weight.shape, head.box.weight.shape) == ((9000, 8, 1, 1), (36_000, 8, 1, 1))
    logits, deltas = head({4: torch.rand(2, 8, 2, 3)})
    assert (logits.shape, deltas.shape) == ((2, 54, 1000), (2, 54, 1000, 4))


def test_offsets_stand_with_the_logit_of_their_anchor_and_class():
    head = LocalisationHead(1, 2, 3)
    with torch.no_grad():
        for layer in (head.cls, head.box):
            layer.weight.zero_()
            layer.bias.copy_(torch.arange(float(len(layer.bias))))
    logits, deltas = head({4: torch.zeros(1, 1, 1, 1)})
    assert logits.tolist() == [[[0, 1, 2], [3, 4, 5]]]
    assert deltas[0, 1, 2].tolist() == [20, 21, 22, 23]


def test_the_best_anchor_of_each_class_is_moved_by_the_class_s_own_offsets():
    logits, deltas = torch.full((1, 16, 3), -5.0), torch.zeros(1, 16, 3, 4)
    logits[0, 5, 0], logits[0, 10, 2] = 2.0, 3.0  # cells (1, 1) and (2, 2): centres 16 and 32
    deltas[0, 10, 2] = torch.tensor([0.25, 0, 0, math.log(0.5)])
    deltas[0, 10, 1] = 9.0
    (found,) = answering(net(), logits, deltas).detect(batch(target(0, 0, 0, 9, 9)).images, SIZE)
    assert found.labels.tolist() == [2, 0, 1]
    assert found.boxes[0].tolist() == pytest.approx([24, 24, 56, 40])  # moved by 8 pixels, half as high
    assert found.boxes[1].tolist() == pytest.approx([0, 0, 32, 32])
    assert found.scores.tolist() == pytest.approx([1 / (1 + math.exp(-value)) for value in (3.0, 2.0, -5.0)])


def test_losses_by_hand():
    """One object right on an anchor: all of its logits are trained, and its own class's offsets alone."""
    logits, deltas = torch.zeros(1, 16, 3), torch.full((1, 16, 3, 4), 7.0)
    deltas[0, 5, 1] = torch.tensor([0.5, 0.0, 0.0, 2.0])  # smooth L1: 0.125 and 1.5
    # One positive and one negative of the two that fit: 6 log losses of log 2, over 2 anchors.
    module = answering(net(sampler=Sampler(2, 0.5)), logits, deltas)
    found = module.loss(batch(target(1, 0, 0, 32, 32)))
    assert found["cls"].item() == pytest.approx(6 * math.log(2) / 2)
    assert found["box"].item() == pytest.approx(1.625 / 2)
    right = torch.zeros(1, 16, 3) - 20
    right[0, 5, 1] = 20
    found = answering(module, right, deltas).loss(batch(target(1, 0, 0, 32, 32)))
    assert found["cls"].item() == pytest.approx(0, abs=1e-6)
    found = answering(module, right.roll(1, 2), deltas).loss(batch(target(1, 0, 0, 32, 32)))
    assert found["cls"].item() == pytest.approx(40 / 2)  # one class missed and one claimed, 20 each


def test_the_paper_s_numbers():
    assert (SAMPLER.size, SAMPLER.fraction) == (8, 0.5)
    assert (MATCHER.low, MATCHER.high) == (0.3, 0.7)
    assert Localiser.example().proposals.anchors.per_location == 9


def test_the_error_of_the_given_class_needs_no_classifier():
    logits, deltas = torch.full((1, 16, 3), -1.0), torch.zeros(1, 16, 3, 4)
    logits[0, 5, 1], logits[0, 10, 0] = 0.0, 4.0
    images = batch(target(1, 2, 0, 32, 32))
    metric = LocalisationError((1, 2))
    metric.update(answering(net(), logits, deltas).detect(images.images, SIZE), images.targets)
    assert {name: value.item() for name, value in metric.compute().items()} == {
        **{"loc_error": 100, "loc_error2": 0, "loc_error_given": 0}
    }


def test_fewer_classes_may_be_kept():
    images = batch(target(1, 0, 0, 32, 32)).images
    assert [len(net(limit=limit).detect(images, SIZE)[0].labels) for limit in (None, 2)] == [3, 2]
    with pytest.raises(InputError, match="localiser: limit is 0; keep at least one class"):
        net(limit=0)
