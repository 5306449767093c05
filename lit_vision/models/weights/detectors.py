"""Weights from elsewhere: the `weights:` option of detectors.

It takes a path, or the name of a torchvision release: `COCO_V1`, in full `RetinaNet_ResNet50_FPN_Weights.COCO_V1` or
`FasterRCNN_ResNet50_FPN_Weights.COCO_V1`. `DEFAULT` is refused, as in `weights.py`, which tells how files are read. Two
layouts are recognised: torchvision's detectors on ResNet with a pyramid, and our own, alone or in a checkpoint.

torchvision's releases want its options: a `resnet50` with `stride_on: 3x3`, anchors with `corners: rounded` and
`stride: floor`, and for RetinaNet a pyramid with `top: conv, top_input: P5`. They have 91 outputs, numbered by COCO's
category ids with 0 for background; for 80 classes those of the 80 categories are taken, in COCO's order. Our background
is the last output. A file of any other number of classes fills all but the class layers, and says so in a warning.
"""

import hashlib
import re
import warnings
from pathlib import Path

from torch import Tensor
from torchvision.models import WeightsEnum, get_weight

from lit_vision.errors import InputError
from lit_vision.models.backbones.base import Backbone
from lit_vision.models.detector import ClassLayer, Detector
from lit_vision.models.weights import classifiers as weight_files

State = dict[str, Tensor]

_COARSEST = 5  # level of the coarsest map of torchvision's ResNet
_RENAMED = (
    (r"^backbone\.fpn\.extra_blocks\.p(\d)\.", r"pyramid.top.\1."),
    # Each convolution is wrapped with its activation in newer files (`conv.3.0.`); older ones count the ReLUs as we do.
    (r"^head\.(cls|box)\.conv\.(\d)\.0\.", lambda match: f"head.{match[1]}.{2 * int(match[2])}."),
    (r"^head\.(cls|box)\.conv\.(\d)\.", r"head.\1.\2."),
    (r"^head\.(cls|box)\.(cls_logits|bbox_reg)\.", r"head.\1.8."),
    (r"^rpn\.head\.conv\.(?:0\.0\.)?", "proposals.head.conv."),
    (r"^rpn\.head\.cls_logits\.", "proposals.head.cls."),
    (r"^rpn\.head\.bbox_pred\.", "proposals.head.box."),
    (r"^roi_heads\.box_head\.fc([67])\.", lambda match: f"regions.head.fc{int(match[1]) - 5}."),
    (r"^roi_heads\.box_predictor\.cls_score\.", "regions.head.cls."),
    (r"^roi_heads\.box_predictor\.bbox_pred\.", "regions.head.box."),
)


def load(source: str, detector: Detector) -> None:
    """Fill a detector from a file or a torchvision release; `Normalise` keeps its values, which are the data's.

    Args:
        source: A path, or a torchvision weight name.
        detector: Filled completely, but for class layers of another number of classes, or not at all.

    Raises:
        InputError: Nothing found, not readable, or names and shapes that do not match.
    """
    path = Path(source).expanduser()
    if path.is_file():
        content, is_release = weight_files._read_file(path), _is_release(path, detector)
    else:
        content, is_release = _read_release(source, detector), True
    state = _unwrap(content)
    theirs = any(key.startswith("backbone.body.") for key in state)
    if theirs:
        state = _to_our_names(state)
    if is_release:
        _take_epsilon_out(state, detector)
    own = detector.state_dict()
    state = {key: value for key, value in state.items() if _belongs(key, detector)}
    state |= {key: value for key, value in own.items() if key.startswith("normalise.")}
    state |= _classes(state, detector, theirs, source)
    weight_files._check(detector, state, source)
    detector.load_state_dict(state, strict=False)


def _belongs(key: str, detector: Detector) -> bool:
    # A region proposal network may start from a Faster R-CNN.
    return not key.startswith("regions.") or hasattr(detector, "regions")


def _unwrap(content: object) -> State:
    state = weight_files._unwrap(content)
    ours = {key.removeprefix("network."): value for key, value in state.items() if key.startswith("network.")}
    return ours or state


def _to_our_names(state: State) -> State:
    lowest = _COARSEST + 1 - len({key.split(".")[3] for key in state if key.startswith("backbone.fpn.inner_blocks.")})
    return {_rename(key, lowest): value for key, value in state.items()}


def _rename(key: str, lowest: int) -> str:
    if key.startswith("backbone.body."):
        return "pyramid.backbone." + weight_files._rename(key.removeprefix("backbone.body."), offset=1)
    merged = re.match(r"backbone\.fpn\.(inner|layer)_blocks\.(\d)\.(?:0\.)?", key)
    if merged:
        kind = "lateral" if merged[1] == "inner" else "smooth"
        return f"pyramid.{kind}.{lowest + int(merged[2])}." + key[merged.end() :]
    key = key.replace("head.classification_head.", "head.cls.").replace("head.regression_head.", "head.box.")
    for pattern, ours in _RENAMED:
        key = re.sub(pattern, ours, key)
    return key


