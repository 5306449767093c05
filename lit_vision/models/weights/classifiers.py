"""Weights from elsewhere: the `weights:` option of backbones and of the classifier.

One option takes either a path (`.pth`, `.pt`, `.th`, `.ckpt`, or `.safetensors`) or the name of a torchvision release,
`IMAGENET1K_V1` or in full `ResNet50_Weights.IMAGENET1K_V1`. `DEFAULT` is refused, because its meaning changes with
torchvision's version. Files are read without running any code that they might hold.

Three layouts are recognised, also inside a `state_dict` entry and behind prefixes such as `module.`:

- torchvision's ResNet (`conv1, bn1, layer1..4, fc`). Its networks want `shortcut: B`, `stride_on: 3x3`, `pool: pad`.
- the public CIFAR layout (`conv1, bn1, layer{1,2,3}.N.conv{1,2}/bn{1,2}, linear`). The files known under it were
  trained with option A padding both sides and with ImageNet's channel statistics, so they want `pad: both` and
  `Normalise(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))`.
- our own, of a whole classifier or of a backbone alone.
"""

import re
import warnings
from collections.abc import Mapping
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn
from torchvision.models import WeightsEnum, get_weight

from lit_vision import console
from lit_vision.errors import InputError
from lit_vision.models.backbones.base import Backbone

State = dict[str, Tensor]

_RELEASE = re.compile(r"(?:(?P<enum>\w+_Weights)\.)?(?P<version>[A-Z][A-Z0-9_]*)")
_WRAPPERS = ("module.", "network.", "net.", "model.", "_orig_mod.")


def load(source: str, backbone: Backbone, fc: nn.Linear | None = None) -> None:
    """Fill a backbone, and a classifier's last layer if given, from a file or a torchvision release.

    Args:
        source: A path, or a torchvision weight name.
        backbone: Filled completely, or not at all.
        fc: Filled too, unless the file has another number of classes: then it stays as it is, with a warning.

    Raises:
        InputError: Nothing found, not readable, or names and shapes that do not match.
    """
    state = _to_our_names(_unwrap(_read(source, backbone), source))
    parts: dict[str, nn.Module] = {"backbone": backbone}
    if fc is not None and not _has_other_classes(state, fc, source):
        parts["fc"] = fc
    wanted = {key: value for key, value in state.items() if key.partition(".")[0] in parts}
    _check(nn.ModuleDict(parts), wanted, source)
    nn.ModuleDict(parts).load_state_dict(wanted, strict=False)


def _read(source: str, backbone: Backbone) -> object:
    path = Path(source).expanduser()
    if path.is_file():
        return _read_file(path)
    release = _RELEASE.fullmatch(source)
    if release is None:
        raise InputError(f"weights: no file {source!r}; give a path or a torchvision name such as IMAGENET1K_V1")
    return _read_release(release["enum"], release["version"], backbone.torchvision_enum())


def _read_file(path: Path) -> object:
    try:
        if path.suffix == ".safetensors":
            return safetensors.torch.load_file(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, ValueError, safetensors.SafetensorError) as error:
        raise InputError(f"weights: cannot read {path}: {console.first_line(error)}") from error
    except Exception as error:  # the unpickler refuses code with one error, and meets damage with any
        raise InputError(
            f"weights: {path} is damaged, or holds Python objects, which could run code and are never read\n"
            "save the tensors alone: torch.save(net.state_dict(), …) or safetensors"
        ) from error


def _read_release(enum: str | None, version: str, fitting: str) -> object:
    if enum not in (None, fitting):
        raise InputError(f"weights: {enum} belongs to another network; this one takes {fitting}.IMAGENET1K_V1")
    if version == "DEFAULT":
        raise InputError(f"weights: DEFAULT changes with torchvision's version; name {fitting}.IMAGENET1K_V1")
    release = _release(fitting, version)
    try:
        return release.get_state_dict(progress=True, check_hash=True, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError) as error:
        raise InputError(
            f"weights: {fitting}.{version} is not in torch's cache and could not be downloaded ({error})\n"
            f"fetch {release.url} elsewhere, and give its path as weights:"
        ) from error


