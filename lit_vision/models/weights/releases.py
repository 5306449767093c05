"""torchvision's weight releases by name: `IMAGENET1K_V1`, in full `ResNet50_Weights.IMAGENET1K_V1`.

`DEFAULT` is refused, because its meaning changes with torchvision's version.
"""

import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torchvision.models import WeightsEnum, get_weight

from lit_vision.errors import InputError
from lit_vision.models.weights.preprocessing import Preprocessing

_NAME = re.compile(r"(?:(?P<enum>\w+_Weights)\.)?(?P<version>[A-Z][A-Z0-9_]*)")


def find(source: str, fitting: Callable[[], str], first: str) -> WeightsEnum:
    """The release of a name.

    Args:
        source: What the user gave.
        fitting: Gives the enumeration that fits the network, or refuses.
        first: The version to advise, e.g. `IMAGENET1K_V1`.

    Raises:
        InputError: It is no name, or not that of a release that fits.
    """
    name = _NAME.fullmatch(source)
    if name is None:
        raise InputError(f"weights: no file {source!r}; give a path or a torchvision name such as {first}")
    enum = fitting()
    if name["enum"] not in (None, enum):
        raise InputError(f"weights: {name['enum']} belongs to another network; this one takes {enum}.{first}")
    if name["version"] == "DEFAULT":
        raise InputError(f"weights: DEFAULT changes with torchvision's version; name {enum}.{first}")
    try:
        return get_weight(f"{enum}.{name['version']}")
    except (KeyError, ValueError) as error:
        raise InputError(
            f"weights: torchvision's {enum} has no {name['version']}; name {first}, or give a path"
        ) from error


def read(release: WeightsEnum) -> object:
    """A release's state dict, from torch's cache or downloaded; its hash is checked, and no code in it is run.

    Raises:
        InputError: It is neither there nor can it be fetched.
    """
    try:
        return release.get_state_dict(progress=True, check_hash=True, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError) as error:
        raise InputError(
            f"weights: {release} is not in torch's cache and could not be downloaded ({error})\n"
            f"fetch {release.url} elsewhere, and give its path as weights:"
        ) from error


def copied(path: Path, enum: str, first: str) -> WeightsEnum | None:
    """The release that a file is a copy of, recognised by the digits of its hash that end the release's name.

    Args:
        path: The file.
        enum: The enumeration for the network's architecture; empty if there is none.
        first: One of its versions.
    """
    if not enum:
        return None
    digits = {match[1]: release for release in type(get_weight(f"{enum}.{first}")) if (match := _digits(release.url))}
    with path.open("rb") as file:
        return digits.get(hashlib.file_digest(file, "sha256").hexdigest()[:8])


def preprocessing(release: WeightsEnum, of_layout: Preprocessing) -> Preprocessing:
    """What a release was trained with: its own transforms where they say it, else what its layout says."""
    transforms: Any = release.transforms()
    if not hasattr(transforms, "crop_size"):  # those of detectors do not normalise: the detectors do
        return of_layout.of(str(release))
    return Preprocessing(
        str(release),
        tuple(transforms.mean),
        tuple(transforms.std),
        transforms.resize_size[0],
        transforms.crop_size[0],
    )


def _digits(url: str) -> re.Match[str] | None:
    return re.search(r"-([0-9a-f]{8})\.pth$", url)