def _classes(state: State, detector: Detector, theirs: bool, source: str) -> State:
    """The class layers' tensors, in our order; the detector's own if the number of classes differs."""
    own, found = detector.state_dict(), {}
    layers = detector.class_layers()
    for layer in layers:
        for name in (f"{layer.name}.weight", f"{layer.name}.bias"):
            if name not in state or len(state[name]) % (layer.before * layer.after):
                return {}  # the check that follows tells what is wrong
            outputs = len(state[name]) // (layer.before * layer.after)
            rows = _rows(outputs, detector, theirs)
            if rows is None:
                return _afresh(own, layers, outputs, detector, source)
            by_class = state[name].reshape(layer.before, outputs, layer.after, *state[name].shape[1:])
            found[name] = by_class[:, rows].flatten(0, 2)
    return found


def _rows(outputs: int, detector: Detector, theirs: bool) -> list[int] | None:
    """Which of the file's outputs are ours, in our order; None if they are those of other classes."""
    classes, background = detector.num_classes, detector.background
    ours = classes + background
    if not theirs:
        return list(range(ours)) if outputs == ours else None
    last = [0] if background else []
    if outputs == len(_categories()) and classes == len(_category_ids()):
        return _category_ids() + last
    if outputs == classes + 1:  # torchvision's RetinaNet has an output for background too, unused
        return list(range(1, outputs)) + last
    return list(range(classes)) if outputs == classes and not background else None


def _afresh(own: State, layers: list[ClassLayer], outputs: int, detector: Detector, source: str) -> State:
    warnings.warn(
        f"{source} has {outputs} outputs for classes, the data {detector.num_classes} classes: "
        f"{' and '.join(layer.name for layer in layers)} start afresh",
        stacklevel=5,
    )
    return {key: own[key] for layer in layers for key in (f"{layer.name}.weight", f"{layer.name}.bias")}


def _categories() -> list[str]:
    names: list[str] = get_weight("RetinaNet_ResNet50_FPN_Weights.COCO_V1").meta["categories"]
    return names


def _category_ids() -> list[int]:
    return [number for number, name in enumerate(_categories()) if name not in ("__background__", "N/A")]


def _take_epsilon_out(state: State, detector: Detector) -> None:
    """Scale the frozen norm layers' weights so that they compute what the release was trained with.

    The releases divide by the root of the variance alone, our layers by that of variance plus epsilon.
    """
    for name, layer in detector.named_modules():
        weight, variance = state.get(f"{name}.weight"), state.get(f"{name}.running_var")
        if weight is not None and variance is not None:
            state[f"{name}.weight"] = weight * ((variance + layer.eps) / variance).sqrt()


def _is_release(path: Path, detector: Detector) -> bool:
    """Whether the file is a copy of torchvision's, told by the digits of its hash that end the release's name."""
    if not detector.published:
        return False
    digits = re.findall(r"-([0-9a-f]{8})\.pth$", get_weight(f"{detector.published}.COCO_V1").url)
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:8] in digits


def _read_release(source: str, detector: Detector) -> object:
    name = re.fullmatch(r"(?:(?P<enum>\w+_Weights)\.)?(?P<version>[A-Z][A-Z0-9_]*)", source)
    if name is None:
        raise InputError(f"weights: no file {source!r}; give a path or a torchvision name such as COCO_V1")
    fitting = _fitting(detector)
    if name["enum"] not in (None, fitting):
        raise InputError(f"weights: {name['enum']} belongs to another network; this one takes {fitting}.COCO_V1")
    if name["version"] == "DEFAULT":
        raise InputError(f"weights: DEFAULT changes with torchvision's version; name {fitting}.COCO_V1")
    release = _release(fitting, name["version"])
    try:
        return release.get_state_dict(progress=True, check_hash=True, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError) as error:
        raise InputError(
            f"weights: {fitting}.{name['version']} is not in torch's cache and could not be downloaded ({error})\n"
            f"fetch {release.url} elsewhere, and give its path as weights:"
        ) from error


def _release(enum: str, version: str) -> WeightsEnum:
    try:
        return get_weight(f"{enum}.{version}")
    except (KeyError, ValueError) as error:
        raise InputError(f"weights: torchvision's {enum} has no {version}; name COCO_V1, or give a path") from error


def _fitting(detector: Detector) -> str:
    """Name of torchvision's enumeration for this detector."""
    backbone = getattr(detector.pyramid, "backbone", None)
    kind = type(detector).__name__
    if not detector.published or not isinstance(backbone, Backbone):
        raise InputError(f"weights: no torchvision release fits this {kind}; give the path of a file instead")
    if backbone.torchvision_enum() != "ResNet50_Weights":
        raise InputError(f"weights: torchvision releases {kind} on ResNet-50 only; give the path of a file instead")
    return detector.published