def _release(enum: str, version: str) -> WeightsEnum:
    try:
        return get_weight(f"{enum}.{version}")
    except (KeyError, ValueError) as error:
        raise InputError(
            f"weights: torchvision's {enum} has no {version}; name IMAGENET1K_V1, or give a path"
        ) from error


def _unwrap(content: object, source: str = "the file") -> State:
    """Find the tensors inside `state_dict`, and cut off prefixes that all names share."""
    if isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
        content = content["state_dict"]
    if not isinstance(content, Mapping) or not all(isinstance(value, Tensor) for value in content.values()):
        raise InputError(f"weights: {source} holds no state dict, that is, no table of tensors by name")
    state: State = dict(content)
    while prefix := next((p for p in _WRAPPERS if state and all(key.startswith(p) for key in state)), None):
        state = {key.removeprefix(prefix): value for key, value in state.items()}
    return state


def _to_our_names(state: State) -> State:
    """Bring any of the three layouts to the names of a `Classifier`."""
    if "conv1.weight" in state:
        # CIFAR networks have three stages, the first at full resolution; ImageNet networks four, the first at level 2.
        offset = 1 if any(key.startswith("layer4.") for key in state) else -1
        state = {_rename(key, offset): value for key, value in state.items()}
    if any(key.startswith("backbone.") for key in state):
        return state
    return {key if key.startswith("fc.") else f"backbone.{key}": value for key, value in state.items()}


def _rename(key: str, offset: int) -> str:
    key = re.sub(r"^(conv|bn)1\.", r"stem.\g<1>.", key)
    key = re.sub(r"^layer(\d)\.", lambda stage: f"stages.{int(stage[1]) + offset}.", key)
    key = re.sub(r"\.(?:downsample|shortcut)\.0\.", ".shortcut.conv.", key)
    key = re.sub(r"\.(?:downsample|shortcut)\.1\.", ".shortcut.norm.", key)
    return re.sub(r"\.bn(\d?)\.", r".norm\1.", re.sub(r"^linear\.", "fc.", key))


def _has_other_classes(state: State, fc: nn.Linear, source: str) -> bool:
    weight = state.get("fc.weight")
    if weight is None or weight.shape[0] == fc.out_features:
        return False
    warnings.warn(
        f"{source} knows {weight.shape[0]} classes, the data {fc.out_features}: the last layer starts afresh",
        stacklevel=4,
    )
    return True


def _check(module: nn.Module, state: State, source: str) -> None:
    """Demand the same names and shapes, so that nothing is loaded by half."""
    expected = {key: value.shape for key, value in module.state_dict().items() if _matters(key)}
    given = {key: value.shape for key, value in state.items() if _matters(key)}
    problems = {
        "missing": sorted(expected.keys() - given.keys()),
        "unexpected": sorted(given.keys() - expected.keys()),
        "of another shape": [
            f"{key} {list(given[key])} instead of {list(shape)}"
            for key, shape in expected.items()
            if key in given and given[key] != shape
        ],
    }
    told = [f"{len(keys)} {kind} ({_first(keys)})" for kind, keys in problems.items() if keys]
    if told:
        raise InputError(
            f"weights: {source} does not fit this network: {'; '.join(told)}\n"
            "compare depth, shortcut option, norm and number of classes with those that the file was made with"
        )


def _matters(key: str) -> bool:
    # BatchNorm's step counter is unused with a fixed momentum; old files and frozen layers lack it.
    return not key.endswith("num_batches_tracked")


def _first(keys: list[str], shown: int = 3) -> str:
    return ", ".join(keys[:shown]) + (", …" if len(keys) > shown else "")
