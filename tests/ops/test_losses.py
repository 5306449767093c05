import math

import pytest
import torch
from torchvision.ops import sigmoid_focal_loss

from lit_vision.ops import losses


def one_hot(labels, classes):
    return torch.nn.functional.one_hot(labels.clamp(min=0), classes) * (labels >= 0)[..., None]


@pytest.fixture
def logits_and_labels():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 50, 4, generator=generator, dtype=torch.float64) * 4
    return logits.requires_grad_(), torch.randint(-2, 4, (2, 50), generator=generator)


@pytest.mark.parametrize(("gamma", "alpha"), [(2.0, 0.25), (0.0, 0.75), (0.5, 0.5), (5.0, 0.25)])
def test_value_and_gradient_are_torchvision_s(logits_and_labels, gamma, alpha):
    logits, labels = logits_and_labels
    found = losses.focal(logits, labels, gamma, alpha)
    wanted = sigmoid_focal_loss(logits, one_hot(labels, 4).to(logits), alpha, gamma).sum(-1)
    torch.testing.assert_close(found, wanted)
    weights = torch.rand(50, dtype=torch.float64)
    (gradient,) = torch.autograd.grad((found * weights).sum(), logits)
    (expected,) = torch.autograd.grad((wanted * weights).sum(), logits)
    torch.testing.assert_close(gradient, expected)


def test_gradient_is_the_numerical_one(logits_and_labels):
    logits, labels = logits_and_labels
    few = logits[0, :6].detach().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: losses.focal(x, labels[0, :6], 0.5, 0.25), few)


@pytest.mark.parametrize(("probability", "factor"), [(0.9, 1 / 100), (0.5, 1 / 4), (0.968, 1 / 977)])
def test_how_much_easy_examples_fade(probability, factor):
    # RetinaNet, Section 3.2, with gamma 2
    logit = torch.tensor([[math.log(probability / (1 - probability))]], dtype=torch.float64)
    label = torch.tensor([0])
    ratio = losses.focal(logit, label, 2, None) / losses.focal(logit, label, 0, None)
    assert ratio.item() == pytest.approx(factor, rel=1e-3)


def test_gamma_0_is_cross_entropy(logits_and_labels):
    logits, labels = logits_and_labels
    wanted = torch.nn.functional.binary_cross_entropy_with_logits(
        logits, one_hot(labels, 4).to(logits), reduction="none"
    )
    torch.testing.assert_close(losses.focal(logits, labels, 0, None), wanted.sum(-1))


def test_values_at_the_prior():
    # Fact sheet of RetinaNet, A.4: 7.5e-7 of each no, 1.13 of each yes
    prior = torch.full((1, 1), -math.log(99), dtype=torch.float64)
    assert losses.focal(prior, torch.tensor([-1])).item() == pytest.approx(0.75 * 0.01**2 * 0.01005, rel=1e-3)
    assert losses.focal(prior, torch.tensor([0])).item() == pytest.approx(1.13, abs=0.005)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
@pytest.mark.parametrize("gamma", [0.0, 0.1, 2.0, 5.0])
@pytest.mark.parametrize("size", [100.0, 1000.0])
def test_finite_at_extreme_logits(dtype, gamma, size):
    logits = torch.tensor([[size, -size], [-size, size], [size, size]], dtype=dtype, requires_grad=True)
    loss = losses.focal(logits, torch.tensor([0, 0, -1]), gamma)
    loss.sum().backward()
    assert loss.dtype == torch.float32
    assert torch.isfinite(loss).all()
    assert logits.grad.dtype == dtype
    assert torch.isfinite(logits.grad).all()
    # Right everywhere; wrong twice, once each way; wrong twice where nothing is
    wanted = torch.tensor([0, 0.25 * size + 0.75 * size, 2 * 0.75 * size])
    torch.testing.assert_close(loss.detach(), wanted, rtol=1e-3, atol=1e-6)


def test_at_gamma_2_extreme_logits_are_torchvision_s():
    logits = torch.tensor([[100.0, -100.0, 3.0], [-100.0, 100.0, -3.0]], requires_grad=True)
    labels = torch.tensor([0, 0])
    found = losses.focal(logits, labels)
    wanted = sigmoid_focal_loss(logits, one_hot(labels, 3).to(logits), 0.25, 2).sum(-1)
    torch.testing.assert_close(found, wanted)
    torch.testing.assert_close(
        torch.autograd.grad(found.sum(), logits), torch.autograd.grad(wanted.sum(), logits), rtol=1e-5, atol=1e-8
    )


def test_no_anchors_keep_the_graph():
    logits = torch.zeros(0, 4, requires_grad=True)
    losses.focal(logits, torch.zeros(0, dtype=torch.int64)).sum().backward()
    assert logits.grad.shape == (0, 4)


