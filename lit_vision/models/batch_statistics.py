"""What BatchNorm layers see of given images, in place of the moving averages that training kept."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

Statistics = dict[str, Tensor]
"""By the name of a layer, float64 [2, C]: mean and unbiased variance of each channel."""


def layers(network: nn.Module) -> dict[str, _BatchNorm]:
    """The layers that keep statistics, by name; frozen ones are constants and none of them."""
    return {
        name: layer
        for name, layer in network.named_modules()
        if isinstance(layer, _BatchNorm) and layer.running_mean is not None
    }


@torch.no_grad()
def measure(network: nn.Module, images: Tensor) -> Statistics:
    """Statistics of one batch in each layer, where all layers normalise by this batch, as they do in training.

    Everything else of the network stays in evaluation mode: no dropout acts, and no process waits for another.

    Args:
        network: In evaluation mode; unchanged afterwards.
        images: What it takes, [B, 3, H, W].
    """
    found: Statistics = {}

    def note(name: str, inputs: Tensor) -> None:
        values = inputs.double().transpose(0, 1).flatten(1)  # in float64 on every device: sums of a million numbers
        found[name] = torch.stack([values.mean(1), values.var(1)]).cpu()

    with _normalising_by_the_batch(network) as here:
        hooks = [
            layer.register_forward_pre_hook(lambda _, inputs, name=name: note(name, inputs[0]))
            for name, layer in here.items()
        ]
        try:
            network.forward(images)  # not by calling it: a compiled network would be compiled once more
        finally:
            for hook in hooks:
                hook.remove()
    return found


def average(batches: Sequence[Statistics]) -> Statistics:
    """The mean of the batches' means and of their variances, in the given order."""
    return {name: torch.stack([batch[name] for batch in batches]).mean(0) for name in batches[0]}


def use(network: nn.Module, statistics: Statistics) -> None:
    """Puts statistics in the place of the moving averages."""
    for name, layer in layers(network).items():
        mean, variance = statistics[name]
        assert layer.running_mean is not None
        assert layer.running_var is not None
        layer.running_mean.copy_(mean)
        layer.running_var.copy_(variance)


@contextmanager
def _normalising_by_the_batch(network: nn.Module) -> Iterator[dict[str, _BatchNorm]]:
    """The layers, without moving averages for a while: PyTorch then normalises by the batch in evaluation mode, too."""
    here = layers(network)
    kept = {name: (layer.running_mean, layer.running_var) for name, layer in here.items()}
    for layer in here.values():
        layer.running_mean = layer.running_var = None
    try:
        yield here
    finally:
        for name, layer in here.items():
            layer.running_mean, layer.running_var = kept[name]
