"""Parameters and multiply-adds, as the papers count them."""

from typing import Any

import torch
from torch import Tensor, nn


def parameters(module: nn.Module) -> int:
    """All weights and biases, frozen ones too; buffers are no parameters."""
    return sum(parameter.numel() for parameter in module.parameters())


def multiply_adds(module: nn.Module, image_size: tuple[int, int]) -> int:
    """Multiply-adds of convolutions and fully connected layers for one image (Table 1 of the ResNet paper counts so).

    The network runs on shapes alone: nothing is computed, and its weights are not touched.

    Args:
        module: A network that takes images.
        image_size: Height and width.
    """
    total = 0

    def count(layer: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
        nonlocal total
        assert isinstance(layer, nn.Conv2d | nn.Linear)
        total += layer.weight.numel() * (output.numel() // output.shape[1])  # weights times positions of the one image

    layers = [layer for layer in module.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    state = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    shapes = {name: torch.empty_like(tensor, device="meta") for name, tensor in state.items()}
    training = module.training
    try:
        images = torch.empty((1, 3, *image_size), dtype=torch.uint8, device="meta")
        torch.func.functional_call(module.eval(), shapes, (images,))
    finally:
        module.train(training)
        for hook in hooks:
            hook.remove()
    return total
