"""Weights from elsewhere: the `weights:` option of detectors.

It takes a path or the name of a torchvision release, e.g. `COCO_V1`. The public layouts are those that the detector
declares; our own is recognised too, alone or in a checkpoint. Our background is the last output. A file of any other
number of classes fills all but the class layers, and says so in a warning; unless `weights_rows` says which of its rows
are ours (`class_rows.py`).
"""

import warnings
from functools import partial

from lit_vision.errors import InputError
from lit_vision.models.backbones.base import Backbone
from lit_vision.models.detector import ClassLayer, Detector
from lit_vision.models.weights import class_rows, files, sources
from lit_vision.models.weights.class_rows import Pair
from lit_vision.models.weights.files import State
from lit_vision.models.weights.layout import DetectorLayout, Layout
from lit_vision.models.weights.preprocessing import Preprocessing

_FIRST = "COCO_V1"


def load(name: str, detector: Detector, pair: Pair | None = None) -> Preprocessing | None:
    """Fill a detector from a file or a torchvision release; `Normalise` keeps its values, which are the data's.

    Args:
        name: A path, or a torchvision weight name.
        detector: Filled completely, but for class layers of another number of classes, or not at all.
        pair: The data sets of file and detector, where the class layers take rows by name.

    Returns:
        What the weights were trained with; None where the file does not say.

    Raises:
        InputError: Nothing found, not readable, or names and shapes that do not match; a file without the rows.
    """
    source = sources.find(name, detector.public, partial(_fitting, detector), _FIRST)
    state = source.layout.rename(source.state) if source.layout else _without_network(source.state)
    if source.release is not None and isinstance(source.layout, DetectorLayout):
        source.layout.exact(state, detector)
    own = detector.state_dict()
    state = {key: value for key, value in state.items() if _belongs(key, detector)}
    state |= {key: value for key, value in own.items() if key.startswith("normalise.")}
    state |= classes(state, detector, source.layout, name, pair)
    files.check(detector, state, name)
    detector.load_state_dict(state, strict=False)
    return source.preprocessing()


def classes(state: State, detector: Detector, layout: Layout | None, source: str, pair: Pair | None = None) -> State:
    """The class layers' tensors, in our order; the detector's own if the number of classes differs.

    Args:
        state: By our names.
        detector: Says which layers depend on classes.
        layout: Whose order the outputs are in; None for ours.
        source: The file or release, for messages.
        pair: See `load`.

    Raises:
        InputError: Rows are asked for by name, and the file's classes are others.
    """
    own, found = detector.state_dict(), {}
    layers = detector.class_layers()
    for layer in layers:
        for name in (f"{layer.name}.weight", f"{layer.name}.bias"):
            if name not in state or len(state[name]) % (layer.before * layer.after):
                return {}  # the check that follows tells what is wrong
            outputs = len(state[name]) // (layer.before * layer.after)
            rows = _chosen(outputs, detector, layout, pair, source) if pair else _rows(outputs, detector, layout)
            if rows is None:
                return _afresh(own, layers, outputs, detector, source)
            by_class = state[name].reshape(layer.before, outputs, layer.after, *state[name].shape[1:])
            found[name] = by_class[:, rows].flatten(0, 2)
    return found


def _belongs(key: str, detector: Detector) -> bool:
    # A region proposal network or a Fast R-CNN may start from a Faster R-CNN.
    part = key.partition(".")[0]
    return part not in ("proposals", "regions") or hasattr(detector, part)


def _without_network(state: State) -> State:
    """A checkpoint's network; it also holds the task's metrics."""
    ours = {key.removeprefix("network."): value for key, value in state.items() if key.startswith("network.")}
    return ours or state


def _rows(outputs: int, detector: Detector, layout: Layout | None, num_classes: int | None = None) -> list[int] | None:
    """Which of the file's outputs are those classes, ours if None, in order; None if the file's are others."""
    count = num_classes or detector.num_classes
    if isinstance(layout, DetectorLayout):
        return layout.rows(outputs, count, detector.background)
    return list(range(count + detector.background)) if outputs == count + detector.background else None


def _chosen(outputs: int, detector: Detector, layout: Layout | None, pair: Pair, source: str) -> list[int]:
    """Which of the outputs of a file of other classes are ours, in our order, with background last as everywhere."""
    ours = class_rows.of(pair, detector.num_classes)
    every = _rows(outputs, detector, layout, class_rows.FROM[pair])
    if every is None:
        raise InputError(
            f"weights: {source} has {outputs} outputs for classes, but weights_rows {pair} takes rows of a detector of "
            f"{class_rows.FROM[pair]} classes"
        )
    return [every[row] for row in ours] + every[class_rows.FROM[pair] :]


def _afresh(own: State, layers: list[ClassLayer], outputs: int, detector: Detector, source: str) -> State:
    warnings.warn(
        f"{source} has {outputs} outputs for classes, the data {detector.num_classes} classes: "
        f"{' and '.join(layer.name for layer in layers)} start afresh",
        stacklevel=5,
    )
    return {key: own[key] for layer in layers for key in (f"{layer.name}.weight", f"{layer.name}.bias")}


def _fitting(detector: Detector) -> str:
    """Name of torchvision's enumeration for this detector."""
    backbone = getattr(detector.pyramid, "backbone", None)
    kind = type(detector).__name__
    if not detector.public.release or not isinstance(backbone, Backbone):
        raise InputError(f"weights: no torchvision release fits this {kind}; give the path of a file instead")
    if backbone.public.fitting() != "ResNet50_Weights":
        raise InputError(f"weights: torchvision releases {kind} on ResNet-50 only; give the path of a file instead")
    return detector.public.release
