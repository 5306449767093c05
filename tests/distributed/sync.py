"""PyTorch's synchronised BatchNorm on the CPU: its own exchange between ranks, over kernels written out in formulas.

The kernels exist for GPUs alone; tested is what goes through the processes: statistics weighted by counts, and the
sums of the backward pass.
"""

import os
from unittest import mock

import torch
import torch.distributed as dist
from torch.nn.modules._functions import SyncBatchNorm

SHARES = (slice(0, 3), slice(3, 8))  # uneven, so that the counts matter
CHANNELS, EPS, MOMENTUM = 4, 1e-5, 0.1


def wide(values):
    return values[None, :, None, None]


def stats(images, eps):
    return images.mean((0, 2, 3)), (images.var((0, 2, 3), unbiased=False) + eps).rsqrt()


def gather_stats(images, means, deviations, running_mean, running_var, momentum, eps, counts):
    share = (counts / counts.sum())[:, None]
    mean = (share * means).sum(0)
    variance = (share * (deviations**-2 - eps + (means - mean) ** 2)).sum(0)
    running_mean.lerp_(mean, momentum)
    running_var.lerp_(variance * counts.sum() / (counts.sum() - 1), momentum)
    return mean, (variance + eps).rsqrt()


def normalise(images, weight, bias, mean, deviation, eps):
    return (images - wide(mean)) * wide(deviation * weight) + wide(bias)


def backward_sums(gradient, images, mean, deviation, weight, *_):
    total, product = gradient.sum((0, 2, 3)), (gradient * (images - wide(mean))).sum((0, 2, 3))
    return total, product, product * deviation, total


def backward(gradient, images, mean, deviation, weight, total, product, counts):
    count = counts.sum()
    centred = (images - wide(mean)) * wide(deviation**2 * product / count)
    return (gradient - wide(total / count) - centred) * wide(deviation * weight)


KERNELS = {
    "batch_norm_stats": stats,
    "batch_norm_gather_stats_with_counts": gather_stats,
    "batch_norm_elemt": normalise,
    "batch_norm_backward_reduce": backward_sums,
    "batch_norm_backward_elemt": backward,
}


def problem():
    """Images [8, C, 3, 3], a weight for each output, scale and offset."""
    random = torch.Generator().manual_seed(0)
    images = torch.randn(8, CHANNELS, 3, 3, generator=random, dtype=torch.float64) * 2 + 3
    importance = torch.randn(8, CHANNELS, 3, 3, generator=random, dtype=torch.float64)
    scale, offset = torch.randn(2, CHANNELS, generator=random, dtype=torch.float64)
    return images, importance, scale, offset


def share():
    """One rank's share of the problem; writes output, gradients and running statistics."""
    rank, world = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    dist.init_process_group("gloo", rank=rank, world_size=world)
    images, importance, scale, offset = problem()
    mine = images[SHARES[rank]].requires_grad_()
    scale.requires_grad_()
    running = torch.zeros(CHANNELS).double(), torch.ones(CHANNELS).double()
    with mock.patch.multiple(torch, **KERNELS):
        output = SyncBatchNorm.apply(mine, scale, offset, *running, EPS, MOMENTUM, dist.group.WORLD, world)
        (output * importance[SHARES[rank]]).sum().backward()
    torch.save((output.detach(), mine.grad, scale.grad, *running), f"{rank}.pt")
