"""torchvision's ResNets: `conv1, bn1, layer1..4, fc`. They want `shortcut: B`, `stride_on: 3x3` and `pool: pad`."""

import re

from lit_vision.models.weights.files import State
from lit_vision.models.weights.layout import Layout
from lit_vision.models.weights.preprocessing import Preprocessing


def knows(state: State) -> bool:
    """Whether there are four stages by torchvision's names."""
    return "conv1.weight" in state and any(key.startswith("layer4.") for key in state)


def rename(state: State) -> State:
    """To our names; the first stage is at level 2."""
    return {our_name(key, offset=1): value for key, value in state.items()}


def our_name(key: str, offset: int) -> str:
    """A tensor's name of ours.

    Args:
        key: Its name in a public ResNet.
        offset: Level of the stage `layer1`, less one.
    """
    key = re.sub(r"^(conv|bn)1\.", r"stem.\g<1>.", key)
    key = re.sub(r"^layer(\d)\.", lambda stage: f"stages.{int(stage[1]) + offset}.", key)
    key = re.sub(r"\.(?:downsample|shortcut)\.0\.", ".shortcut.conv.", key)
    key = re.sub(r"\.(?:downsample|shortcut)\.1\.", ".shortcut.norm.", key)
    return re.sub(r"\.bn(\d?)\.", r".norm\1.", re.sub(r"^linear\.", "fc.", key))


# Files of other trainers have these names too, some with the stride in the first 1x1 convolution.
LAYOUT = Layout(
    name="torchvision's ResNet layout",
    knows=knows,
    rename=rename,
    preprocessing=Preprocessing("torchvision's ResNets", short_side=256, crop=224),
    options={"stride_on": "3x3", "pool": "pad"},
)
