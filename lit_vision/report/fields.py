"""What the files of a run's folder hold, and which field of one does not fit. No torch here.

Folders are copied, cut short and edited; pages of many runs must not fall over one of them. So each file is held
against its shape once, when it is read, and whoever reads a field later need not ask what it is.

A shape is a `Leaf`; `[shape]` for a list; `{key: shape}` for a mapping, which may lack keys and hold others;
`Needs(shape, key, …)` for one that must have some; or `Each(shape)` for a mapping of any keys.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Shape = Any
LATEST = 1e11  # seconds since 1970; the calendar of the standard library ends before


@dataclass(frozen=True)
class Leaf:
    """A value without parts: what it should be in words, and whether one is."""

    name: str
    fits: Callable[[Any], bool]


@dataclass(frozen=True)
class Each:
    """A mapping whose values all have one shape."""

    shape: Shape


class Needs:
    """A mapping that must hold some keys."""

    def __init__(self, shape: Mapping[str, Shape], *keys: str) -> None:
        self.shape = shape
        self.keys = keys


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return _is_whole(value) or isinstance(value, float)


def or_null(leaf: Leaf) -> Leaf:
    """The same, or null."""
    return Leaf(f"{leaf.name} or null", lambda value: value is None or leaf.fits(value))


TEXT = Leaf("text", lambda value: isinstance(value, str))
FLAG = Leaf("true or false", lambda value: isinstance(value, bool))
WHOLE = Leaf("a whole number", _is_whole)
COUNT = Leaf("a whole number from 0 on", lambda value: _is_whole(value) and value >= 0)
NUMBER = Leaf("a finite number", lambda value: _is_number(value) and math.isfinite(value))
MOMENT = Leaf("seconds since 1970", lambda value: _is_number(value) and 0 <= value < LATEST)
LABEL = Leaf("text or a whole number", lambda value: isinstance(value, str) or _is_whole(value))
FIGURE = or_null(Leaf("a number", _is_number))  # NaN too: a loss may become that
ANY = Leaf("anything", lambda _: True)
MAPPING = Each(ANY)

SWEEP = {"name": TEXT, "trial": or_null(LABEL), "parameters": MAPPING, "metric": TEXT, "goal": TEXT}
STATE = {
    "recipe": TEXT,
    "row": or_null(TEXT),
    "digest": TEXT,
    "wandb_id": or_null(TEXT),
    "url": or_null(TEXT),
    "time": MOMENT,
    "sweep": SWEEP,
}
_RESULT = {
    "recipe": TEXT,
    "row": or_null(TEXT),
    "where": TEXT,
    "metric": TEXT,
    "value": FIGURE,
    "expected": or_null(NUMBER),
    "tolerance": or_null(NUMBER),
    "claim": TEXT,
    "also": Each(or_null(NUMBER)),
    "split": or_null(TEXT),
    "verdict": TEXT,
    "stand_in": FLAG,
    "changed": MAPPING,
    "figures": Each(FIGURE),
    "seed": or_null(WHOLE),
    "steps": COUNT,
    "samples_seen": or_null(NUMBER),
    "duration_s": FIGURE,
    "data": MAPPING,
    "hardware": {"device": or_null(TEXT), "devices": COUNT},
    "code": or_null(TEXT),
    "packages": MAPPING,
    "card": MAPPING,
    "relations": Each(TEXT),
    "sweep": SWEEP,
}
RESULT = Needs(_RESULT, "recipe", "row", "metric", "figures", "changed", "stand_in", "seed")
CONFIG = {
    "seed_everything": ANY,
    "card": MAPPING,
    "origin": {"changed": [TEXT], "code": or_null(TEXT)},
    "data": MAPPING,
    "model": MAPPING,
    "trainer": MAPPING,
}
LINE = Each(FIGURE)
LINE_KEYS = {"step": COUNT, "time": MOMENT, "resumed_at": COUNT}
IMAGE = {
    "image": LABEL,
    "name": or_null(LABEL),
    "truth": WHOLE,
    "predicted": WHOLE,
    "score": FIGURE,
    "objects": COUNT,
    "right": COUNT,
    "wrong": COUNT,
    "missed": COUNT,
    "f1": FIGURE,
}
COUNTED = ("objects", "right", "wrong", "missed", "f1")
_KIND = {"count": COUNT, "delta": FIGURE}
_KINDS = dict.fromkeys(("classification", "localisation", "both", "duplicate", "background", "missed"), _KIND)
_CLASS = {"class": LABEL, "count": or_null(COUNT), "error": FIGURE, "ap": FIGURE, "ap50": FIGURE}
_BIN = {"low": NUMBER, "high": NUMBER, "score": FIGURE, "accuracy": FIGURE, "count": COUNT}
_CURVE = {"recall": [FIGURE], "precision": [FIGURE], "score": [FIGURE]}
DIAGNOSIS = {
    "task": TEXT,
    "split": or_null(TEXT),
    "class_names": [LABEL],
    "images": COUNT,
    "shown_score": NUMBER,
    "calibration": [Needs(_BIN, "low", "high", "score", "accuracy", "count")],
    "calibration_error": FIGURE,
    "confusion": [[COUNT]],
    "per_class": [Needs(_CLASS, "class")],
    "mistakes": [IMAGE | {"picture": or_null(TEXT)}],
    "worst": [IMAGE | {"picture": or_null(TEXT)}],
    "errors": {"all": _KINDS, "by_class": Each(_KINDS), "by_size": Each(_KINDS)},
    "precision_recall": Each(_CURVE),
    "recall_iou": {"iou": [NUMBER], "recall": [FIGURE]},
}


def fault(value: Any, shape: Shape, field: str = "") -> str | None:
    """The first field that does not fit, with what it should be and what it is; None if all fit.

    Args:
        value: As it was read.
        shape: What it should be.
        field: Name of the value; its parts are named below it, as `errors.all` and `worst[3].f1`.
    """
    if isinstance(shape, Leaf):
        return None if shape.fits(value) else _told(field, shape.name, value)
    if isinstance(shape, Needs):
        lacking = [key for key in shape.keys if isinstance(value, dict) and key not in value]
        return f"{_below(field, lacking[0])} is missing" if lacking else fault(value, shape.shape, field)
    if isinstance(shape, list):
        if not isinstance(value, list):
            return _told(field, "a list", value)
        parts = [(f"{field}[{index}]", item, shape[0]) for index, item in enumerate(value)]
    else:
        if not isinstance(value, dict):
            return _told(field, "a mapping", value)
        parts = [(_below(field, key), item, _of_key(shape, key)) for key, item in value.items()]
    found = (fault(item, inner, name) for name, item, inner in parts)
    return next((text for text in found if text), None)


def fault_of_line(line: Any) -> str | None:
    """The same for a line of `metrics.jsonl`: all values are figures but for the step and the time."""
    if not isinstance(line, dict):
        return _told("", "a mapping", line)
    if "step" not in line and "resumed_at" not in line:
        return "step is missing"
    found = (fault(value, LINE_KEYS.get(key, FIGURE), key) for key, value in line.items())
    return next((text for text in found if text), None)


def fault_of_image(line: Any) -> str | None:
    """The same for a line of `per_image.jsonl`, which holds a classifier's answer or a detector's counts."""
    classified = isinstance(line, dict) and "truth" in line
    return fault(line, Needs(IMAGE, "image", *(("truth", "predicted") if classified else COUNTED)))


def fault_of_labels(diagnosis: Mapping[str, Any]) -> str | None:
    """The first cell of a confusion matrix that names no two classes of its list; None if all do."""
    classes = len(diagnosis.get("class_names") or [])
    for index, cell in enumerate(diagnosis.get("confusion") or []):
        if len(cell) != 3 or max(cell[:2]) >= classes:
            return _told(f"confusion[{index}]", f"two of the {classes} classes and a count", cell)
    return None


def _of_key(shape: Each | Mapping[str, Shape], key: Any) -> Shape:
    return shape.shape if isinstance(shape, Each) else shape.get(key, ANY)


def _below(field: str, key: Any) -> str:
    return f"{field}.{key}" if field else str(key)


def _told(field: str, expected: str, value: Any) -> str:
    got = repr(value)
    return f"{field or 'its content'} should be {expected}, got {got if len(got) <= 40 else f'{got[:39]}…'}"
