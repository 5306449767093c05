import math
from functools import partial

import pytest
import torch
from torch import nn

from lit_vision.models.backbones import resnet
from lit_vision.models.classifier import Classifier
from lit_vision.tasks.optim import ErrorWarmup, WarmupCosine, WarmupMilestones, parameter_groups, scale_rates
from lit_vision.tasks.task import Task


def classifier(**options):
    return Classifier(resnet.resnet20(**options), 10)


def names(net, group):
    kept = {id(parameter) for parameter in group["params"]}
    return {name for name, parameter in net.named_parameters() if id(parameter) in kept}


def test_by_default_all_parameters_decay():
    net = classifier()
    (group,) = parameter_groups(net)
    assert names(net, group) == {name for name, _ in net.named_parameters()}
    assert "weight_decay" not in group  # the optimiser's own applies


@pytest.mark.parametrize("norm", ["bn", "gn"])
@pytest.mark.parametrize(
    ("no_decay", "exempt"),
    [
        (["norm"], lambda name: ".norm" in name),
        (["bias"], lambda name: name == "fc.bias"),  # a norm layer's shift is its own kind
        (["norm", "bias"], lambda name: ".norm" in name or name == "fc.bias"),
    ],
    ids=["norm", "bias", "both"],
)
def test_exempt_parameters_have_a_group_without_decay(norm, no_decay, exempt):
    net = classifier(norm=norm)
    decayed, rest = parameter_groups(net, no_decay)
    assert names(net, rest) == {name for name, _ in net.named_parameters() if exempt(name)}
    assert names(net, decayed) == {name for name, _ in net.named_parameters() if not exempt(name)}
    assert rest["weight_decay"] == 0
    optimizer = torch.optim.SGD([decayed, rest], lr=0.1, weight_decay=1e-4)
    assert [group["weight_decay"] for group in optimizer.param_groups] == [1e-4, 0]


def rectifiers():
    """A convolution with a bias, a slope, a norm layer and a classifier."""
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.PReLU(4), nn.BatchNorm2d(4), nn.Linear(4, 2))


def test_slopes_are_a_kind_of_their_own():
    # Rectifiers paper, Section 2.1: no weight decay on the slopes; exempting norm layers does not exempt them
    net = rectifiers()
    assert names(net, parameter_groups(net, ["slope"])[1]) == {"1.weight"}
    assert names(net, parameter_groups(net, ["norm"])[1]) == {"2.weight", "2.bias"}
    assert names(net, parameter_groups(net, ["slope", "norm", "bias"])[0]) == {"0.weight", "3.weight"}


@pytest.mark.parametrize(
    ("no_decay", "groups"),
    [
        (
            [],
            [
                (0.1, 1e-4, {"0.weight", "1.weight", "2.weight", "2.bias", "3.weight"}),
                (0.2, 1e-4, {"0.bias", "3.bias"}),
            ],
        ),
        (
            ["bias"],
            [(0.1, 1e-4, {"0.weight", "1.weight", "2.weight", "2.bias", "3.weight"}), (0.2, 0, {"0.bias", "3.bias"})],
        ),
        (
            ["bias", "norm"],
            [
                (0.1, 1e-4, {"0.weight", "1.weight", "3.weight"}),
                (0.1, 0, {"2.weight", "2.bias"}),
                (0.2, 0, {"0.bias", "3.bias"}),
            ],
        ),
    ],
    ids=["rate", "rate-and-decay", "norm-too"],
)
def test_biases_learn_at_twice_the_rate(no_decay, groups):
    net = rectifiers()
    optimizer = torch.optim.SGD(parameter_groups(net, no_decay, bias_rate=2.0), lr=0.1, weight_decay=1e-4)
    scale_rates(optimizer)
    found = [(group["lr"], group["weight_decay"], names(net, group)) for group in optimizer.param_groups]
    assert found == groups
    schedule = WarmupMilestones(optimizer, milestones=[1], warmup=0)
    optimizer.step()
    schedule.step()
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([rate / 10 for rate, *_ in groups])


def test_a_step_moves_biases_twice_as_far_and_does_not_shrink_them():
    net = nn.Linear(1, 1)
    nn.init.ones_(net.weight), nn.init.ones_(net.bias)
    task = Task(net, partial(torch.optim.SGD, lr=0.1, weight_decay=0.5), None, ["bias"], 2.0, None, False)
    optimizer = task.configure_optimizers()
    net(torch.ones(1, 1)).sum().backward()  # gradients of 1
    optimizer.step()
    assert net.weight.item() == pytest.approx(1 - 0.1 * (1 + 0.5))
    assert net.bias.item() == pytest.approx(1 - 0.2)


def test_each_parameter_is_in_one_group():
    net = classifier()
    listed = [p for group in parameter_groups(net, ["norm", "bias"], 2.0) for p in group["params"]]
    assert len(listed) == len({id(p) for p in listed}) == len(list(net.parameters()))


def test_frozen_parameters_are_left_out():
    net = classifier(frozen_levels=[0, 1])
    decayed, rest = parameter_groups(net, ["norm"])
    assert all(name.startswith(("backbone.stages.2.", "fc.")) for name in names(net, decayed) | names(net, rest))
    # three blocks: 6 convolutions and the last layer's two; 6 norm layers of two
    assert (len(decayed["params"]), len(rest["params"])) == (8, 12)


def test_without_exempt_parameters_there_is_one_group():
    assert len(parameter_groups(classifier(norm="frozen"), ["norm"])) == 1


def sgd(lr=0.1):
    return torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=lr)


def rate(schedule):
    return schedule.optimizer.param_groups[0]["lr"]


