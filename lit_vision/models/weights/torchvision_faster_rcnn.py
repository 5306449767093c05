"""torchvision's Faster R-CNN on ResNet-50 with a pyramid, whose first stage alone also fits a proposal network."""

from lit_vision.models.weights import torchvision_detectors
from lit_vision.models.weights.files import State
from lit_vision.models.weights.layout import DetectorLayout, Public
from lit_vision.models.weights.preprocessing import Preprocessing
from lit_vision.models.weights.torchvision_detectors import Rule

_RULES: tuple[Rule, ...] = (
    # Wrapped with its activation in newer files, as in RetinaNet's head
    (r"^rpn\.head\.conv\.(?:0\.0\.)?", "proposals.head.conv."),
    (r"^rpn\.head\.cls_logits\.", "proposals.head.cls."),
    (r"^rpn\.head\.bbox_pred\.", "proposals.head.box."),
    (r"^roi_heads\.box_head\.fc([67])\.", lambda match: f"regions.head.fc{int(match[1]) - 5}."),
    (r"^roi_heads\.box_predictor\.cls_score\.", "regions.head.cls."),
    (r"^roi_heads\.box_predictor\.bbox_pred\.", "regions.head.box."),
)


def knows(state: State) -> bool:
    """Whether there is a proposal head by torchvision's name."""
    return any(key.startswith("rpn.head.") for key in state)


def rename(state: State) -> State:
    """To our names."""
    return torchvision_detectors.rename(state, _RULES)


LAYOUT = DetectorLayout(
    name="torchvision's Faster R-CNN layout",
    knows=knows,
    rename=rename,
    preprocessing=Preprocessing("torchvision's Faster R-CNN"),
    rows=torchvision_detectors.rows,
    exact=torchvision_detectors.take_epsilon_out,
)
PUBLIC = Public(layouts=(LAYOUT,), release="FasterRCNN_ResNet50_FPN_Weights")
