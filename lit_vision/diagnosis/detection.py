"""Why a detector may have missed: its kinds of mistakes and what each costs, curves, and the worst images."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from lit_vision.diagnosis import assignment, calibration, curves, drawing, images, mistakes, oracles, pictures
from lit_vision.diagnosis.curves import Curve, Curves
from lit_vision.diagnosis.images import ByImage
from lit_vision.diagnosis.mistakes import Errors
from lit_vision.diagnosis.pictures import Examination, Report, Rows
from lit_vision.metrics import detections
from lit_vision.metrics.backends import RECALLS
from lit_vision.metrics.detections import Evidence
from lit_vision.types import Batch, Detections, Target

CURVES = 100  # classes, the commonest

# Told apart by eyes of every kind (Okabe and Ito); the words beside them say the same.
RIGHT, WRONG, UNCOUNTED = (0, 114, 178), (213, 94, 0), (120, 120, 120)
HEAD, GAP = 20, 4  # pixels that `drawing.beside` adds


class DetectionDiagnosis(Examination):
    """Keeps what the metrics keep: 28 bytes a detection, 14 MB for 100 of each of COCO's 5000 images.

    Args:
        agnostic: Whether detections have no class (region proposals): then all objects are of one.
    """

    task = "detection"

    def __init__(self, agnostic: bool = False) -> None:
        self.agnostic = agnostic
        self._batches: list[Rows] = []

    def keep(self, outputs: dict[str, list[Detections]], batch: Batch[list[Target]], number: int) -> None:
        """Takes one batch's detections."""
        found, targets = outputs["found"], batch.targets
        if self.agnostic:
            found = [Detections(*(values[: mistakes.MOST] for values in one)) for one in found]
            targets = [target._replace(labels=torch.zeros_like(target.labels)) for target in targets]
        if targets:
            self._batches.append(detections.flat(found, targets))

    def rows(self) -> Rows:
        """Of all batches so far."""
        return detections.join(self._batches)

    def report(self, parts: list[Rows], data: Any, folder: Path) -> Report:
        """See `Examination`."""
        names = ["object"] if self.agnostic else data.class_names
        evidence = assignment.best(detections.arrange(detections.join(parts)), mistakes.MOST)
        pairs = assignment.overlapping(evidence, mistakes.LOW)
        found = mistakes.judge(evidence, pairs)
        along = curves.of(evidence, pairs, len(names))
        by_image = images.count(evidence, found)
        lines = _lines(evidence, by_image, data.image_names("test"))
        counted = found.kinds != mistakes.IGNORED
        summary = {
            "class_names": names,
            "images": len(lines),
            "shown_score": images.SHOWN_SCORE,
            **pictures.calibrated(
                calibration.bins(evidence.found_scores[counted], found.kinds[counted] == mistakes.RIGHT)
            ),
            "per_class": _per_class(evidence, found, along, names),
            "errors": oracles.breakdown(evidence, found, names),
            "precision_recall": _precision_recall(evidence, found, along, names),
            "recall_iou": {"iou": curves.OVERLAPS.tolist(), "recall": along.mean_recall().tolist()},
        }
        draw = _Worst(evidence, found, names, data, folder)
        chosen = by_image.worst(pictures.SHOWN).tolist()
        worst = [draw.entry(place, row, lines[row]) for place, row in enumerate(chosen)]
        return summary | {"worst": worst}, lines


def _lines(evidence: Evidence, by_image: ByImage, names: dict[int, str]) -> list[dict[str, Any]]:
    """The entries of `per_image.jsonl`."""
    columns = {"image": evidence.image_ids} | {
        name: getattr(by_image, name) for name in ("objects", "found", "right", "wrong", "missed", "f1")
    }
    rows = zip(*(values.tolist() for values in columns.values()), strict=True)
    found = [dict(zip(columns, row, strict=True)) for row in rows]
    return [{"image": one["image"], "name": names[one["image"]], **one} for one in found]


def _per_class(evidence: Evidence, found: Errors, along: Curves, names: list[str]) -> list[dict[str, Any]]:
    counts = _counts(evidence, found, names)
    rows = zip(names, counts, along.ap.tolist(), along.ap50.tolist(), strict=True)
    return [{"class": name, "count": count, "ap": ap, "ap50": ap50} for name, count, ap, ap50 in rows]


