"""What is odd about boxes that can be trained on, split by split, and their statistics."""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from lit_vision.data.formats.annotations import Annotations
from lit_vision.doctor.report import Problem

Ints = npt.NDArray[np.int64]

FEW = 10
"""Classes with fewer objects are reported."""

_CLASSES = 8  # listed, the most frequent first
_SMALL, _LARGE = 32**2, 96**2  # areas of COCO's small and large objects


def find(split: str, found: Annotations, class_names: Sequence[str]) -> Iterator[Problem]:
    """Oddities of a split's sound boxes."""
    owners = _owners(found)
    yield from _relative(split, found, owners)
    yield from _twice(split, found, owners, class_names)
    number = np.bincount(found.labels.numpy(), minlength=len(class_names)).tolist()
    yield from few(split, number, class_names, "objects")
    empty = np.flatnonzero(np.diff(found.starts.numpy()) == 0).tolist()
    for index in empty:
        yield Problem(
            split, "image without objects", found.names[index], "no usable object is annotated", path=found.path(index)
        )
    if len(found) and len(empty) == len(found):
        yield Problem(split, "no objects at all", "", f"none of its {len(found)} images has one")


def counts(found: Annotations) -> dict[str, int]:
    """Images and objects; crowds and difficult ones where there are any."""
    told = {"crowds": int(found.crowd.sum()), "difficult": int(found.difficult.sum())}
    return {"images": len(found), "objects": len(found.labels)} | {name: many for name, many in told.items() if many}


def statistics(found: Annotations, class_names: Sequence[str]) -> dict[str, str]:
    """Objects by class and by COCO's sizes, and their sides and shapes."""
    boxes = found.boxes.numpy()
    if not len(boxes):
        return {}
    width, height = (boxes[:, 2:] - boxes[:, :2]).T
    area = width * height
    number = np.bincount(found.labels.numpy(), minlength=len(class_names))
    sizes = {"small": area < _SMALL, "medium": (area >= _SMALL) & (area < _LARGE), "large": area >= _LARGE}
    order = np.argsort(-number, kind="stable")
    listed = [f"{class_names[label]} {number[label]:,}" for label in order[:_CLASSES]]
    more = f", and {len(order) - _CLASSES} more classes" if len(order) > _CLASSES else ""
    return {
        "objects by class": ", ".join(listed) + more,
        "by size (32 and 96 pixels)": ", ".join(f"{name} {mask.mean():.0%}" for name, mask in sizes.items()),
        "side, 5th to 95th percentile": _span(np.sqrt(area), "{:.0f}", " pixels"),
        "height / width, 5th to 95th percentile": _span(height / width, "{:.2f}"),
    }


def _span(values: npt.NDArray[np.float64], form: str, unit: str = "") -> str:
    low, middle, high = (form.format(value) for value in np.percentile(values, [5, 50, 95]))
    return f"{low} to {high}{unit}, median {middle}"


def _owners(found: Annotations) -> Ints:
    """Index of each object's image, [M]."""
    return np.repeat(np.arange(len(found)), np.diff(found.starts.numpy()))


def _relative(split: str, found: Annotations, owners: Ints) -> Iterator[Problem]:
    """Boxes within the first pixel: their numbers are shares of the image's sides."""
    boxes = found.boxes.numpy()
    for index in np.flatnonzero((boxes <= 1).all(axis=1)).tolist() if len(boxes) else ():
        image = int(owners[index])
        told = " ".join(f"{value:g}" for value in boxes[index].tolist())
        text = f"its corners are {told}: shares of the image in place of pixels?"
        yield Problem(split, "relative box", found.names[image], text, True, found.path(image))


def _twice(split: str, found: Annotations, owners: Ints, class_names: Sequence[str]) -> Iterator[Problem]:
    """Boxes that are there twice, with one class or with two."""
    first: dict[tuple[int, ...], int] = {}
    labels, crowd = found.labels.tolist(), found.crowd.tolist()
    for index, (image, box) in enumerate(zip(owners.tolist(), found.boxes.tolist(), strict=True)):
        if crowd[index]:
            continue  # a region to ignore belongs to every class
        earlier = first.setdefault((image, *box), index)
        if earlier == index:
            continue
        names = [class_names[labels[each]] for each in (earlier, index)]
        same = names[0] == names[1]
        text = f"{names[0]} twice at the same place" if same else f"{names[0]} and {names[1]} at the same place"
        kind = "duplicate box" if same else "one box, two classes"
        yield Problem(split, kind, found.names[image], text, False, found.path(image), tuple(box))


def few(split: str, number: Sequence[int], class_names: Sequence[str], unit: str) -> Iterator[Problem]:
    """One finding for all classes that are not there, and one for those that are hardly there.

    Args:
        split: The split.
        number: Of each class.
        class_names: Names by label.
        unit: What is counted.
    """
    counted = list(zip(class_names, number, strict=True))
    if absent := [name for name, objects in counted if not objects]:
        yield Problem(split, "absent classes", "", f"{_some(absent)} of {len(class_names)} classes")
    if rare := [f"{name} {objects}" for name, objects in counted if 0 < objects < FEW]:
        yield Problem(split, "rare classes", "", f"fewer than {FEW} {unit} of {_some(rare)}")


def _some(names: Sequence[str]) -> str:
    """How many, and the first of them."""
    return f"{len(names)} ({', '.join(names[:3])}{', …' if len(names) > 3 else ''})"
