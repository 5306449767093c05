"""Heads of classifiers: sizes by hand, and convolutions that say of every window what the head says of it."""

import pytest
import torch
from torch import nn

from lit_vision.errors import InputError
from lit_vision.models import counts
from lit_vision.models.backbones import resnet
from lit_vision.models.classifier import Classifier
from lit_vision.models.heads.classes import GlobalAverage
from lit_vision.models.heads.spp import SPP, Flat, bin_of

HEADS = {
    "average": lambda: GlobalAverage(6, 5, window=3),
    "spp": lambda: SPP(6, 5, bins=(7, 3, 2, 1), window=14, width=16),  # 14 -> 3: windows of 5, every 4
    "spp 6": lambda: SPP(6, 5, bins=(6, 3, 2, 1), window=18, width=16),
    "flat": lambda: Flat(6, 5, window=3, width=16),
}


def made(name):
    """A head with weights and slopes that matter."""
    torch.manual_seed(0)
    head = HEADS[name]().eval()
    for parameter in head.parameters():
        nn.init.normal_(parameter, std=0.2)
    return head


@pytest.mark.parametrize("name", HEADS)
def test_dense_says_of_each_window_what_the_head_says_of_it(name):
    head = made(name)
    maps = torch.randn(2, 6, head.window + 2, head.window + 3)
    with torch.no_grad():
        found = head.dense(maps)
        assert found.shape == (2, 5, 3, 4)
        for i in range(3):
            for j in range(4):
                window = maps[:, :, i : i + head.window, j : j + head.window]
                torch.testing.assert_close(found[:, :, i, j], head(window), atol=1e-4, rtol=1e-4)
        assert found.std((2, 3)).min() > 1e-3


@pytest.mark.parametrize("name", HEADS)
def test_a_map_smaller_than_a_window_is_told(name):
    head = made(name)
    side = head.window
    told = f"a map of {side - 1} x {side} cells holds no window of {side} x {side}, which the head is trained on;\n"
    with pytest.raises(InputError, match=told + "test at larger scales"):
        head.dense(torch.zeros(1, 6, side - 1, side))


def test_spp_pools_by_spp_nets_rule():
    """14 cells in 3 bins: cells 0..4, 4..8 and 8..12; those of torch's adaptive pool would be 0..4, 4..9 and 9..13."""
    head = SPP(1, 1, bins=(3, 1), window=14, width=2)
    head.fc1.layer.weight.data = torch.eye(2, 10)
    head.fc1.layer.bias.data.zero_()
    maps = torch.zeros(1, 1, 14, 14)
    maps[0, 0, 9, 4] = 7.0
    pooled = []
    head.fc1.register_forward_pre_hook(lambda _, inputs: pooled.append(inputs[0]))
    head(maps)
    # The cell lies in the last row of bins (8..12) and in the first two columns (0..4, 4..8); then the level of one.
    assert pooled[0][0].tolist() == [0, 0, 0, 0, 0, 0, 7, 7, 0, 7]


@pytest.mark.parametrize(
    ("cells", "count", "expected"),
    [(14, 7, (2, 2)), (14, 3, (5, 4)), (14, 2, (7, 7)), (14, 1, (14, 14)), (18, 6, (3, 3)), (7, 7, (1, 1))],
)
def test_bins(cells, count, expected):
    assert bin_of(cells, count) == expected


@pytest.mark.parametrize(("cells", "count"), [(6, 7), (17, 6), (8, 6)])
def test_cells_without_the_bins_are_told(cells, count):
    with pytest.raises(InputError, match=rf"^SPP: {cells} cells have no {count} bins by SPP-net's rule \(windows of"):
        bin_of(cells, count)
    with pytest.raises(InputError, match="choose other bins"):
        SPP(1, 1, bins=(count,), window=cells, width=1)


def test_layer_sizes_of_the_papers():
    """Section 3 of the sheet: 63 bins of 512 or 896 channels, 50 bins of 256; VGG's 7 x 7 x 512."""
    with torch.device("meta"):
        heads = {
            "A, B": SPP(512, 1000),
            "C": SPP(896, 1000),
            "14 layers": SPP(256, 1000, bins=(6, 3, 2, 1), window=18),
            "VGG": Flat(512, 1000),
        }
    inputs = {name: head.fc1.layer.in_features for name, head in heads.items()}
    assert inputs == {"A, B": 32_256, "C": 56_448, "14 layers": 12_800, "VGG": 25_088}
    assert counts.parameters(heads["A, B"]) == 32_256 * 4096 + 4096 + 4096 * 4096 + 4096 + 4096 * 1000 + 1000


def test_three_layers_start_as_section_2_2_says():
    torch.manual_seed(0)
    head = SPP(16, 50, bins=(2, 1), window=2, width=400)
    found = [layer.weight.std().item() for layer in (head.fc1.layer, head.fc2.layer, head.fc3)]
    assert found == pytest.approx([0.01, 0.01, 0.001], rel=0.05)
    assert not any(layer.bias.any() for layer in (head.fc1.layer, head.fc2.layer, head.fc3))


def test_half_of_both_hidden_layers_is_dropped_in_training_alone():
    head = made("flat")
    maps = torch.randn(4, 6, 3, 3)
    assert torch.equal(head(maps), head(maps))
    dropped = []
    head.dropout.register_forward_hook(lambda _, inputs, output: dropped.append((inputs[0] != 0, output == 0)))
    head.train()(maps)
    assert len(dropped) == 2
    share = sum((zero & alive).sum() for alive, zero in dropped) / sum(alive.sum() for alive, _ in dropped)
    assert 0.2 < share < 0.8


def test_a_flat_head_refuses_maps_of_another_size():
    with pytest.raises(InputError, match=r"^the head takes maps of 3 x 3 cells, but these have 4 x 3;\ngive images"):
        made("flat")(torch.zeros(1, 6, 4, 3))


def test_a_classifier_takes_a_head_and_still_scores_densely():
    torch.manual_seed(0)
    net = Classifier(resnet.resnet20(), 7, head=lambda channels, classes: SPP(channels, classes, (2, 1), 8, 32)).eval()
    images = torch.randint(0, 256, (2, 3, 32, 40), dtype=torch.uint8)
    with torch.no_grad():
        assert net(images[:, :, :, :32]).shape == (2, 7)
        found = net.dense(images[:, :, :, :32])
        assert found.shape == (2, 7, 1, 1)
        torch.testing.assert_close(found[:, :, 0, 0], net(images[:, :, :, :32]))
        assert net.dense(images).shape == (2, 7, 1, 3)
    assert {name.partition(".")[0] for name, _ in net.named_parameters()} == {"backbone", "fc"}
