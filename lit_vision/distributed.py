"""A few objects between processes, over the CPU: what figures, pictures and files need, never gradients.

Every function is a collective: all ranks call it, in the same order. In one process each is the identity.
"""

from typing import Any, TypeVar

import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

T = TypeVar("T")

# The CPU group that belongs to a default group, made at the first use; making one is a collective too.
_GROUPS: dict[Any, Any] = {}


def active() -> bool:
    """Whether there are other processes."""
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


def size() -> int:
    """Number of processes."""
    return dist.get_world_size() if active() else 1


def rank() -> int:
    """Number of this process; 0 where there is one."""
    return dist.get_rank() if active() else 0


def cpu_group() -> Any:
    """A gloo group of all ranks: detections do not belong into a GPU's memory, and NCCL takes nothing else."""
    whole = dist.group.WORLD
    if dist.get_backend() == "gloo":
        return whole
    if whole not in _GROUPS:
        _GROUPS.clear()  # of a group that was destroyed
        _GROUPS[whole] = dist.new_group(backend="gloo")
    return _GROUPS[whole]


def gather(value: T) -> list[T] | None:
    """The values of all ranks in their order, on rank zero; None on the others."""
    if not active():
        return [value]
    values: list[Any] | None = [None] * dist.get_world_size() if rank() == 0 else None
    dist.gather_object(value, values, dst=0, group=cpu_group())
    return values


def gather_everywhere(value: T) -> list[T]:
    """The values of all ranks in their order, on every rank."""
    if not active():
        return [value]
    values: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(values, value, group=cpu_group())
    return values


def share(value: T) -> T:
    """Rank zero's value, on every rank."""
    if not active():
        return value
    values = [value]
    dist.broadcast_object_list(values, src=0, group=cpu_group())
    return values[0]


def share_buffers(model: nn.Module) -> None:
    """Rank zero's running statistics for every rank, and no more of it while evaluating.

    DDP would send them within the first forward pass of an evaluation. A rank whose images are all left out makes no
    such pass, and the others would wait for it; so they are sent here, and the wrapper is informed that it was done.
    """
    if isinstance(model, DistributedDataParallel):
        for buffer in model.module.buffers():
            dist.broadcast(buffer, src=0)
        model.require_forward_param_sync = False
