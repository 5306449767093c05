"""Reading checkpoints: safely, and with the configuration they carry."""

import copy
from typing import Any

import torch

from lit_vision import check, messages
from lit_vision.compose import Config
from lit_vision.errors import InputError


def read(path: str) -> dict[str, Any]:
    """A checkpoint's content; only tensors and plain types are ever unpickled.

    Raises:
        InputError: If there is no such file, or it is no readable checkpoint.
    """
    try:
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except FileNotFoundError:
        raise InputError(f"--ckpt_path {path}: there is no such file") from None
    except Exception as error:
        raise InputError(f"--ckpt_path {path}: not a readable checkpoint ({messages.first_line(error)})") from None
    return content


def configuration(content: dict[str, Any], path: str, trust_code: bool) -> Config:
    """The resolved configuration that `lit-vision fit` put into a checkpoint.

    Its `weights:` are null, because the checkpoint brings its own and must not ask for a download.

    Raises:
        InputError: If it carries none, or names classes outside the known packages.
    """
    config = content.get("lit_vision", {}).get("config")
    if config is None:
        raise InputError(
            f"{path} carries no configuration (it was not written by lit-vision fit); give its recipe by --config"
        )
    if not trust_code:
        check.only_trusted({key: config.get(key) for key in ("model", "data", "trainer")}, path)
    cleaned: Config = without_weights(copy.deepcopy(config))
    return cleaned


def without_weights(config: Any) -> Any:
    """A configuration whose `weights:` are null at every depth."""
    if isinstance(config, dict):
        return {key: None if key == "weights" else without_weights(value) for key, value in config.items()}
    return [without_weights(value) for value in config] if isinstance(config, list) else config
