"""torchvision's RetinaNet on ResNet-50: what all its detectors want, and a pyramid with `top: conv, top_input: P5`."""

from lit_vision.models.weights import torchvision_detectors
from lit_vision.models.weights.files import State
from lit_vision.models.weights.layout import DetectorLayout, Public
from lit_vision.models.weights.preprocessing import Preprocessing
from lit_vision.models.weights.torchvision_detectors import Rule

_RULES: tuple[Rule, ...] = (
    (r"^backbone\.fpn\.extra_blocks\.p(\d)\.", r"pyramid.top.\1."),
    (r"^head\.classification_head\.", "head.cls."),
    (r"^head\.regression_head\.", "head.box."),
    # Each convolution is wrapped with its activation in newer files (`conv.3.0.`); older ones count the ReLUs as we do.
    (r"^head\.(cls|box)\.conv\.(\d)\.0\.", lambda match: f"head.{match[1]}.{2 * int(match[2])}."),
    (r"^head\.(cls|box)\.conv\.(\d)\.", r"head.\1.\2."),
    (r"^head\.(cls|box)\.(cls_logits|bbox_reg)\.", r"head.\1.8."),
)


def knows(state: State) -> bool:
    """Whether there is a classification head by torchvision's name."""
    return any(key.startswith("head.classification_head.") for key in state)


def rename(state: State) -> State:
    """To our names."""
    return torchvision_detectors.rename(state, _RULES)


LAYOUT = DetectorLayout(
    name="torchvision's RetinaNet layout",
    knows=knows,
    rename=rename,
    preprocessing=Preprocessing("torchvision's RetinaNet"),
    rows=torchvision_detectors.rows,
    exact=torchvision_detectors.take_epsilon_out,
)
PUBLIC = Public(layouts=(LAYOUT,), release="RetinaNet_ResNet50_FPN_Weights")
