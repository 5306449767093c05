"""Which window looks at which object: FPN's Figure 4 and the assignment, by hand."""

import math
import re

import pytest
import torch

from lit_vision.errors import InputError
from lit_vision.ops.matching import NEGATIVE
from lit_vision.ops.window import Windows

LEVELS = range(2, 7)
BOTH = Windows((5, 7))


def maps(height=64, width=64, levels=LEVELS):
    return {level: torch.zeros(1, 1, -(-height // 2**level), -(-width // 2**level)) for level in levels}


def square(x, y, side):
    return [x - side / 2, y - side / 2, x + side / 2, y + side / 2]


def test_objects_and_squares_are_the_paper_s():
    # Fact sheet, A.5: 32 to 512 pixels on P2 to P6, squares of 40 to 640; half an octave more for 7 x 7
    assert [BOTH.canonical(5, level) for level in LEVELS] == [32, 64, 128, 256, 512]
    assert [BOTH.region(5, level) for level in LEVELS] == [40, 80, 160, 320, 640]
    for level in LEVELS:
        assert BOTH.canonical(7, level) == pytest.approx(math.sqrt(2) * BOTH.canonical(5, level))
        assert BOTH.region(7, level) == pytest.approx(math.sqrt(2) * BOTH.region(5, level))


def test_places_are_windows_then_levels_then_rows():
    places = BOTH.places(maps(32, 64, (3, 4)))
    assert places.counts == [32, 8, 32, 8]
    assert places.strides.tolist() == [8, 16, 8, 16]
    assert places.centres[:2].tolist() == [[0, 0], [8, 0]]
    assert places.centres[32 + 5].tolist() == [16, 16]
    assert places.pairs()[[31, 32, 40, 79]].tolist() == [0, 1, 2, 3]
    assert places.squares(torch.tensor([9, 37])).tolist() == [square(8, 8, 80), square(16, 16, 160)]


def positives(windows, boxes, size=256):
    """(pair, x, y, object) of each positive place."""
    places = windows.places(maps(size, size))
    found = windows.assign(places, torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4))
    at = (found != NEGATIVE).nonzero()[:, 0]
    rows = zip(places.pairs()[at].tolist(), places.centres[at].tolist(), found[at].tolist(), strict=True)
    return [(pair, x, y, number) for pair, (x, y), number in rows]


def test_a_centre_within_a_stride_is_positive():
    # The centre 9, 10 of a 32-pixel object: cells of 4 pixels from 5 to 13 and from 6 to 14
    assert positives(Windows(), [square(9, 10, 32)]) == [(0, x, y, 0) for y in (8, 12) for x in (8, 12)]
    # On a cell itself both neighbours are within reach
    assert len(positives(Windows(), [square(16, 16, 32)])) == 9
    assert len(positives(Windows(reach=0.5), [square(16, 16, 32)])) == 1


@pytest.mark.parametrize(
    ("cells", "side", "pair"),
    [
        ((5,), 44, 0),  # between 32 and 64: sqrt(32 * 64) = 45.25
        ((5,), 46, 1),
        ((5,), 8, 0),
        ((5,), 2000, 4),
        ((7,), 63, 0),  # 45.25, 90.51: the middle is 64
        ((7,), 65, 1),
        ((5, 7), 38, 0),  # 32 and 45.25: the middle is 38.05
        ((5, 7), 39, 5),
        ((5, 7), 53, 5),  # 45.25 and 64: 53.82
        ((5, 7), 55, 1),
    ],
)
def test_objects_go_to_the_nearest_scale(cells, side, pair):
    found = positives(Windows(cells), [square(128, 128, side)])
    assert {row[0] for row in found} == {pair}


def test_the_longer_side_counts():
    assert {row[0] for row in positives(Windows(), [[96, 120, 160, 136]])} == {1}  # 64 x 16


def test_the_nearer_object_has_a_place_and_others_keep_theirs():
    found = positives(Windows(), [square(16, 16, 32), square(21, 16, 30)])
    owners = {(x, y): number for _, x, y, number in found}
    assert owners[16, 16] == 0
    assert owners[20, 16] == 1
    assert owners[12, 16] == 0
    assert owners[24, 16] == 1


def test_without_objects_all_are_negative():
    assert positives(BOTH, []) == []


@pytest.mark.parametrize("wrong", [{"cells": ()}, {"cells": (0,)}, {"base": 0}, {"padding": -1}, {"reach": 0}])
def test_what_is_out_of_range_is_told(wrong):
    with pytest.raises(InputError, match=re.escape("windows: cells, base and reach must be positive and padding")):
        Windows(**wrong)
