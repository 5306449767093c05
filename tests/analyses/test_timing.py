"""Where a detector's time goes, by a clock that the test drives."""

import pytest
import torch

from lit_vision.analyses import timing
from lit_vision.analyses.base import Subject
from lit_vision.analyses.timing import Timing
from lit_vision.errors import InputError
from lit_vision.models.backbones.resnet import resnet20
from lit_vision.models.classifier import Classifier
from lit_vision.models.fast_rcnn import FastRCNN
from lit_vision.models.faster_rcnn import FasterRCNN
from lit_vision.models.retinanet import RetinaNet


class Costly(FasterRCNN):
    """Whose parts take 20, 3 and 7 ms by the test's clock, and which computes nothing."""

    def __init__(self, spend):
        torch.nn.Module.__init__(self)
        self.spend = spend

    def extract(self, images, sizes):
        self.spend(20)
        return {}

    def propose(self, features, image_size, sizes):
        self.spend(3)
        return []

    def score(self, features, regions, sizes):
        self.spend(5)
        return []

    def candidates_of(self, scores, sizes):
        return []

    def select(self, candidates):
        self.spend(2)
        return []


class Dense(RetinaNet):
    """Whose parts take 20 and 6 ms."""

    def __init__(self, spend):
        torch.nn.Module.__init__(self)
        self.spend = spend

    def extract(self, images, sizes):
        self.spend(20)
        return {}

    def candidates(self, features, image_size, sizes):
        self.spend(4)
        return []

    def select(self, candidates):
        self.spend(2)
        return []


@pytest.fixture
def time(monkeypatch):
    """The test's clock: a list of one number, in seconds."""
    now = [0.0]
    monkeypatch.setattr(timing, "clock", lambda work: now[0])
    return now


def subject(network, images, prepare=lambda image: (image[None], torch.tensor([image.shape[-2:]])), side=4):
    decoded = [torch.zeros(3, side, side, dtype=torch.uint8)] * images
    return Subject("row", lambda: network, lambda: (network, None), list, decoded=lambda: decoded, prepare=prepare)


def test_parts_and_total_by_hand(time):
    def spend(milliseconds):
        time[0] += milliseconds / 1000

    def prepare(image):
        spend(10)
        return image[None], torch.tensor([[4, 4]])

    found = Timing(images=3, warmup=2).look([subject(Costly(spend), 9, prepare)])
    assert {name: len(values) for name, values in found.arrays.items()} == dict.fromkeys(
        ("conv", "proposal", "region", "total"), 3
    )
    assert found.figures == pytest.approx(
        {"conv_ms": 20, "proposal_ms": 3, "region_ms": 7, "total_ms": 40, "rate": 25, "proposal_share": 7.5}
    )
    shown = Timing().draw(found, "title").axes[0].get_legend()
    assert [each.get_text() for each in shown.get_texts()] == [
        "before 10.0 ms",
        "conv 20.0 ms",
        "proposal 3.0 ms",
        "region 7.0 ms",
    ]


def test_one_stage_proposes_nothing(time):
    def spend(milliseconds):
        time[0] += milliseconds / 1000

    def prepare(image):
        spend(14)
        return image[None], torch.tensor([[4, 4]])

    found = Timing(images=2, warmup=0).look([subject(Dense(spend), 2, prepare)])
    assert found.figures == pytest.approx({"conv_ms": 20, "region_ms": 6, "total_ms": 40, "rate": 25})
    shown = Timing().draw(found, "title").axes[0].get_legend()
    assert [each.get_text() for each in shown.get_texts()] == ["before 14.0 ms", "conv 20.0 ms", "region 6.0 ms"]


def test_the_first_images_are_not_counted(time):
    costs = iter([500, 500, 30, 40])

    def prepare(image):
        time[0] += next(costs) / 1000
        return image[None], torch.tensor([[4, 4]])

    found = Timing(images=5, warmup=2).look([subject(Costly(lambda _: None), 4, prepare)])
    assert found.arrays["total"].tolist() == pytest.approx([30, 40])


@pytest.mark.parametrize("limit", [None, 7])
def test_as_many_proposals_as_are_asked_for(limit):
    network, kept = FasterRCNN.example().eval(), []
    score = network.score
    network.score = lambda features, regions, sizes: kept.append(len(regions[0])) or score(features, regions, sizes)
    before = network.proposals.test_selection
    Timing(images=2, warmup=0, limit=limit).look([subject(network, 2, side=64)])
    assert (network.proposals.test_selection, len(kept)) == (before, 2)
    assert max(kept) <= 7 if limit else min(kept) > 7


def test_bad_options_and_networks_are_told():
    with pytest.raises(InputError, match=r"^analysis: images is 0 and warmup 5; they must be at least 1 and 0$"):
        Timing(images=0)
    with pytest.raises(
        InputError, match=r"^analysis: limit is 0; it must be at least 1, or null for the network's own$"
    ):
        Timing(limit=0)
    for network in (FastRCNN.example(), Classifier(resnet20(), 10)):
        told = rf"^analysis Timing looks at detectors that need no proposals, and {type(network).__name__} is none$"
        with pytest.raises(InputError, match=told):
            Timing().look([subject(network, 1)])
    with pytest.raises(InputError, match=r"^analysis Timing: the test split has no more than 5 images; lower warmup$"):
        Timing().look([subject(Costly(lambda _: None), 5)])


def test_a_real_detector_is_timed():
    for network in (FasterRCNN.example(), RetinaNet.example()):
        found = Timing(images=1, warmup=0).look([subject(network.eval(), 1)])
        assert found.figures["total_ms"] >= found.figures["conv_ms"] > 0
