"""Shares of a trained detector's loss, by hand: four anchors of one class, whose logits the test says."""

import math

import numpy as np
import pytest
import torch

from lit_vision.analyses import loss_shares
from lit_vision.analyses.loss_shares import LossShares
from lit_vision.errors import InputError
from lit_vision.models.objective import DenseObjective
from lit_vision.models.retinanet import RetinaNet
from lit_vision.models.rpn import RPN
from lit_vision.ops.matching import Matcher
from lit_vision.types import Predictions
from tests.analyses import subjects
from tests.analyses.test_recall import batch, target

SIDE = 10


class Known(RetinaNet):
    """Says the same of each image: anchor by anchor the same logit, each anchor beside the one before it."""

    def __init__(self, *logits):
        torch.nn.Module.__init__(self)
        self.objective = DenseObjective()
        self.logits = torch.tensor(logits)

    def predict(self, images, sizes):
        count = len(self.logits)
        anchors = torch.tensor([[SIDE * k, 0.0, SIDE * (k + 1), SIDE] for k in range(count)])
        logits = self.logits[None, :, None].expand(len(images), -1, -1)
        return Predictions(logits, torch.zeros(len(images), count, 4), anchors, (count,))


def objects(count, first=0):
    """An image with objects on so many anchors in a row, all of label 0."""
    found = target(1, *([SIDE * k, 0, SIDE * (k + 1), SIDE] for k in range(first, first + count)))
    return found._replace(labels=torch.zeros_like(found.labels))


def look(analysis, network, *targets):
    return analysis.look([subjects.of(network, [batch(one) for one in targets])])


def logit(probability):
    return math.log(probability / (1 - probability))


def test_the_easiest_half_by_hand():
    # Foreground: right by 0.9 and 0.5. Cross-entropy is 0.10536 and 0.69315; gamma 1 weighs it by 0.1 and 0.5
    network = Known(logit(0.9), logit(0.5), logit(0.2), logit(0.4))
    found = look(LossShares([0, 1]), network, objects(2))
    easy, hard = -math.log(0.9), -math.log(0.5)
    assert found.arrays["foreground/gamma 0"][500] == pytest.approx(easy / (easy + hard))
    assert found.arrays["foreground/gamma 1"][500] == pytest.approx(0.1 * easy / (0.1 * easy + 0.5 * hard))
    # Background: wrong by 0.2 and 0.4, so right by 0.8 and 0.6
    easy, hard = -math.log(0.8), -math.log(0.6)
    assert found.arrays["background/gamma 1"][500] == pytest.approx(0.2 * easy / (0.2 * easy + 0.4 * hard))
    # The hardest percent lies within the harder of two anchors, whose loss is spread evenly over its half
    assert found.figures["background_hardest1/gamma 0"] == pytest.approx(2 * hard / (easy + hard))
    assert set(found.figures) == {
        f"{kind}/gamma {gamma}" for kind in ("foreground_hardest20", "background_hardest1") for gamma in (0, 1)
    }


def test_curves_rise_from_nothing_to_all():
    found = look(LossShares(), Known(2.0, -1.0, -3.0, 1.0), objects(2), objects(1))
    for kind in ("foreground", "background"):
        for curve in found.series(kind).values():
            assert (curve[0], curve[-1]) == (0, pytest.approx(1))
            assert (np.diff(curve) >= 0).all()
    assert list(found.series("foreground")) == ["gamma 0", "gamma 0.5", "gamma 1", "gamma 2"]


def test_a_larger_gamma_leaves_more_to_the_hardest():
    network = Known(*torch.linspace(-6, 2, 200).tolist())
    shares = look(LossShares(), network, objects(1)).figures
    of = [shares[f"background_hardest1/gamma {gamma}"] for gamma in ("0", "0.5", "1", "2")]
    assert of == sorted(of)
    assert of[-1] > of[0]


def test_images_and_background_are_limited_and_drawn_alike_each_time(monkeypatch):
    seen = []
    monkeypatch.setattr(loss_shares, "cumulated", lambda found: seen.append(found) or np.array([0.0, 1.0]))
    network = Known(*torch.linspace(-4, 4, 50).tolist())
    images = [objects(3), objects(2), objects(4)]
    for _ in range(2):
        look(LossShares([0], images=2, background=10), network, *images)
    assert [len(each) for each in seen] == [5, 20, 5, 20]
    assert torch.equal(seen[1], seen[3])
    assert not torch.equal(*seen[1].split(10))  # each image is drawn from anew


def test_ignored_anchors_are_neither():
    # The object overlaps the second anchor by 0.45
    image = target(1, [0, 0, SIDE, SIDE], [SIDE, 0, SIDE + 4.5, SIDE])
    image = image._replace(labels=torch.zeros_like(image.labels))
    network = Known(0.0, 9.0, 1.0)
    network.objective = DenseObjective(Matcher(low=0.4, high=0.5))
    found = look(LossShares([0]), network, image)
    # One anchor of each kind: a straight line
    for kind in ("foreground", "background"):
        assert found.arrays[f"{kind}/gamma 0"] == pytest.approx(found.arrays["share"])


def test_one_panel_for_each_kind():
    analysis = LossShares()
    left, right = analysis.draw(look(analysis, Known(2.0, -1.0, 0.0), objects(1)), "Figure 4").axes
    assert [len(left.lines), len(right.lines)] == [4, 4]
    assert left.get_xlabel() == "share of the foreground anchors, easiest first"
    assert right.get_xlabel() == "share of the background anchors, easiest first"


def test_what_does_not_fit_is_told():
    with pytest.raises(InputError, match=r"^analysis LossShares looks at the anchors of a RetinaNet, not at RPN$"):
        look(LossShares(), RPN.example(), objects(1))
    with pytest.raises(
        InputError, match=r"^analysis LossShares: no anchor of its images stands for an object, or none"
    ):
        look(LossShares(), Known(0.0, 1.0), target(1))


@pytest.mark.parametrize("wrong", [{"gammas": []}, {"gammas": [-1.0]}, {"images": 0}, {"background": 0}])
def test_bad_options_are_told(wrong):
    with pytest.raises(
        InputError, match=r"^analysis LossShares needs gammas >= 0, and an image and a background anchor"
    ):
        LossShares(**wrong)


def test_a_real_detector_is_looked_at():
    torch.manual_seed(0)
    image = batch(objects(1)._replace(boxes=torch.tensor([[0.0, 0, 40, 40]])), side=64)
    found = LossShares().look([subjects.of(RetinaNet.example().eval(), [image])])
    assert 0 < found.figures["foreground_hardest20/gamma 2"] <= 100
