import pytest
import torch
from torch import nn

from lit_vision.analyses.anchor_count import AnchorCount
from lit_vision.errors import InputError
from lit_vision.models.backbones import resnet
from lit_vision.models.backbones.one_level import OneLevel
from lit_vision.models.pyramid import Pyramid
from lit_vision.models.rpn import RPN, ProposalNetwork
from lit_vision.ops.anchor import Anchors
from tests.analyses import subjects

SCALES = (1, 2, 4, 8, 16)


def network(build, base, scales):
    with torch.device("meta"):
        return RPN(build(), proposals=lambda channels: ProposalNetwork(channels, anchors=Anchors(base, scales)))


@pytest.mark.parametrize(
    ("build", "base", "scales", "by_level"),
    [
        # Cells of 800 x 1000 pixels, times the anchors of a cell; Table 1 prints 47k, 12k, 200k and 750k
        (lambda: OneLevel(resnet.resnet18(), 4), 2, SCALES, {4: 50 * 63 * 15}),
        (lambda: OneLevel(resnet.resnet18(), 5), 1, SCALES, {5: 25 * 32 * 15}),
        (
            lambda: Pyramid(resnet.resnet18(), range(2, 7), 8),
            *(8, (1,), {2: 200 * 250 * 3, 3: 100 * 125 * 3, 4: 50 * 63 * 3, 5: 25 * 32 * 3, 6: 13 * 16 * 3}),
        ),
        (lambda: Pyramid(resnet.resnet18(), (2,), 8), 8, SCALES, {2: 200 * 250 * 15}),
    ],
    ids=["C4", "C5", "pyramid", "P2"],
)
def test_the_paper_s_counts(build, base, scales, by_level):
    found = AnchorCount().look([subjects.of(network(build, base, scales))])
    assert dict(zip(found.arrays["level"].tolist(), found.arrays["anchors"].tolist(), strict=True)) == by_level
    assert found.figures["anchors"] == sum(by_level.values()) / 1e3
    (axes,) = AnchorCount().draw(found, "proposals").axes
    inside = found.arrays["anchors_inside"].tolist()
    assert [bar.get_height() for bar in axes.patches] == [*by_level.values(), *inside]


def test_anchors_inside_the_image_by_hand():
    # 4 x 6 cells of 16 pixels, squares of 32 around each cell's corner: the first row and column cross the border
    with torch.device("meta"):
        net = RPN(
            OneLevel(resnet.resnet18(), 4),
            proposals=lambda channels: ProposalNetwork(channels, anchors=Anchors(2, (1,), (1.0,))),
        )
    found = AnchorCount(64, 96).look([subjects.of(net)])
    assert found.arrays["anchors"].tolist() == [4 * 6]
    assert found.arrays["anchors_inside"].tolist() == [3 * 5]
    assert found.figures == {"anchors": 0.024, "anchors_inside": 0.015}


def test_what_cannot_be_counted_is_told():
    with pytest.raises(InputError, match=r"^analysis AnchorCount looks at proposals, and Linear makes none$"):
        AnchorCount().look([subjects.of(nn.Linear(1, 1))])
    with pytest.raises(InputError, match=r"^analysis: the image of AnchorCount is 0 x 9; give at least one pixel$"):
        AnchorCount(0, 9)