def test_fl_star_by_hand():
    # Fact sheet of RetinaNet, A.4: -log(sigmoid(gamma x_t + beta)) / gamma. At x 1 and gamma 2, beta 1 a yes has
    # log(1 + e^-3) / 2 = 0.0242937, a no log(1 + e^1) / 2 = 0.6566308; weights 0.25 and 0.75.
    logit = torch.tensor([[1.0]], dtype=torch.float64)
    assert losses.focal_star(logit, torch.tensor([0]), 2, 1).item() == pytest.approx(0.25 * 0.0242937, rel=1e-5)
    assert losses.focal_star(logit, torch.tensor([-1]), 2, 1).item() == pytest.approx(0.75 * 0.6566308, rel=1e-6)
    # Two classes at x = 0, the first of them right: (0.25 + 0.75) log(1 + e^-1) / 2
    both = losses.focal_star(torch.zeros(1, 2, dtype=torch.float64), torch.tensor([0]), 2, 1)
    assert both.item() == pytest.approx(0.3132617 / 2, rel=1e-6)


def test_fl_star_s_slope_is_the_paper_s(logits_and_labels):
    # dFL*/dx = y (sigmoid(gamma x_t + beta) - 1)
    logits, labels = logits_and_labels
    (slope,) = torch.autograd.grad(losses.focal_star(logits, labels, 2, 1, None).sum(), logits)
    sign = 2 * one_hot(labels, 4).to(logits) - 1
    torch.testing.assert_close(slope, sign * (torch.sigmoid(2 * sign * logits.detach() + 1) - 1))


def test_fl_star_of_gamma_1_is_cross_entropy(logits_and_labels):
    logits, labels = logits_and_labels
    torch.testing.assert_close(losses.focal_star(logits, labels, 1, 0, 0.75), losses.focal(logits, labels, 0, 0.75))


def test_hinge_by_hand(logits_and_labels):
    # p = 1/4 for a yes, 3/4 for a no: 1/2 - 1/4, and nothing
    logit = torch.tensor([[-math.log(3)]], dtype=torch.float64, requires_grad=True)
    missed = losses.hinge(logit, torch.tensor([0]), 0.5)
    assert missed.item() == pytest.approx(0.25)
    assert torch.autograd.grad(missed.sum(), logit)[0].item() == pytest.approx(-3 / 16)  # -p (1 - p)
    assert losses.hinge(logit, torch.tensor([-1]), 0.5).item() == 0
    assert losses.hinge(logit, torch.tensor([-1]), 0.9).item() == pytest.approx(0.15)


@pytest.mark.parametrize("loss", [lambda x, y: losses.focal_star(x, y, 4, 0), lambda x, y: losses.hinge(x, y, 0.5)])
def test_the_other_losses_are_finite_in_half_precision(loss):
    logits = torch.tensor([[1000.0, -1000.0]], dtype=torch.float16, requires_grad=True)
    found = loss(logits, torch.tensor([1]))
    found.sum().backward()
    assert found.dtype == torch.float32
    assert torch.isfinite(found).all()
    assert torch.isfinite(logits.grad).all()


@pytest.mark.parametrize(
    ("beta", "wanted"),
    # |x| = 0.5 and 2: below beta x^2 / (2 beta), above |x| - beta / 2
    [(1.0, [0.125 + 1.5]), (0.0, [2.5]), (1 / 9, [2.5 - 1 / 9])],
)
def test_smooth_l1_by_hand(beta, wanted):
    deltas = torch.tensor([[0.5, 2.0, 0.0, 0.0]])
    assert losses.smooth_l1(deltas, torch.zeros(1, 4), beta).tolist() == pytest.approx(wanted)
    assert losses.smooth_l1(deltas[:0], deltas[:0], beta).shape == (0,)


@pytest.mark.parametrize(
    ("sigma", "wanted"),
    [
        # Fast R-CNN, Eq. 3: 0.5 x^2 below 1, else |x| - 0.5
        (1, [0.5 * 0.1**2, 0.5 * 0.5**2, 2 - 0.5]),
        # With Caffe's sigma of 3: 0.5 (3 x)^2 below 1 / 9, else |x| - 0.5 / 9
        (3, [4.5 * 0.1**2, 0.5 - 0.5 / 9, 2 - 0.5 / 9]),
    ],
)
def test_smooth_l1_by_hand_for_both_sigmas(sigma, wanted):
    deltas = torch.tensor([[0.1, 0, 0, 0], [0, -0.5, 0, 0], [0, 0, 2, 0]])
    found = losses.smooth_l1(deltas, torch.zeros(3, 4), 1 / sigma**2)
    torch.testing.assert_close(found, torch.tensor(wanted))
