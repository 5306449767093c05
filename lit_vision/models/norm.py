"""Normalisation layers by name, for the `norm:` option of every backbone."""

import math
from collections.abc import Callable
from typing import Literal, get_args

import torch
from lightning.pytorch.utilities.rank_zero import rank_zero_info, rank_zero_warn
from torch import nn
from torchvision.ops import FrozenBatchNorm2d

from lit_vision.errors import InputError

Norm = Literal["bn", "sync", "frozen", "gn"]
MakeNorm = Callable[[int], nn.Module]


def make(kind: Norm) -> MakeNorm:
    """Factory that builds the named layer from a number of channels.

    Args:
        kind: `bn` batch statistics of one device; `sync` of all devices; `frozen` the loaded statistics as a constant
            affine (ResNet, Appendix A); `gn` group statistics of one image (Group Normalization, 1803.08494).

    Raises:
        InputError: `kind` is none of these.
    """
    factories: dict[str, MakeNorm] = {
        "bn": nn.BatchNorm2d,
        "sync": nn.SyncBatchNorm,
        "frozen": FrozenBatchNorm2d,
        "gn": _group_norm,
    }
    if kind not in factories:
        raise InputError(f"norm: {kind!r} is unknown; choose one of {', '.join(get_args(Norm))}")
    return factories[kind]


def _group_norm(channels: int) -> nn.GroupNorm:
    # 32 groups as in the paper, where the narrowest layer (64 wide) has two channels in a group. Narrower layers still
    # (CIFAR nets) keep at least those two, because a group of one channel would be instance normalisation.
    groups = min(math.gcd(32, channels), max(1, channels // 2))
    return nn.GroupNorm(groups, channels)


def refuse_random_frozen(module: nn.Module) -> None:
    """Refuse to run frozen layers that nothing was loaded into. Called when a run starts, not at construction.

    Raises:
        InputError: A `FrozenBatchNorm2d` still has mean 0 and variance 1.
    """
    frozen = {name: layer for name, layer in module.named_modules() if isinstance(layer, FrozenBatchNorm2d)}
    untouched = [name for name, layer in frozen.items() if _is_identity(layer)]
    if untouched:
        raise InputError(
            f"norm: frozen keeps loaded statistics, but {len(untouched)} of {len(frozen)} frozen layers hold none "
            f"(first: {untouched[0]})\nname pretrained weights (weights: …), or train with norm: bn or norm: gn"
        )


def refuse_sync_on_cpu(module: nn.Module, processes: int, device: torch.device) -> None:
    """Refuse synchronised layers where PyTorch has none: several processes without GPUs.

    Raises:
        InputError: There is an `nn.SyncBatchNorm`, and it would have to ask other processes.
    """
    if processes > 1 and device.type == "cpu" and any(isinstance(m, nn.SyncBatchNorm) for m in module.modules()):
        raise InputError(
            f"norm: sync runs on GPUs only, and here are {processes} processes on the CPU; "
            "train in one process, or with norm: bn or norm: gn"
        )


def tell_of_batch_statistics(module: nn.Module, images: int, processes: int) -> None:
    """Say what a trained BatchNorm sees: a warning at one image per device, a line if running statistics are partial.

    Args:
        module: The network.
        images: Images of one forward pass on one device.
        processes: Number of devices.
    """
    trained = [m for m in module.modules() if isinstance(m, nn.BatchNorm2d) and m.weight.requires_grad]
    if trained and images == 1:
        rank_zero_warn(
            f"norm: bn normalises {len(trained)} layers by the statistics of a single image on each device; "
            "train with norm: gn, norm: frozen (loaded weights) or, on several GPUs, norm: sync"
        )
    elif trained and processes > 1:
        rank_zero_info(
            f"BatchNorm normalises by {images} images at a time; its running statistics are those of rank zero's images"
        )


def _is_identity(layer: FrozenBatchNorm2d) -> bool:
    mean, variance = layer.get_buffer("running_mean"), layer.get_buffer("running_var")
    return bool(torch.all(mean == 0) and torch.all(variance == 1))
