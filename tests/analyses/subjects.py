"""Subjects for analyses: small networks, batches and logs."""

import torch

from lit_vision.analyses.base import Subject
from lit_vision.types import Batch


def batch(count, side=4):
    """Images and labels drawn by their number."""
    torch.manual_seed(count)
    images = torch.randint(0, 256, (count, 3, side, side), dtype=torch.uint8)
    return Batch(images, torch.tensor([[side, side]]).expand(count, 2), torch.zeros(count, dtype=torch.int64))


def of(network=None, batches=(), size=None, log=(), name="net"):
    """A subject with what a test hands it."""
    return Subject(name, lambda: network, lambda: (network, size), lambda: iter(batches), log)
