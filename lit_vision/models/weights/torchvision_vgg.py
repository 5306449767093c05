"""torchvision's VGG networks without norm: `features.N`, and the three layers `classifier.0, 3, 6`."""

import re

from lit_vision.models.weights.files import State
from lit_vision.models.weights.layout import Layout
from lit_vision.models.weights.preprocessing import Preprocessing

_HEAD = {"0": "fc.fc1.layer", "3": "fc.fc2.layer", "6": "fc.fc3"}


def knows(state: State) -> bool:
    """Whether two convolutions with nothing but a rectifier between them come first; with norm, `features.1` is one."""
    return {"features.0.weight", "features.2.weight"} <= state.keys() and "features.1.weight" not in state


def rename(state: State) -> State:
    """To our names; the first stage is at level 0."""
    places = _places(state)

    def ours(key: str) -> str:
        key = re.sub(r"^features\.(\d+)\.", lambda match: f"{places[int(match[1])]}.", key)
        return re.sub(r"^classifier\.([036])\.", lambda match: f"{_HEAD[match[1]]}.", key)

    return {ours(key): value for key, value in state.items()}


def _places(state: State) -> dict[int, str]:
    """Our name of each convolution. Theirs are two apart within a stage, and three where a pool lies between."""
    numbers = sorted({int(key.split(".")[1]) for key in state if key.startswith("features.")})
    level, position, before, places = 0, 0, 0, {}
    for number in numbers:
        if number - before == 3:
            level, position = level + 1, 1  # after the stage's pool
        places[number] = f"stages.{level}.{position}.layer"
        position, before = position + 1, number
    return places


LAYOUT = Layout(
    name="torchvision's VGG layout",
    knows=knows,
    rename=rename,
    preprocessing=Preprocessing("torchvision's VGG networks", short_side=256, crop=224),
)
