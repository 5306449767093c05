"""What torchvision's detectors on ResNet with a pyramid have in common: backbone and pyramid, COCO's classes, epsilon.

They want a `resnet50` with `stride_on: 3x3` and anchors with `corners: rounded` and `stride: floor`. They have 91
outputs, numbered by COCO's category ids with 0 for background; for 80 classes those of the 80 categories are taken, in
COCO's order.
"""

import re
from collections.abc import Callable, Sequence

from torch import nn
from torchvision.models import get_weight

from lit_vision.models.weights import torchvision_resnet
from lit_vision.models.weights.files import State

Rule = tuple[str, str | Callable[[re.Match[str]], str]]

_COARSEST = 5  # level of the coarsest map of torchvision's ResNet


def rename(state: State, rules: Sequence[Rule]) -> State:
    """To our names.

    Args:
        state: By torchvision's names.
        rules: Pattern and replacement of what one detector has beside backbone and pyramid.
    """
    lowest = _COARSEST + 1 - len({key.split(".")[3] for key in state if key.startswith("backbone.fpn.inner_blocks.")})
    return {_our_name(key, lowest, rules): value for key, value in state.items()}


def rows(outputs: int, classes: int, background: bool) -> list[int] | None:
    """Which of the outputs are ours, in our order: background is theirs first, ours last. See `DetectorLayout`."""
    last = [0] if background else []
    if outputs == len(_categories()) and classes == len(_category_ids()):
        return _category_ids() + last
    if outputs == classes + 1:  # torchvision's RetinaNet has an output for background too, unused
        return list(range(1, outputs)) + last
    return list(range(classes)) if outputs == classes and not background else None


def take_epsilon_out(state: State, detector: nn.Module) -> None:
    """Scale the frozen norm layers' weights so that they compute what the releases were trained with.

    The releases divide by the root of the variance alone, our layers by that of variance plus epsilon.
    """
    for name, layer in detector.named_modules():
        weight, variance = state.get(f"{name}.weight"), state.get(f"{name}.running_var")
        if weight is not None and variance is not None:
            state[f"{name}.weight"] = weight * ((variance + layer.eps) / variance).sqrt()


def _our_name(key: str, lowest: int, rules: Sequence[Rule]) -> str:
    if key.startswith("backbone.body."):
        return "pyramid.backbone." + torchvision_resnet.our_name(key.removeprefix("backbone.body."), offset=1)
    merged = re.match(r"backbone\.fpn\.(inner|layer)_blocks\.(\d)\.(?:0\.)?", key)
    if merged:
        kind = "lateral" if merged[1] == "inner" else "smooth"
        return f"pyramid.{kind}.{lowest + int(merged[2])}." + key[merged.end() :]
    for pattern, ours in rules:
        key = re.sub(pattern, ours, key)
    return key


def _categories() -> list[str]:
    names: list[str] = get_weight("RetinaNet_ResNet50_FPN_Weights.COCO_V1").meta["categories"]
    return names


def _category_ids() -> list[int]:
    return [number for number, name in enumerate(_categories()) if name not in ("__background__", "N/A")]
