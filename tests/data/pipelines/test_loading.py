"""Reader processes that die or hang: the image is named."""

import os
import re
import signal
import time

import pytest
import torch

from lit_vision.data.pipelines import loading
from lit_vision.data.pipelines.collate import collate
from lit_vision.data.pipelines.sampler import EvalBatches
from lit_vision.errors import InputError
from lit_vision.types import Sample

NAMES = [f"ant/{index}.png" for index in range(8)]


def read(index, fault):
    if index == 5 and os.getpid() != PARENT:
        fault()
    return Sample(torch.full((3, 4, 4), index, dtype=torch.uint8), index)


def killed():
    os.kill(os.getpid(), signal.SIGKILL)


def hung():
    time.sleep(60)


PARENT = os.getpid()


def batches(fault, workers):
    return list(
        loading.loader(
            lambda index: read(index, fault), EvalBatches(8, 2), collate, 0, workers, lambda index: NAMES[index]
        )
    )


@pytest.mark.parametrize("workers", [1, 2])
def test_a_killed_reader_names_its_image(workers):
    with pytest.raises(InputError) as error:
        batches(killed, workers)
    assert re.fullmatch(
        r"a reader process died; it was reading: ant/5.png\n.*memory; --data.num_workers 0 .*", str(error.value)
    )


def test_a_hung_reader_names_its_image(monkeypatch):
    monkeypatch.setattr(loading, "PATIENCE", 2.0)
    with pytest.raises(InputError, match=r"a reader process hung for 2 seconds; it was reading: ant/5.png\n"):
        batches(hung, 2)


@pytest.mark.parametrize("workers", [0, 2])
def test_without_a_fault_every_image_arrives_once(workers):
    found = torch.cat([batch.targets for batch in batches(lambda: None, workers)])
    assert found.tolist() == list(range(8))
