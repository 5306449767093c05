import math

import pytest
import torch
from torch import nn

from lit_vision.errors import InputError
from lit_vision.protocols.crops import CenterCrop, TenCrop
from lit_vision.protocols.ensemble import Mean

IMAGES, SIZES = torch.zeros(1, 3, 4, 4, dtype=torch.uint8), torch.tensor([[4, 4]])


class Fixed(nn.Module):
    """Gives the same logits of each image; knows how large the images were that it saw."""

    def __init__(self, *logits):
        super().__init__()
        self.logits = torch.tensor([logits])
        self.sides = []

    def forward(self, images, sizes=None):
        self.sides.append(images.shape[-1])
        return self.logits


def test_the_softmax_is_averaged_and_not_the_logits():
    mean = Mean()
    mean.members.join([Fixed(0.0, math.log(3))])  # 1/4 and 3/4
    scores = mean.score(Fixed(math.log(9), 0.0), IMAGES, SIZES)  # 9/10 and 1/10
    assert scores.softmax(1)[0].tolist() == pytest.approx([0.575, 0.425])


def test_each_member_looks_by_the_protocol_of_the_mean():
    members = [Fixed(0.0, 1.0), Fixed(1.0, 0.0), Fixed(0.0, 0.0)]
    mean = Mean(of=TenCrop(3))
    mean.members.join(members[1:])
    assert mean.score(members[0], IMAGES, SIZES).softmax(1)[0].tolist() == pytest.approx([0.5, 0.5])
    assert [member.sides for member in members] == [[3] * 10] * 3


def test_members_are_in_evaluation_mode():
    mean, member = Mean(of=CenterCrop(4)), Fixed(0.0).train()
    mean.members.join([member])
    assert not member.training


def test_no_members_are_told():
    with pytest.raises(InputError, match=r"^protocol Mean joins the members of a row, and there are none"):
        Mean().score(Fixed(0.0), IMAGES, SIZES)
