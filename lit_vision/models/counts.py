"""Parameters and multiply-adds, as the papers count them."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn


def parameters(module: nn.Module) -> int:
    """All weights and biases, frozen ones too; buffers are no parameters."""
    return sum(parameter.numel() for parameter in module.parameters())


def parameters_by_layer(module: nn.Module) -> dict[str, int]:
    """The parameters of each layer that has its own, in the order of their definition."""
    counted = {
        name: sum(parameter.numel() for parameter in layer.parameters(recurse=False))
        for name, layer in module.named_modules()
    }
    return {name: count for name, count in counted.items() if count}


def multiply_adds(module: nn.Module, image_size: tuple[int, int]) -> int:
    """Multiply-adds of convolutions and fully connected layers for one image (Table 1 of the ResNet paper counts so).

    Args:
        module: A network that takes images.
        image_size: Height and width.
    """
    return sum(by_layer(module, image_size).values())


def by_layer(module: nn.Module, image_size: tuple[int, int]) -> dict[str, int]:
    """Multiply-adds for one image of each convolution and fully connected layer, in the order of execution.

    The network runs on shapes alone: nothing is computed, and its weights are not touched. A layer that is called
    several times is counted as often.

    Args:
        module: A network that takes images.
        image_size: Height and width.
    """
    found: dict[str, int] = {}

    def counting(name: str) -> Callable[[nn.Module, Any, Tensor], None]:
        def count(layer: nn.Module, inputs: Any, output: Tensor) -> None:
            assert isinstance(layer, nn.Conv2d | nn.Linear)
            positions = output.numel() // output.shape[1]
            found[name] = found.get(name, 0) + layer.weight.numel() * positions

        return count

    layers = [(name, layer) for name, layer in module.named_modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    hooks = [layer.register_forward_hook(counting(name)) for name, layer in layers]
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
    return found
