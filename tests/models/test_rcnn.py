"""R-CNN on proposals of each class, by hand (ResNet paper, Appendix C)."""

import math
from functools import partial

import pytest
import torch

from lit_vision.errors import InputError
from lit_vision.models.backbones import resnet
from lit_vision.models.backbones.one_level import OneLevel
from lit_vision.models.localiser import ClassProposals, only
from lit_vision.models.rcnn import RCNN, SELECTION, CropClassifier
from lit_vision.ops import box
from lit_vision.ops.anchor import Anchors
from lit_vision.ops.sampling import Sampler
from lit_vision.ops.selection import Selection
from lit_vision.types import Batch, Target

SIZE = torch.tensor([[64, 64]])
ANCHORS = Anchors(base=2, scales=(1,), ratios=(1.0,))  # 32 x 32 pixels around (0, 0), (16, 0), …
FEW = Selection(score=0.0, per_level=4, nms=0.5, limit=2, smallest=1.0)


def net(classes=3, fresh=False, **options):
    """Three classes on 16 anchors; the trunk's answers are replaced by `proposing`, those on regions by `saying`."""
    torch.manual_seed(0)
    given = {"selection": FEW, "guesses": 2, "sampler": Sampler(8, 0.5), **options}
    regions = partial(CropClassifier, backbone=resnet.resnet20(), size=8, at_once=3)
    proposals = partial(ClassProposals, anchors=ANCHORS)
    made = RCNN(OneLevel(resnet.resnet18(), 4), classes, regions, proposals, **given)
    return made if fresh else made.eval()


def proposing(module, best):
    """Fixes the localiser's logits: {(anchor, class): logit}, -9 elsewhere; no anchor is moved."""
    logits = torch.full((1, 16, module.num_classes), -9.0)
    for (anchor, label), value in best.items():
        logits[0, anchor, label] = value
    module.proposals.head.forward = lambda features: (logits, torch.zeros(*logits.shape, 4))
    return module


def saying(module, answer):
    """Fixes what is said of regions: `answer` of the number of a region gives logits [K] and offsets [K, 4]."""
    module.seen = []

    def forward(crops):
        start = sum(map(len, module.seen))
        module.seen.append(crops)
        found = [answer(start + index) for index in range(len(crops))]
        return torch.stack([logits for logits, _ in found]), torch.stack([deltas for _, deltas in found])

    module.regions.forward = forward
    return module


def target(label, *corners):
    boxes = torch.tensor([corners], dtype=torch.float64)
    flag = torch.zeros(1, dtype=torch.bool)
    return Target(boxes.float(), torch.tensor([label]), flag, flag, torch.ones(1), torch.tensor(1), SIZE[0], boxes)


def batch(*targets):
    return Batch(torch.zeros(len(targets), 3, 64, 64, dtype=torch.uint8), SIZE.expand(len(targets), 2), list(targets))


def test_a_proposal_has_the_score_and_the_box_that_its_region_has_of_its_class():
    # Anchors 5 and 10, 32 x 32 around (16, 16) and (32, 32), of classes 2 and 0.
    module = proposing(net(selection=Selection(0.0, 1, 0.5, 1, 1.0)), {(5, 2): 3.0, (10, 0): 2.0})
    wanted = torch.tensor([[4.0, 8.0, 30.0, 24.0], [20.0, 10.0, 60.0, 50.0]])  # of class 0, and of class 2
    places = torch.tensor([[16.0, 16.0, 48.0, 48.0], [0.0, 0.0, 32.0, 32.0]])
    offsets = box.encode(wanted, places, module.box_weights)

    def answer(index):
        deltas = torch.full((3, 4), 7.0)
        deltas[[0, 2]] = offsets
        return torch.tensor([[0.5, 9.0, 9.0], [9.0, 9.0, 1.5]][index]), deltas

    (found,) = saying(module, answer).detect(batch(target(0, 0, 0, 9, 9)).images, SIZE)
    assert found.labels.tolist() == [2, 0]
    assert found.scores.tolist() == pytest.approx([1 / (1 + math.exp(-value)) for value in (1.5, 0.5)])
    torch.testing.assert_close(found.boxes, wanted[[1, 0]])
    assert [tuple(each.shape) for each in module.seen] == [(2, 3, 8, 8)]


