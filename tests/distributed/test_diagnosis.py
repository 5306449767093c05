"""Files of the diagnosis are the same from any number of processes, batches dealt in turn."""

import os
from types import SimpleNamespace

import pytest
import torch
import torch.distributed as dist

from lit_vision.diagnosis.callback import Diagnosis
from lit_vision.types import Batch
from tests.diagnosis.test_callback import Data
from tests.distributed import world
from tests.metrics import scenes

IMAGES, SIZE = 11, 2


class Numbered(Data):
    tested = torch.arange(IMAGES).split(SIZE)

    def image_names(self, split):
        return {number: str(number) for number in range(10 * IMAGES)}


def batches(task):
    """Six batches of eleven images in all."""
    found, targets = scenes.random(images=IMAGES, seed=3)
    logits = torch.randn(IMAGES, 3, generator=torch.Generator().manual_seed(0))
    for first in range(0, IMAGES, SIZE):
        rows = slice(first, first + SIZE)
        detection = {"found": found[rows]}, targets[rows]
        yield detection if task == "detection" else (logits[rows], torch.arange(IMAGES)[rows] % 3)


def examine(folder, task):
    """One rank's share."""
    rank, size = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    if size > 1:
        dist.init_process_group("gloo")
    folder.mkdir(exist_ok=True)
    callback, module = Diagnosis(folder), SimpleNamespace(network=SimpleNamespace(agnostic=False))
    trainer = SimpleNamespace(world_size=size, global_rank=rank, datamodule=Numbered())
    for number, (outputs, targets) in enumerate(batches(task)):
        if number % size == rank:
            batch = Batch(torch.empty(0), torch.empty(0), targets)
            callback.on_test_batch_end(trainer, module, outputs, batch, number // size)
    callback.on_test_end(trainer, module)


@pytest.mark.parametrize("task", ["classification", "detection"])
def test_the_files_do_not_depend_on_the_number_of_processes(tmp_path, task):
    examine(tmp_path / "1", task)
    alone = {file.relative_to(tmp_path / "1"): file.read_bytes() for file in (tmp_path / "1").rglob("*.*")}
    assert len(alone) > 3
    for size in (2, 3):
        world.run(examine, size, tmp_path / f"of {size}", tmp_path / str(size), task)
        assert {
            file.relative_to(tmp_path / str(size)): file.read_bytes() for file in (tmp_path / str(size)).rglob("*.*")
        } == alone
