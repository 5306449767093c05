"""Weights in files (`.pth`, `.pt`, `.th`, `.ckpt`, `.safetensors`), read without running any code that they hold."""

from collections.abc import Mapping
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from lit_vision import console
from lit_vision import files as plain_files
from lit_vision.errors import InputError

State = dict[str, Tensor]

_WRAPPERS = ("module.", "network.", "net.", "model.", "_orig_mod.")


def read(path: Path) -> object:
    """What a file holds: a state dict, alone or as an entry.

    Raises:
        InputError: It cannot be read, is damaged, or holds more than tensors and plain values.
    """
    try:
        plain_files.refuse_other(path)
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


def tensors(content: object, source: str = "the file") -> State:
    """Find the tensors, also inside `state_dict`, and cut off prefixes that all names share.

    Args:
        content: What `read` gave.
        source: The file or release, for messages.

    Raises:
        InputError: There is no table of tensors by name.
    """
    if isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
        content = content["state_dict"]
    if not isinstance(content, Mapping) or not all(isinstance(value, Tensor) for value in content.values()):
        raise InputError(f"weights: {source} holds no state dict, that is, no table of tensors by name")
    state: State = dict(content)
    while prefix := next((p for p in _WRAPPERS if state and all(key.startswith(p) for key in state)), None):
        state = {key.removeprefix(prefix): value for key, value in state.items()}
    return state


def check(module: nn.Module, state: State, source: str) -> None:
    """Demand the same names and shapes, so that nothing is loaded by half.

    Raises:
        InputError: Names are missing or unexpected, or shapes differ.
    """
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