def walk(schedule, steps):
    """Rates of the coming `steps` optimiser steps."""
    rates = []
    for _ in range(steps):
        rates.append(rate(schedule))
        schedule.optimizer.step()
        schedule.step()
    return rates


def test_warmup_cosine_by_hand():
    # up over 4 steps from a quarter of 0.8: 0.25 + 0.75 * k / 4; then cosines of 0, 1/4, 1/2, 3/4, 1 of pi
    rates = walk(WarmupCosine(sgd(0.8), steps=8, warmup=4, start=0.25), 9)
    s = math.sqrt(0.5)
    wanted = [0.25, 0.4375, 0.625, 0.8125, 1, (1 + s) / 2, 0.5, (1 - s) / 2, 0]
    assert rates == pytest.approx([0.8 * factor for factor in wanted])


def test_warmup_starts_at_zero_by_default():
    assert walk(WarmupCosine(sgd(1.0), steps=10, warmup=2), 3) == pytest.approx([0, 0.5, 1])


def test_without_warmup_the_cosine_starts_at_the_peak():
    assert walk(WarmupCosine(sgd(1.0), steps=2), 3) == pytest.approx([1, 0.5, 0])


def test_the_rate_stays_at_zero_after_the_last_step():
    assert walk(WarmupCosine(sgd(1.0), steps=2, warmup=1), 6)[2:] == pytest.approx([0, 0, 0, 0])


def test_a_run_that_is_all_warmup_ends_at_the_peak():
    assert walk(WarmupCosine(sgd(1.0), steps=2, warmup=2), 3) == pytest.approx([0, 0.5, 1])


def train(schedule, errors):
    """As the task does: the error of a step is known before the schedule moves on."""
    rates = []
    for error in errors:
        rates.append(rate(schedule))
        if schedule.observing:
            schedule.observe(error)
        schedule.optimizer.step()
        schedule.step()
    return rates


def warmup(**options):
    return ErrorWarmup(sgd(0.1), **{"milestones": [], "warmup_lr": 0.01, "below": 80.0, "window": 3} | options)


def test_the_warmup_ends_when_the_mean_of_the_window_is_below():
    # means of three: 90, 85, 80 (not below), 75 after step 5: the rate of step 6 is the optimiser's
    schedule = warmup()
    assert train(schedule, [95, 90, 85, 80, 75, 70, 65, 60]) == pytest.approx([0.01] * 6 + [0.1] * 2)
    assert schedule.switched_at == 6
    assert not schedule.observing


def test_one_lucky_step_does_not_end_it_nor_does_an_unfilled_window():
    schedule = warmup()
    assert train(schedule, [10, 10]) == pytest.approx([0.01] * 2)
    assert schedule.observing
    schedule = warmup()
    assert train(schedule, [90, 90, 70, 90, 90, 70, 90]) == pytest.approx([0.01] * 7)  # means 83.3
    assert schedule.observing


def test_it_never_goes_back():
    assert train(warmup(), [50] * 3 + [100] * 5) == pytest.approx([0.01] * 3 + [0.1] * 5)


def test_milestones_count_from_step_0():
    # the switch at step 3 shifts nothing: the rate falls for the steps numbered 5 and 7
    schedule = warmup(milestones=[5, 7])
    assert train(schedule, [50] * 9) == pytest.approx([0.01] * 3 + [0.1] * 2 + [0.01] * 2 + [0.001] * 2)


def test_a_milestone_within_the_warmup_counts_after_it():
    schedule = warmup(milestones=[2], gamma=0.5)
    assert train(schedule, [90, 90, 90, 50, 50, 50, 50]) == pytest.approx([0.01] * 4 + [0.05] * 3)


def test_every_group_warms_up_at_the_same_rate_and_returns_to_its_own():
    parameters = [{"params": [nn.Parameter(torch.zeros(1))], "lr": lr} for lr in (0.1, 0.2)]
    schedule = ErrorWarmup(torch.optim.SGD(parameters, lr=1.0), [], window=1)
    assert [group["lr"] for group in schedule.optimizer.param_groups] == [0.01, 0.01]
    train(schedule, [50])
    assert [group["lr"] for group in schedule.optimizer.param_groups] == pytest.approx([0.1, 0.2])


ERRORS = [95, 90, 85, 80, 75, 70, 65, 60, 55, 50, 45]


@pytest.mark.parametrize("cut", range(1, 11))
def test_a_reloaded_schedule_continues_identically(cut, tmp_path):
    options = {"milestones": [8], "window": 4}
    whole = train(warmup(**options), ERRORS)
    first = warmup(**options)
    start = train(first, ERRORS[:cut])
    file = tmp_path / "state.pt"
    torch.save({"schedule": first.state_dict(), "optimizer": first.optimizer.state_dict()}, file)
    train(first, ERRORS[cut:])  # what the first does later is not in the file
    state = torch.load(file, weights_only=True)
    second = warmup(**options)
    second.optimizer.load_state_dict(state["optimizer"])
    second.load_state_dict(state["schedule"])
    assert start + train(second, ERRORS[cut:]) == whole
    assert second.switched_at == first.switched_at == 6  # means of four: 87.5, 82.5, and 77.5 after step 5


def test_warmup_milestones_by_hand():
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.02)
    schedule = WarmupMilestones(optimizer, milestones=[6, 8], warmup=4, start=0.5)
    rates = []
    for _ in range(10):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert rates == pytest.approx([0.01, 0.0125, 0.015, 0.0175, 0.02, 0.02, 0.002, 0.002, 0.0002, 0.0002])
