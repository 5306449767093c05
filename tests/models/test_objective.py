"""What a dense detector learns from: all anchors or the hardest, however a batch is cut into parts."""

import pytest
import torch
from jsonargparse import ArgumentParser

from lit_vision.experiment import recipes
from lit_vision.models.losses import FocalLoss
from lit_vision.models.objective import DenseObjective
from lit_vision.ops.matching import Matcher
from lit_vision.ops.mining import HardExamples
from lit_vision.types import Predictions
from tests.parity.reference import target


def of_recipe(recipe, row):
    """The objective that a recipe's row builds."""
    network = recipes.resolve([recipe], row).config["model"]["init_args"]["network"]
    parser = ArgumentParser()
    parser.add_argument("--objective", type=DenseObjective)
    return parser.instantiate(parser.parse_object({"objective": network["init_args"]["objective"]})).objective


def gradients(objective, logits, deltas, targets, parts):
    """Gradients of the mean loss over equal parts of a batch, as two processes or two accumulated halves make them."""
    logits, deltas = logits.clone().requires_grad_(), deltas.clone().requires_grad_()
    anchors = torch.tensor([[x, 0.0, x + 10, 10] for x in (0, 10, 20, 30)])
    size = len(targets) // parts
    for start in range(0, len(targets), size):
        of = slice(start, start + size)
        losses = objective(Predictions(logits[of], deltas[of], anchors, (4,)), targets[of])
        (sum(losses.values()) / parts).backward()
    return logits.grad, deltas.grad


def test_the_quickstart_learns_alike_on_one_process_and_on_two():
    # One object in the first half, seven and none in the second: by the objects of a part, halves would weigh alike
    objective = of_recipe("quickstart/digit_scenes", "digit scenes")
    torch.manual_seed(0)
    logits, deltas = torch.randn(4, 4, 10), torch.randn(4, 4, 4)
    boxes = torch.tensor([[x, 0.0, x + 9, 9] for x in (0, 10, 20, 30)])
    targets = [target(boxes[:count], torch.arange(count)) for count in (1, 0, 4, 3)]
    whole, halves = (gradients(objective, logits, deltas, targets, parts) for parts in (1, 2))
    for one, two in zip(whole, halves, strict=True):
        assert one.abs().sum() > 0
        torch.testing.assert_close(one, two)


ANCHORS = torch.tensor([[x, 0.0, x + 10, 10] for x in (0, 10, 20, 30)])
CROSS_ENTROPY = FocalLoss(gamma=0, alpha=None)


def crossed(logits, deltas, targets, **options):
    objective = DenseObjective(class_loss=CROSS_ENTROPY, **options)
    return objective(Predictions(logits, deltas, ANCHORS, (4,)), targets)


def test_hard_examples_by_hand():
    # One class. Anchor 0 is the object's; 1 to 3 are background, and 3 predicts nearly the box of 2.
    logits = torch.tensor([0.0, 2.0, 1.0, 3.0])[None, :, None].requires_grad_()
    deltas = torch.zeros(1, 4, 4)
    deltas[0, 3, 0] = -0.9
    targets = [target(ANCHORS[:1], torch.tensor([0]))]
    loss = torch.nn.functional.softplus(torch.tensor([0.0, 2.0, 1.0, 3.0]))
    found = crossed(logits, deltas, targets, mining=HardExamples(3, 0.5))
    assert found["cls"].item() == pytest.approx((loss[0] + loss[1] + loss[3]).item() / 3)
    found["cls"].backward()
    assert (logits.grad.flatten() != 0).tolist() == [True, True, False, True]


def test_boxes_are_learnt_of_the_examples_alone():
    # Both anchors stand for objects; the second errs less in class and is left out, though its box is far off
    logits = torch.tensor([0.0, 4.0, -9.0, -9.0])[None, :, None]
    deltas = torch.zeros(1, 4, 4)
    deltas[0, 0, 0], deltas[0, 1, 0] = 1.0, 5.0
    targets = [target(ANCHORS[:2], torch.tensor([0, 0]))]
    found = crossed(logits, deltas, targets, mining=HardExamples(1, 1.0), box_beta=0.0)
    assert found["box"].item() == pytest.approx(1.0)
    both = crossed(logits, deltas, targets, mining=HardExamples(2, 1.0), box_beta=0.0)
    assert both["box"].item() == pytest.approx((1 + 5) / 2)


def test_all_examples_give_plain_cross_entropy_by_another_divisor():
    torch.manual_seed(0)
    logits, deltas = torch.randn(2, 4, 3), torch.randn(2, 4, 4)
    targets = [target(ANCHORS[:2], torch.tensor([0, 2])), target(ANCHORS[1:3], torch.tensor([1, 1]))]
    plain = crossed(logits, deltas, targets)
    mined = crossed(logits, deltas, targets, mining=HardExamples(100, 1.0))
    for name, value in plain.items():  # two objects of an image, four examples
        torch.testing.assert_close(mined[name] * 4, value * 2)


def test_ignored_anchors_are_no_hard_examples():
    logits = torch.tensor([0.0, 9.0, 1.0, 2.0])[None, :, None].requires_grad_()
    boxes = torch.tensor([[0.0, 0, 10, 10], [10, 0, 14.5, 10]])  # the second overlaps anchor 1 by 0.45
    matcher = Matcher(low=0.4, high=0.5)
    found = crossed(
        logits,
        torch.zeros(1, 4, 4),
        [target(boxes, torch.tensor([0, 0]))],
        matcher=matcher,
        mining=HardExamples(4, 1.0),
    )
    found["cls"].backward()
    assert (logits.grad.flatten() != 0).tolist() == [True, False, True, True]


@pytest.mark.parametrize("negatives", [None, 3])
def test_images_without_objects_keep_every_parameter_in_the_graph(negatives):
    logits, deltas = torch.randn(1, 4, 2, requires_grad=True), torch.randn(1, 4, 4, requires_grad=True)
    empty = [target(torch.zeros(0, 4), torch.zeros(0, dtype=torch.int64))]
    found = crossed(logits, deltas, empty, mining=HardExamples(4, 1.0, negatives))
    sum(found.values()).backward()
    assert logits.grad.any() == (negatives is None)  # 1:3 asks for no negatives where there is no positive
    assert not deltas.grad.any()


@pytest.mark.parametrize("negatives", [None, 1])
def test_mining_looks_at_each_image_alone(negatives):
    objective = DenseObjective(class_loss=CROSS_ENTROPY, mining=HardExamples(2, 0.5, negatives))
    torch.manual_seed(0)
    logits, deltas = torch.randn(4, 4, 3), torch.randn(4, 4, 4)
    targets = [target(ANCHORS[:count], torch.arange(count) % 3) for count in (1, 0, 4, 3)]
    whole, halves = (gradients(objective, logits, deltas, targets, parts) for parts in (1, 2))
    for one, two in zip(whole, halves, strict=True):
        assert one.abs().sum() > 0
        torch.testing.assert_close(one, two)
