import math

import pytest
import torch
from torch import nn

from lit_vision.analyses.regions import Regions
from lit_vision.errors import InputError
from lit_vision.models.mask_proposals import MaskProposals
from tests.analyses import subjects


def test_the_squares_of_figure_4():
    with torch.device("meta"):
        network = MaskProposals.example()
    found = Regions().look([subjects.of(network)])
    # Figure 4: 80 for objects of 64 pixels, 160 for 128, 320 for 256
    assert found.arrays["level"].tolist() == [2, 3, 4, 5, 6]
    assert found.arrays["region/5x5"].tolist() == [40, 80, 160, 320, 640]
    assert found.arrays["canonical/5x5"].tolist() == [32, 64, 128, 256, 512]
    assert found.figures["region_p4/5x5"] == 160
    assert found.figures["region_p4/7x7"] == pytest.approx(160 * math.sqrt(2))
    (axes,) = Regions().draw(found, "squares").axes
    assert [line.get_ydata()[2] for line in axes.lines] == pytest.approx([160, 128, 226.27, 181.02], abs=0.01)


def test_what_has_no_masks_is_told():
    with pytest.raises(InputError, match=r"^analysis Regions looks at mask proposals, and Linear makes none$"):
        Regions().look([subjects.of(nn.Linear(1, 1))])
