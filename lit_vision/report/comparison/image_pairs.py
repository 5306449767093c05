"""Test results of two runs image by image, and class by class. No torch here."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from lit_vision.errors import InputError
from lit_vision.report import numbers
from lit_vision.report import statistics as stats
from lit_vision.report.collect import Run
from lit_vision.report.statistics import Estimate

Line = dict[str, Any]


@dataclass(frozen=True)
class ImagePairs:
    """What two runs make of the same test images.

    Attributes:
        task: `classification` or `detection`.
        images: How many images both were tested on.
        only_a: Images that only A gets right (classification), or on which A's F1 is higher (detection): id, name and
            both results, the clearest first.
        only_b: The reverse.
        both_right: Images that both get right; for detection, those with equal F1.
        unmeasured: Images without objects on which a side found nothing either: they have no F1.
        both_wrong: Images that neither gets right; 0 for detection.
        p: Exact McNemar test; for detection the sign test.
        difference: Of the mean F1, B - A, with a bootstrap interval; None for classification.
    """

    task: str
    images: int
    only_a: tuple[Line, ...]
    only_b: tuple[Line, ...]
    both_right: int
    both_wrong: int
    p: float
    unmeasured: int = 0
    difference: Estimate | None = None


@dataclass(frozen=True)
class ClassPair:
    """One class: its error or AP in percent, in A and in B; None where there was nothing to measure."""

    name: str
    metric: str
    count: int | None
    a: float | None
    b: float | None

    @property
    def difference(self) -> float | None:
        """B - A."""
        return None if self.a is None or self.b is None else self.b - self.a


def find(a: Run, b: Run) -> tuple[ImagePairs | None, str]:
    """Image by image; None with the reason where that is impossible."""
    try:
        return _find(a, b)
    except InputError as error:
        return None, f"Image by image: {error}."


def _find(a: Run, b: Run) -> tuple[ImagePairs | None, str]:
    lacking = [str(run.path) for run in (a, b) if not run.per_image]
    if lacking:
        return None, f"Image by image: no per_image.jsonl in {', '.join(lacking)}."
    key = _identity(a, b)
    theirs = {str(line.get(key)): line for line in b.per_image}
    pairs = [(line, theirs[str(line.get(key))]) for line in a.per_image if str(line.get(key)) in theirs]
    if not pairs:
        return None, "Image by image: the two were tested on different images."
    task = "classification" if "truth" in pairs[0][0] else "detection"
    truth = "truth" if task == "classification" else "objects"
    if any(one.get(truth) != other.get(truth) for one, other in pairs):
        return None, "Image by image: the same ids have different ground truth, so these are different images."
    left_out = max(len(a.per_image), len(b.per_image)) - len(pairs)
    found = _classification(pairs) if task == "classification" else _detection(pairs)
    return found, f"Image by image: {left_out} image(s) that only one was tested on are left out." if left_out else ""


def _identity(a: Run, b: Run) -> str:
    """The field that tells images apart: the name, where each image has its own; else the number.

    The number of a classified image is its position, which moves when an image is added to a folder or taken from it.
    """
    named = ({str(line["name"]) for line in run.per_image if line.get("name")} for run in (a, b))
    unique = all(len(names) == len(run.per_image) for names, run in zip(named, (a, b), strict=True))
    return "name" if unique else "image"


def _classification(pairs: Sequence[tuple[Line, Line]]) -> ImagePairs:
    cells: dict[tuple[bool, bool], list[Line]] = {(x, y): [] for x in (True, False) for y in (True, False)}
    for a, b in pairs:
        cells[_right(a), _right(b)].append(_both(a, b, ("truth",), ("predicted", "score")))
    only_a, only_b = cells[True, False], cells[False, True]
    return ImagePairs(
        task="classification",
        images=len(pairs),
        only_a=tuple(sorted(only_a, key=_score("b"), reverse=True)),
        only_b=tuple(sorted(only_b, key=_score("a"), reverse=True)),
        both_right=len(cells[True, True]),
        both_wrong=len(cells[False, False]),
        p=stats.mcnemar(len(only_a), len(only_b)),
    )


def _right(line: Line) -> bool:
    return bool(line["truth"] == line["predicted"])


def _score(side: str) -> Callable[[Line], float]:
    """Confidence of the side that is wrong."""
    return lambda line: numbers.finite(line[side].get("score")) or 0.0


def _detection(pairs: Sequence[tuple[Line, Line]]) -> ImagePairs:
    measured = []
    for a, b in pairs:
        one, other = numbers.finite(a.get("f1")), numbers.finite(b.get("f1"))
        if one is not None and other is not None:
            line = _both(a, b, ("objects",), ("f1", "right", "wrong", "missed"))
            measured.append((other - one, line))
    only_a = sorted((item for item in measured if item[0] < 0), key=lambda item: item[0])
    only_b = sorted((item for item in measured if item[0] > 0), key=lambda item: -item[0])
    return ImagePairs(
        task="detection",
        images=len(pairs),
        only_a=tuple(line for _, line in only_a),
        only_b=tuple(line for _, line in only_b),
        both_right=len(measured) - len(only_a) - len(only_b),
        both_wrong=0,
        p=stats.mcnemar(len(only_a), len(only_b)),
        unmeasured=len(pairs) - len(measured),
        difference=stats.bootstrap([difference for difference, _ in measured]) if measured else None,
    )


def _both(a: Line, b: Line, shared: Sequence[str], own: Sequence[str]) -> Line:
    line = {key: a.get(key) for key in ("image", "name", *shared)}
    return line | {side: {key: whose.get(key) for key in own} for side, whose in (("a", a), ("b", b))}


def classes(a: Run, b: Run) -> list[ClassPair]:
    """Class by class, largest difference first: of the diagnosis, else of the figures that name a class."""
    metric, ours, counts = _by_class(a)
    other, theirs, _ = _by_class(b)
    if metric != other:
        return []
    found = [
        ClassPair(name, metric, counts.get(name), ours.get(name), theirs.get(name))
        for name in dict.fromkeys([*ours, *theirs])
        if ours.get(name) is not None or theirs.get(name) is not None
    ]
    return sorted(found, key=lambda pair: -abs(pair.difference or 0))


def _by_class(run: Run) -> tuple[str, dict[str, float | None], dict[str, int | None]]:
    """Name of the figure, its value by class, number of examples by class."""
    entries = run.diagnosis.get("per_class") or []
    if entries:
        metric = "error" if "error" in entries[0] else "ap"
        values = {str(entry["class"]): numbers.finite(entry.get(metric)) for entry in entries}
        return metric, values, {str(entry["class"]): entry.get("count") for entry in entries}
    prefix = "test/ap/"
    figures = run.result.get("figures") or {}
    return "ap", {k[len(prefix) :]: numbers.finite(v) for k, v in figures.items() if k.startswith(prefix)}, {}