def test_of_each_class_the_best_proposals_are_looked_at_after_suppression():
    """Anchor 6 overlaps anchor 5 by a third: both stay at 0.5, and the third best is one too many."""
    module = proposing(net(guesses=1), {(5, 1): 4.0, (6, 1): 3.0, (10, 1): 2.0, (0, 0): 1.0})
    (of,) = module._proposed({4: torch.zeros(1, 256, 4, 4)}, (64, 64), SIZE, None)
    assert of.labels.tolist() == [1, 1]
    assert of.boxes.tolist() == [[0, 0, 32, 32], [16, 0, 48, 32]]
    close = proposing(
        net(guesses=1, selection=Selection(0.0, 4, 0.3, 2, 1.0)), {(5, 1): 4.0, (6, 1): 3.0, (10, 1): 2.0}
    )
    (of,) = close._proposed({4: torch.zeros(1, 256, 4, 4)}, (64, 64), SIZE, None)
    assert of.boxes.tolist() == [[0, 0, 32, 32], [16, 16, 48, 48]]
    assert (SELECTION.limit, SELECTION.nms) == (200, 0.7)


def test_the_best_region_of_a_class_is_found_whatever_its_proposal_scored():
    module = proposing(net(guesses=1), {(5, 1): 4.0, (7, 1): 3.0})
    answers = [torch.tensor([0.0, -1.0, 0.0]), torch.tensor([0.0, 2.0, 0.0])]
    (found,) = saying(module, lambda index: (answers[index], torch.zeros(3, 4))).detect(
        batch(target(0, 0, 0, 9, 9)).images, SIZE
    )
    assert found.labels.tolist() == [1]
    assert found.boxes.tolist() == [[32, 0, 64, 32]]


def test_only_named_classes_are_looked_for():
    module = proposing(net(), {(5, 2): 3.0, (10, 0): 2.0})
    saying(module, lambda index: (torch.zeros(3), torch.zeros(3, 4)))
    images = batch(target(0, 0, 0, 9, 9)).images
    with only(torch.tensor([1]), [module]):
        assert module.detect(images, SIZE)[0].labels.tolist() == [1]
    assert sorted(module.detect(images, SIZE)[0].labels.tolist()) == [0, 2]


def test_losses_by_hand():
    """One object; of its class, two proposals: the one on it is another positive, the one beside it background."""
    module = proposing(net(), {(5, 1): 4.0, (10, 1): 3.0, (15, 0): 9.0})
    deltas = torch.full((3, 4), 7.0)
    deltas[1] = torch.tensor([0.5, 0.0, 0.0, 2.0])  # smooth L1: 0.125 and 1.5
    found = saying(module, lambda index: (torch.zeros(3), deltas)).loss(batch(target(1, 0, 0, 32, 32)))
    assert sum(map(len, module.seen)) == 3
    assert found["cls"].item() == pytest.approx(9 * math.log(2) / 3)
    assert found["box"].item() == pytest.approx(2 * 1.625 / 3)  # both positives lie right on it


def test_regions_are_drawn_from_the_whole_batch():
    """Four images, four regions: a quarter positive, wherever that is."""
    module = net(sampler=Sampler(1, 0.25))
    here, there = torch.tensor([[0.0, 0.0, 32.0, 32.0]]), torch.tensor([[32.0, 32.0, 64.0, 64.0]])
    none = torch.zeros(0, 4)
    drawn = [
        module._sample([here.repeat(3, 1), *[there.repeat(3, 1)] * 3], [here, none, none, none]) for _ in range(20)
    ]
    for regions, matched in drawn:
        assert sum(map(len, regions)) == 4
        assert torch.equal(regions[0], here)
        assert matched.tolist() == [0, -1, -1, -1]
    assert len({tuple(map(len, regions)) for regions, _ in drawn}) > 1


@pytest.mark.parametrize("fresh", [True, False])
def test_the_localiser_stays_as_it_is(fresh):
    module = net(fresh=fresh) if fresh else net().train()  # a trainer leaves a new network as it was made
    before = {name: value.clone() for name, value in module.state_dict().items()}
    sum(module.loss(batch(target(1, 0, 0, 32, 32), target(2, 8, 8, 40, 60))).values()).backward()
    assert {name.split(".")[0] for name, each in module.named_parameters() if each.grad is not None} == {"regions"}
    changed = [name for name, value in module.state_dict().items() if not torch.equal(value, before[name])]
    assert changed  # statistics of the regions' network
    assert {name.split(".")[0] for name in changed} == {"regions"}


def test_regions_end_where_the_image_does():
    """What the padding holds is of no effect on a region at the border."""
    module = proposing(net(), {(5, 1): 4.0, (10, 1): 3.0})
    saying(module, lambda index: (torch.zeros(3), torch.zeros(3, 4)))
    images, sizes = torch.full((1, 3, 64, 64), 200, dtype=torch.uint8), torch.tensor([[40, 40]])
    module.detect(images, sizes)
    seen = torch.cat(module.seen)
    assert seen.std((2, 3)).max() < 1e-5


def test_what_cannot_be_is_refused():
    with pytest.raises(InputError, match="rcnn: guesses is 0; look for at least one class"):
        net(guesses=0)
    with pytest.raises(InputError, match="size and at_once are at least 1, got 0 pixels and 250 regions"):
        CropClassifier(3, resnet.resnet20(), size=0)
