import pytest
import torch

from lit_vision.data.pipelines.transforms import PCALighting, RandomShortSide

GREY = torch.full((3, 4, 5), 100, dtype=torch.uint8)


def test_short_side_is_drawn_from_the_whole_range():
    torch.manual_seed(0)
    resize = RandomShortSide(4, 7)
    sides = [tuple(resize(torch.zeros(3, 10, 20, dtype=torch.uint8)).shape[1:]) for _ in range(60)]
    # the long side keeps the ratio 2; both ends of the range belong to it
    assert set(sides) == {(4, 8), (5, 10), (6, 12), (7, 14)}
    assert resize(torch.zeros(3, 20, 10, dtype=torch.uint8)).shape[2] in range(4, 8)


def test_the_paper_draws_from_256_to_480():
    resize = RandomShortSide()
    assert (resize.low, resize.high) == (256, 480)
    torch.manual_seed(0)
    sides = {min(resize(torch.zeros(3, 30, 40, dtype=torch.uint8)).shape[1:]) for _ in range(40)}
    assert min(sides) >= 256
    assert max(sides) <= 480
    assert len(sides) > 25


def test_shift_of_the_first_component_by_hand():
    lighting = PCALighting()
    # first eigenvector (-0.5675, -0.5808, -0.5836) times its eigenvalue 0.2175
    assert lighting.shift(torch.tensor([1.0, 0.0, 0.0])).tolist() == pytest.approx(
        [-0.12343, -0.12632, -0.12693], abs=1e-5
    )
    # third column (0.4009, -0.8140, 0.4203) times 0.0045
    assert lighting.shift(torch.tensor([0.0, 0.0, 2.0])).tolist() == pytest.approx(
        [0.003608, -0.007326, 0.003783], abs=1e-6
    )


def test_lighting_adds_one_colour_to_all_pixels(monkeypatch):
    monkeypatch.setattr(torch, "randn", lambda *_: torch.tensor([1.0, 2.0, -1.0]))
    got = PCALighting(std=0.1)(GREY)
    # factors 0.1, 0.2, -0.1:
    # red -0.5675*0.2175*0.1 + 0.7192*0.0188*0.2 - 0.4009*0.0045*0.1 = -0.009819, times 255 = -2.5
    # green -0.5808*0.02175 - 0.0045*0.00376 + 0.8140*0.00045 = -0.012283, times 255 = -3.13
    # blue -0.5836*0.02175 - 0.6948*0.00376 - 0.4203*0.00045 = -0.015495, times 255 = -3.95
    assert got.dtype == torch.uint8
    assert got.shape == GREY.shape
    assert got[:, 0, 0].tolist() == [97, 97, 96]
    assert (got == got[:, :1, :1]).all()


def test_lighting_clips_at_both_ends(monkeypatch):
    lighting = PCALighting(std=1.0)
    black, white = torch.zeros_like(GREY), torch.full_like(GREY, 255)
    monkeypatch.setattr(torch, "randn", lambda *_: torch.tensor([5.0, 0.0, 0.0]))
    assert (lighting(black) == 0).all()
    monkeypatch.setattr(torch, "randn", lambda *_: torch.tensor([-5.0, 0.0, 0.0]))
    assert (lighting(white) == 255).all()


def test_lighting_without_spread_changes_nothing():
    assert torch.equal(PCALighting(std=0.0)(GREY), GREY)


def test_lighting_spread_is_that_of_the_components():
    torch.manual_seed(0)
    pixels = torch.stack([PCALighting()(GREY)[:, 0, 0].float() for _ in range(2000)]) - 100
    # red: 255 * 0.1 * sqrt((0.5675*0.2175)^2 + (0.7192*0.0188)^2 + (0.4009*0.0045)^2) = 3.17, plus rounding
    assert pixels[:, 0].std() == pytest.approx(3.18, rel=0.06)
    assert pixels.mean(0).tolist() == pytest.approx([0, 0, 0], abs=0.3)
