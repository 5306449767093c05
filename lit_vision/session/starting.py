"""Models that start from the weights of other runs: of an earlier stage, or of another row's training."""

from collections.abc import Mapping
from pathlib import Path

from torch import nn

from lit_vision.errors import InputError
from lit_vision.models.detector import Detector
from lit_vision.models.weights import detectors
from lit_vision.runs import checkpoints
from lit_vision.runs.trained import Trained


def take_over(network: nn.Module, origin: Trained) -> None:
    """Fills a detector from another row's training; layers that depend on other classes start afresh.

    Args:
        network: Of a stage or of the whole; it takes the parts that it has.
        origin: The training.

    Raises:
        InputError: The network is no detector, or its parts have other names or shapes.
    """
    if not isinstance(network, Detector):
        raise InputError(
            f"starts_from fills detectors so far, not a {type(network).__name__}; name a file by weights instead"
        )
    detectors.load(str(origin.folder.last), network)


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
