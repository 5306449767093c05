"""Ranks with different numbers of images, or without any, agree with one process bit for bit."""

import os

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torchmetrics import MetricCollection

from lit_vision.metrics.coco import CocoAP
from lit_vision.metrics.recall import ProposalRecall
from lit_vision.metrics.voc import VocAP
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


def rank(number, world, shares, folder):
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=number, world_size=world)
    torch.save({case: figures(rows[number]) for case, rows in shares.items()}, os.path.join(folder, f"{number}.pt"))
    dist.barrier()
    dist.destroy_process_group()


@pytest.mark.parametrize("shares", [SHARES, pytest.param(SHARES_OF_THREE, marks=pytest.mark.slow)])
def test_every_rank_has_the_figures_of_one_process(shares, tmp_path):
    world = len(shares["uneven"])
    mp.spawn(rank, (world, shares, str(tmp_path)), nprocs=world)
    alone, _ = figures(range(12))
    for number in range(world):
        for case, (result, left) in torch.load(tmp_path / f"{number}.pt").items():
            assert result.keys() == alone.keys()
            assert [name for name in alone if not torch.equal(result[name], alone[name])] == [], (number, case)
            assert left == len(shares[case][number])  # its own images again