def _precision_recall(evidence: Evidence, found: Errors, along: Curves, names: list[str]) -> dict[str, Any]:
    """All classes in the mean, and the commonest ones that have objects."""
    counts = _counts(evidence, found, names)
    commonest = sorted(np.argsort([-count for count in counts], kind="stable")[:CURVES].tolist())
    shown = {names[label]: _curve(along.of_class(label)) for label in commonest if counts[label]}
    return {"all": _curve(along.mean())} | shown


def _curve(curve: Curve) -> dict[str, list[float]]:
    columns = {"recall": RECALLS, "precision": curve.precision, "score": curve.score}
    return {name: values.tolist() for name, values in columns.items()}


def _counts(evidence: Evidence, found: Errors, names: list[str]) -> list[int]:
    counts: list[int] = np.bincount(evidence.truth_labels[found.positives], minlength=len(names)).tolist()
    return counts


class _Worst:
    """Draws images that went wrong: ground truth beside what was found, each box with what became of it.

    Args:
        evidence: All images.
        found: Their detections and objects, judged.
        names: Of the classes.
        data: The data module.
        folder: The run's folder.
    """

    def __init__(self, evidence: Evidence, found: Errors, names: list[str], data: Any, folder: Path) -> None:
        self.evidence = evidence
        self.found = found
        self.names = names
        self.data = data
        self.folder = folder
        self.seen = images.shown_found(evidence, found)

    def entry(self, place: int, row: int, line: dict[str, Any]) -> dict[str, Any]:
        """An entry of `worst`, and its picture.

        Args:
            place: 0 is the worst.
            row: The image's.
            line: Its entry in `per_image.jsonl`.
        """
        picture = pictures.save(self.folder, f"worst_{place:02d}", lambda: self.picture(row))
        return {name: line[name] for name in ("image", "name", "f1", "wrong", "missed")} | {"picture": picture}

    def picture(self, row: int) -> Image.Image:
        """Both halves."""
        original = drawing.opened(self.data.original("test", int(self.evidence.image_ids[row])))
        left = drawing.fitted(original, (pictures.SIDE - GAP) // 2, pictures.SIDE - HEAD)
        scale = left.width / original.width
        right = left.copy()
        titles = ("ground truth", f"found, score at least {images.SHOWN_SCORE:g}")
        return drawing.beside(self._truth(left, row, scale), self._found(right, row, scale), titles)

    def _truth(self, image: Image.Image, row: int, scale: float) -> Image.Image:
        rows = np.flatnonzero(self.evidence.truth_images == row)
        texts, colours = [], []
        for number in rows.tolist():
            counted, seen = self.found.positives[number], self.seen[number]
            name = self.names[self.evidence.truth_labels[number]]
            texts.append(name + ("" if seen else " missed" if counted else " not counted"))
            colours.append(RIGHT if seen else WRONG if counted else UNCOUNTED)
        return drawing.marked(image, (scale * self.evidence.truth_boxes[rows]).tolist(), texts, colours)

    def _found(self, image: Image.Image, row: int, scale: float) -> Image.Image:
        rows = np.flatnonzero((self.evidence.found_images == row) & images.shown(self.evidence))
        rows = rows[np.argsort(-self.evidence.found_scores[rows], kind="stable")]
        texts, colours = [], []
        for number in rows.tolist():
            name, score = self.names[self.evidence.found_labels[number]], self.evidence.found_scores[number]
            became, colour = _became(int(self.found.kinds[number]))
            texts.append(f"{name} {100 * score:.0f}{became}")
            colours.append(colour)
        return drawing.marked(image, (scale * self.evidence.found_boxes[rows]).tolist(), texts, colours)


def _became(kind: int) -> tuple[str, drawing.Colour]:
    """What is written behind a detection, and its colour."""
    if kind == mistakes.RIGHT:
        return "", RIGHT
    return (" not counted", UNCOUNTED) if kind == mistakes.IGNORED else (f" {mistakes.KINDS[kind]}", WRONG)
