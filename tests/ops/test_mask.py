"""Masks as cells of windows and as pixels of images, by hand and against plain loops."""

import math

import pytest
import torch
from pycocotools import mask as coco

from lit_vision.ops import mask


def filled(height, width, x1, y1, x2, y2):
    found = torch.zeros(height, width, dtype=torch.bool)
    found[y1:y2, x1:x2] = True
    return found


def test_a_window_sees_cells_that_are_half_covered():
    # Cells of 10 pixels: the object covers six columns and all rows of the second cell of each row
    masks = filled(20, 20, 10, 0, 16, 20)[None]
    (seen,) = mask.crop(masks, torch.tensor([0]), torch.tensor([[0.0, 0, 20, 20]]), 2)
    assert seen.tolist() == [[False, True], [False, True]]
    (seen,) = mask.crop(filled(20, 20, 10, 0, 13, 20)[None], torch.tensor([0]), torch.tensor([[0.0, 0, 20, 20]]), 2)
    assert not seen.any()


def test_there_is_nothing_beyond_the_image():
    masks = torch.ones(1, 20, 30, dtype=torch.bool)
    windows = torch.tensor([[-20.0, 0, 20, 40], [10, -20, 50, 20]])
    first, second = mask.crop(masks, torch.tensor([0, 0]), windows, 4)
    assert first.tolist() == [[False, False, True, True]] * 2 + [[False] * 4] * 2
    assert second.tolist() == [[False] * 4] * 2 + [[True, True, False, False]] * 2


def test_each_window_sees_its_own_object():
    masks = torch.stack([filled(8, 8, 0, 0, 4, 4), filled(8, 8, 4, 4, 8, 8)])
    windows = torch.tensor([[0.0, 0, 8, 8]]).expand(2, 4)
    seen = mask.crop(masks, torch.tensor([1, 0]), windows, 2)
    assert seen.tolist() == [[[False, False], [False, True]], [[True, False], [False, False]]]


def test_boxes_are_drawn_around_likely_cells():
    masks = torch.full((3, 4, 4), 0.2)
    masks[0, 1, 2] = masks[0, 2, 2] = 0.9
    masks[1, 3, 0] = 0.5
    windows = torch.tensor([[10.0, 20, 50, 60]] * 3)
    found = mask.bounds(masks, windows)
    assert found.tolist() == [[30, 30, 40, 50], [10, 50, 20, 60], [10, 20, 50, 60]]  # the last: no likely cell


def bilinear(values, window, x, y):
    """The probability at a pixel's centre, worked out for one pixel."""
    size, (x1, y1, x2, y2) = len(values), window
    px, py = x + 0.5, y + 0.5
    if not (x1 <= px < x2 and y1 <= py < y2):
        return 0.0
    u = min(max((px - x1) / (x2 - x1) * size - 0.5, 0), size - 1)
    v = min(max((py - y1) / (y2 - y1) * size - 0.5, 0), size - 1)
    left, top = min(int(u), size - 2), min(int(v), size - 2)
    a, b = u - left, v - top
    above = (1 - a) * values[top][left] + a * values[top][left + 1]
    below = (1 - a) * values[top + 1][left] + a * values[top + 1][left + 1]
    return (1 - b) * above + b * below


def test_masks_are_laid_over_images_by_bilinear_interpolation():
    draw = torch.Generator().manual_seed(0)
    masks = torch.rand(3, 4, 4, generator=draw)
    windows = torch.tensor([[2.0, 1, 14, 13], [-6.5, 4.25, 9.5, 20.25], [1.0, 1, 3, 3]])
    found = mask.paste(masks, windows, 12, 16)
    for index in range(3):
        for y in range(12):
            for x in range(16):
                wanted = bilinear(masks[index].tolist(), windows[index].tolist(), x, y)
                if not math.isclose(wanted, 0.5, abs_tol=1e-5):
                    assert bool(found[index, y, x]) == (wanted >= 0.5), (index, x, y)


def test_what_a_window_saw_is_laid_where_it_was():
    masks = filled(60, 80, 20, 10, 50, 40)[None]
    windows = torch.tensor([[5.0, -5, 65, 55]])
    seen = mask.crop(masks, torch.tensor([0]), windows, 12).float()
    other = mask.paste(seen, windows, 60, 80) ^ masks
    corners = sum(filled(60, 80, x - 3, y - 3, x + 3, y + 3) for x in (20, 50) for y in (10, 40)).bool()
    assert not (other & ~corners).any()  # cells of 5 pixels: only corners are rounded off
    assert other.sum() <= 4 * 3


@pytest.mark.parametrize("count", [0, 1, 5])
def test_run_lengths_are_coco_s(monkeypatch, count):
    monkeypatch.setattr(mask, "AT_ONCE", 2)
    masks, windows = torch.rand(count, 6, 6), torch.tensor([[1.0, 2, 9, 10]]).expand(count, 4)
    found = mask.encode(masks, windows, 12, 14)
    assert len(found) == count
    if count:
        assert torch.equal(
            torch.from_numpy(coco.decode(found)).permute(2, 0, 1).bool(), mask.paste(masks, windows, 12, 14)
        )


def test_rows_of_a_target_are_run_lengths_again():
    rows = torch.tensor([[65, 66, 0], [67, 0, 0]], dtype=torch.uint8)
    assert mask.run_lengths(rows, 3, 4) == [{"size": [3, 4], "counts": b"AB"}, {"size": [3, 4], "counts": b"C"}]
