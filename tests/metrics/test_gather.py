"""Ranks with different numbers of images, or without any, agree with one process bit for bit."""

import pytest
import torch
import torch.distributed as dist
from torchmetrics import MetricCollection

from lit_vision.metrics.coco import CocoAP
from lit_vision.metrics.recall import ProposalRecall
from lit_vision.metrics.voc import VocAP
from tests.distributed import world
from tests.metrics import scenes

SHARES = {  # rows of the twelve images that each rank evaluates
    "uneven": [range(0, 9), range(9, 12)],
    "dealt": [range(0, 12, 2), range(1, 12, 2)],
    "one empty": [range(0), range(12)],
}
SHARES_OF_THREE = {"uneven": [range(0, 2), range(2, 9), range(9, 12)], "two empty": [range(0), range(12), range(0)]}


def figures(rows):
    """All figures and a figure by class, and the images that the metric holds afterwards."""
    metrics = MetricCollection([CocoAP("fast"), VocAP(), ProposalRecall((10,))])
    found, targets = scenes.random(seed=12, scores=4, difficult=0.2)
    for row in rows:
        metrics.update(found[row : row + 1], targets[row : row + 1])
    result = {name: value.nan_to_num(-1) for name, value in metrics.compute().items()}
    return result | {"by class": metrics["VocAP"].per_class()["map"]}, len(metrics["CocoAP"].image_ids)


def share(shares):
    """What one rank finds."""
    dist.init_process_group("gloo")
    number = dist.get_rank()
    torch.save({case: figures(rows[number]) for case, rows in shares.items()}, f"{number}.pt")


@pytest.mark.parametrize("shares", [SHARES, pytest.param(SHARES_OF_THREE, marks=pytest.mark.slow)])
def test_every_rank_has_the_figures_of_one_process(shares, tmp_path):
    size = len(shares["uneven"])
    world.run(share, size, tmp_path, shares)
    alone, _ = figures(range(12))
    for number in range(size):
        for case, (result, left) in torch.load(tmp_path / f"{number}.pt").items():
            assert result.keys() == alone.keys()
            assert [name for name in alone if not torch.equal(result[name], alone[name])] == [], (number, case)
            assert left == len(shares[case][number])  # its own images again
