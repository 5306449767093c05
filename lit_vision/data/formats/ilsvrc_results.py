"""What ILSVRC's server takes: a line for each image (localisation) or for each box (detection).

localisation    class x1 y1 x2 y2 of up to five classes, the best first; lines in the order of the images' numbers
detection       image class score x1 y1 x2 y2
"""

from collections.abc import Iterable, Sequence

from lit_vision.data.formats.voc_xml import Corners, in_corners
from lit_vision.types import Detections

GUESSES = 5


def localisation(found: Iterable[tuple[int, Detections]], numbers: Sequence[int], corners: Corners) -> str:
    """A line for each image, empty where nothing was found.

    Args:
        found: Number of each image, and its detections in original pixels.
        numbers: The server's number of each class.
        corners: How the data set writes boxes.
    """
    return "".join(
        " ".join(f"{numbers[label]} {_text(box)}" for label, _, box in _guesses(detections, corners)) + "\n"
        for _, detections in sorted(found, key=lambda entry: entry[0])
    )


def detection(found: Iterable[tuple[int, Detections]], numbers: Sequence[int], corners: Corners) -> str:
    """A line for each box; arguments as of `localisation`."""
    return "".join(
        f"{image} {numbers[label]} {score:.6f} {_text(box)}\n"
        for image, detections in sorted(found, key=lambda entry: entry[0])
        for label, score, box in _rows(detections, corners)
    )


def _rows(detections: Detections, corners: Corners) -> list[tuple[int, float, list[float]]]:
    """Label, score and corners of each box, the best first."""
    boxes = in_corners(detections.boxes.double().numpy(), corners).tolist()
    rows = zip(detections.labels.tolist(), detections.scores.tolist(), boxes, strict=True)
    return sorted(rows, key=lambda row: -row[1])


def _guesses(detections: Detections, corners: Corners) -> list[tuple[int, float, list[float]]]:
    """The best box of each of the five best classes."""
    best: dict[int, tuple[int, float, list[float]]] = {}
    for row in _rows(detections, corners):
        best.setdefault(row[0], row)
    return list(best.values())[:GUESSES]


def _text(box: Sequence[float]) -> str:
    return " ".join(f"{corner:.2f}" for corner in box)
