"""Parts of a model that start from another run's weights."""

from collections.abc import Mapping
from pathlib import Path

from torch import nn

from lit_vision.errors import InputError
from lit_vision.runs import checkpoints


def fill(model: nn.Module, start: Mapping[str, Path]) -> None:
    """Fills parts of a model from checkpoints.

    Args:
        model: The Lightning module.
        start: Checkpoint by the dotted key of a part, such as `model.network.pyramid`.

    Raises:
        InputError: There is no such part on one of the two sides, or their names or shapes differ.
    """
    for key, file in start.items():
        path = key.removeprefix("model.")
        state = checkpoints.read(str(file))["state_dict"]
        part = {name.removeprefix(f"{path}."): value for name, value in state.items() if name.startswith(f"{path}.")}
        try:
            model.get_submodule(path).load_state_dict(part)
        except (AttributeError, RuntimeError) as error:
            reason = " ".join(str(error).split())[:160]
            raise InputError(f"start of {key} from {file}: the part does not fit ({reason})") from None
