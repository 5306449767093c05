"""The first part of every model: uint8 pixels in, centred float32 out, so that a checkpoint carries its own mean."""

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from lit_vision.errors import InputError

# Averages of ImageNet's training images in 0..1, the values that most public weights were trained with.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class Normalise(nn.Module):
    """Subtract a mean and divide by a standard deviation, both of images scaled to 0..1.

    The mean may be an image (the per-pixel mean of the ResNet paper, Section 4.2); at sizes other than that image's,
    its per-channel average is used. Every model owns one; the DataModule provides the values through `set`.

    Args:
        mean: Three numbers, or a tensor [3, 1, 1] or [3, H, W], in 0..1.
        std: Likewise, positive. 1/255 leaves pixels in 0..255.

    Attributes:
        of_any_size: Buffers whose height and width a checkpoint's file decides.

    Raises:
        InputError: The values have another shape, or lie outside their range.
    """

    of_any_size: ClassVar = ("mean", "std")
    mean: Tensor
    std: Tensor
    scale: Tensor
    shift: Tensor

    def __init__(
        self,
        mean: Sequence[float] | Tensor = IMAGENET_MEAN,
        std: Sequence[float] | Tensor = IMAGENET_STD,
    ) -> None:
        super().__init__()
        self.register_buffer("mean", _values("mean", mean))
        self.register_buffer("std", _values("std", std))
        # One multiplication and one addition per image instead of four operations: on a CIFAR net the launches count.
        self.register_buffer("scale", None, persistent=False)
        self.register_buffer("shift", None, persistent=False)
        self._fold()

    def set(self, mean: Sequence[float] | Tensor, std: Sequence[float] | Tensor) -> None:
        """Replace the values, also by some of another shape, on the device where the old ones live.

        Raises:
            InputError: As at construction.
        """
        self.mean, self.std = _values("mean", mean).to(self.mean), _values("std", std).to(self.std)
        self._fold()

    def forward(self, images: Tensor, sizes: Tensor | None = None) -> Tensor:
        """Normalise a batch and set its padding to exactly zero.

        Args:
            images: uint8 [B, 3, H, W]. Floating images were normalised before, by an augmentation on the device that
                needs it so, and pass through.
            sizes: int [B, 2], height and width of each image without its padding; `None` if there is no padding.

        Returns:
            float32 [B, 3, H, W], in the memory format of `images`.
        """
        if images.is_floating_point():
            return images
        scale, shift = self.scale, self.shift
        if shift.shape[1:] not in ((1, 1), images.shape[2:]):
            scale, shift = _scale_and_shift(_average(self.mean), _average(self.std))
        # Autocast leaves these two operations alone, and uint8 with float32 promotes to float32.
        normal = torch.mul(images, scale).add_(shift)
        return normal if sizes is None else _clear_padding(normal, sizes)

    def _fold(self) -> None:
        self.scale, self.shift = _scale_and_shift(self.mean, self.std)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        """Accept values of another shape ([3, 1, 1] or [3, H, W]): the file decides."""
        for name in ("mean", "std"):
            loaded = state_dict.get(prefix + name)
            if loaded is not None and loaded.shape != getattr(self, name).shape:
                setattr(self, name, getattr(self, name).new_empty(loaded.shape))
        super()._load_from_state_dict(state_dict, prefix, *args)
        self._fold()


def _scale_and_shift(mean: Tensor, std: Tensor) -> tuple[Tensor, Tensor]:
    return 1 / (255 * std), -mean / std


def _average(values: Tensor) -> Tensor:
    return values.mean((1, 2), keepdim=True)


def _clear_padding(images: Tensor, sizes: Tensor) -> Tensor:
    height, width = images.shape[2:]
    # On the host the question costs nothing; on an accelerator the answer would have to be waited for.
    on_host = sizes.device.type == "cpu" and not torch.compiler.is_compiling()
    if on_host and bool((sizes == torch.tensor([height, width])).all()):
        return images
    sizes = sizes.to(images.device)
    rows = torch.arange(height, device=images.device) < sizes[:, :1]
    columns = torch.arange(width, device=images.device) < sizes[:, 1:]
    inside = rows[:, None, :, None] & columns[:, None, None, :]
    return images.masked_fill_(~inside, 0)


def _values(name: str, values: Sequence[float] | Tensor) -> Tensor:
    # On the host even where a network is built for its shapes alone (`meta`): the values are looked at.
    device = values.device if isinstance(values, Tensor) else "cpu"
    tensor = torch.as_tensor(values, dtype=torch.float32, device=device).detach().clone()
    if tensor.ndim == 1:
        tensor = tensor[:, None, None]
    if tensor.ndim != 3 or tensor.shape[0] != 3:
        raise InputError(f"{name} needs 3 numbers or an image [3, H, W], but got shape {list(tensor.shape)}")
    if name == "std" and not bool((tensor > 0).all()):
        raise InputError(f"std must be positive everywhere, but its smallest value is {float(tensor.min()):g}")
    if name == "mean" and not bool(((tensor >= 0) & (tensor <= 1)).all()):
        raise InputError(
            f"mean is meant for images in 0..1, but its values span {float(tensor.min()):g}..{float(tensor.max()):g}; "
            "divide values of 0..255 by 255"
        )
    return tensor
