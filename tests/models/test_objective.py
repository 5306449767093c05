"""What a dense detector learns from does not depend on how a batch is cut into parts."""

import torch
from jsonargparse import ArgumentParser

from lit_vision.experiment import recipes
from lit_vision.models.objective import DenseObjective
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
