"""What images must go through before weights from elsewhere read them rightly, and whether a run does that."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from lightning.pytorch.utilities.rank_zero import rank_zero_warn
from torch import Tensor, nn

from lit_vision.errors import InputError
from lit_vision.models.normalise import IMAGENET_MEAN, IMAGENET_STD, Normalise

Triple = tuple[float, float, float]

# Below, a difference is one of rounding; above one standard deviation, first-layer responses are of another kind.
_ROUNDING, _MISREAD = 0.005, 1.0


@dataclass(frozen=True)
class Preprocessing:
    """What weights were trained and tested with.

    Attributes:
        source: The file or release, and whose it is.
        mean: Per channel, of images in 0..1.
        std: Likewise.
        short_side: Of test images, in pixels; None where they are used as they are.
        crop: Side of the centre crop at test; None where there is none.
    """

    source: str
    mean: Triple = IMAGENET_MEAN
    std: Triple = IMAGENET_STD
    short_side: int | None = None
    crop: int | None = None

    def of(self, source: str) -> "Preprocessing":
        """The same of another source."""
        return dataclasses.replace(self, source=source)


class Views(Protocol):
    """What a pipeline says about its test images."""

    input_size: tuple[int, int] | None


@dataclass(frozen=True)
class Clash:
    """How a run's preprocessing differs from the weights'.

    Attributes:
        message: Both sides, and what to set.
        misread: Whether the weights are certainly misread: some pixel is off by more than a standard deviation.
    """

    message: str
    misread: bool


def expected(network: nn.Module) -> list[Preprocessing]:
    """Of all parts of a network that were filled from public weights and not trained since."""
    found = [getattr(module, "expects", None) for module in network.modules()]
    return [wanted for wanted in found if isinstance(wanted, Preprocessing)]


def tell(network: nn.Module, views: Views | None, refuse: bool) -> None:
    """Warns where a run's preprocessing differs from what the network's weights were trained with.

    Args:
        network: Has `normalise`, as it will be used.
        views: The data's pipeline; None where there is none.
        refuse: Whether weights that are certainly misread are an error: nothing will be trained.

    Raises:
        InputError: They are, and that is refused.
    """
    normalise: Any = network.normalise
    for wanted in expected(network):
        found = clash(wanted, normalise, views)
        if found and found.misread and refuse:
            raise InputError(found.message)
        if found:
            rank_zero_warn(found.message)


def forget(network: nn.Module) -> None:
    """Takes the weights for the run's own from now on: they are trained, or replaced by a checkpoint's."""
    for module in network.modules():
        if isinstance(getattr(module, "expects", None), Preprocessing):
            setattr(module, "expects", None)  # noqa: B010 - mypy takes it for a tensor


def clash(wanted: Preprocessing, normalise: Normalise, views: Views | None) -> Clash | None:
    """Compares what weights want with what images go through.

    Args:
        wanted: By the weights.
        normalise: The network's.
        views: The data's pipeline; None where there is none.

    Returns:
        None where all that is known of both agrees.
    """
    mean, std = _channels(normalise.mean), _channels(normalise.std)
    distance = _distance(wanted, mean, std)
    lines = []
    if distance > _ROUNDING:
        lines.append(f"mean {_show(wanted.mean)} and std {_show(wanted.std)}, not {_show(mean)} and {_show(std)}")
    if views is not None:
        lines += _views(wanted, views)
    if not lines:
        return None
    advice = (
        "set model.network.normalise (lit_vision.models.normalise.Normalise, mean, std), or data.pipeline's; "
        "see docs/public-weights.md"
    )
    return Clash(f"weights: {wanted.source} was trained with {'; '.join(lines)}\n{advice}", distance > _MISREAD)


def _views(wanted: Preprocessing, views: Views) -> list[str]:
    """What the sizes of test images have that differs; sizes do not make weights useless, but figures others."""
    told = []
    # Detection's pipelines have neither: their images are as large as they are.
    short_side = getattr(views, "short_side", None)
    if wanted.crop and views.input_size and views.input_size != (wanted.crop, wanted.crop):
        told.append(f"images of {wanted.crop} x {wanted.crop}, not {views.input_size[0]} x {views.input_size[1]}")
    if wanted.short_side and short_side and short_side != wanted.short_side:
        told.append(f"a short side of {wanted.short_side}, not {short_side}")
    return told


def _distance(wanted: Preprocessing, mean: Sequence[float], std: Sequence[float]) -> float:
    """Largest difference that a pixel, black or white, makes, in the weights' standard deviations."""
    return max(
        abs((pixel - m1) / s1 - (pixel - m2) / s2)
        for pixel in (0, 1)
        for m1, s1, m2, s2 in zip(wanted.mean, wanted.std, mean, std, strict=True)
    )


def _channels(values: Tensor) -> list[float]:
    """The average of each channel, of a mean image too."""
    averages: list[float] = values.mean((1, 2)).tolist()
    return averages


def _show(values: Sequence[float]) -> str:
    return "(" + ", ".join(f"{value:.4g}" for value in values) + ")"
