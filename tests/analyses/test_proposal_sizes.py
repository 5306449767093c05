"""Mean sizes of proposals by anchor, by hand (Faster R-CNN paper, Table 1)."""

import numpy as np
import pytest
import torch
from torch import nn

from lit_vision.analyses.proposal_sizes import ProposalSizes
from lit_vision.errors import InputError
from lit_vision.experiment import figures
from lit_vision.models.rpn import ProposalNetwork
from lit_vision.ops.anchor import Anchors
from lit_vision.ops.selection import Selection
from lit_vision.types import Batch
from tests.analyses import subjects


class Answering(nn.Module):
    """A head that says what it was told, of each image [2] logits and [2, 4] offsets."""

    def __init__(self, logits, deltas):
        super().__init__()
        self.said = torch.tensor(logits)[..., None], torch.tensor(deltas)

    def forward(self, features):
        return self.said


class Stretching(nn.Module):
    """Proposes from one cell of each image with two anchors, 64 x 16 and 32 x 32 pixels."""

    def __init__(self, logits, deltas):
        super().__init__()
        anchors = Anchors(2, (1,), (0.25, 1.0))
        limits = Selection(score=0.0, per_level=10, nms=0.7, limit=10, smallest=1.0)
        self.proposals = ProposalNetwork(1, lambda *_: Answering(logits, deltas), anchors, test=limits)

    def extract(self, images, sizes):
        return {4: images.new_zeros(len(images), 1, 1, 1)}


def batch(count, side=400):
    return Batch(torch.zeros(count, 3, side, side), torch.tensor([[side, side]] * count), [])


LOG2 = float(np.log(2))


def test_means_by_hand():
    # Moved by whole sides into the image, so that nothing is cut off or suppressed
    wide, square = [2.0, 4, 0, 0], [4.0, 4, LOG2, 0]
    high = [2.0, 12, 0, LOG2]
    net = Stretching([[1.0, 0.0], [1.0, 0.0]], [[wide, square], [high, square]])
    found = ProposalSizes().look([subjects.of(net, [batch(2)])])
    assert found.arrays["name"].tolist() == ["32 4:1", "32 1:1"]
    assert found.arrays["anchor"].tolist() == [[64, 16], [32, 32]]
    assert found.arrays["count"].tolist() == [2, 2]
    assert found.figures == pytest.approx(
        {
            **{"proposal_width/32 4:1": 64, "proposal_height/32 4:1": (16 + 32) / 2},
            **{"proposal_width/32 1:1": 64, "proposal_height/32 1:1": 32},
        }
    )
    assert figures.find("analysis/proposal_width/32 4:1") == figures.Kind("near", "pixels")
    drawn = ProposalSizes().draw(found, "title").axes
    assert [axes.get_title() for axes in drawn] == ["32 4:1", "32 1:1"]
    assert [each.get_width() for each in drawn[0].patches] == pytest.approx([64, 64])
    assert [each.get_height() for each in drawn[0].patches] == pytest.approx([16, 24])


def test_what_is_suppressed_does_not_count_and_none_is_no_figure():
    same = [[2.0, 4, 0, 0], [4.0, 2, LOG2, -LOG2]]  # both boxes are the same one
    found = ProposalSizes().look([subjects.of(Stretching([[0.0, 1.0]], [same]), [batch(1), batch(1)])])
    assert found.arrays["count"].tolist() == [0, 2]
    assert np.isnan(found.figures["proposal_width/32 4:1"])
    assert found.figures["proposal_height/32 1:1"] == pytest.approx(16)


def test_a_network_without_proposals_is_told_so():
    with pytest.raises(InputError, match=r"^analysis ProposalSizes looks at proposals, and Linear makes none$"):
        ProposalSizes().look([subjects.of(nn.Linear(1, 1), [])])


def test_anchors_have_the_names_of_the_table():
    assert Anchors(8, (1, 2, 4), (0.5, 1.0, 2.0), corners="published").names(4) == [
        *("128 2:1", "256 2:1", "512 2:1", "128 1:1", "256 1:1", "512 1:1", "128 1:2", "256 1:2", "512 1:2"),
    ]
