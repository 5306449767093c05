"""The outputs of one data set's detector that another's classes need, by name.

COCO has all of VOC's classes: a COCO detector becomes one of VOC when the categories of COCO alone are dropped, and its
softmax runs over VOC's 20 classes and background (Faster R-CNN paper, Table 12). Fine-tuning starts from the same rows.
"""

from typing import Literal

from lit_vision.data.names import COCO_CATEGORIES, VOC_CLASSES
from lit_vision.errors import InputError

Pair = Literal["coco_to_voc"]

# What COCO calls VOC's classes, where the names differ.
_NAMES = {
    "aeroplane": "airplane",
    "diningtable": "dining table",
    "motorbike": "motorcycle",
    "pottedplant": "potted plant",
    "sofa": "couch",
    "tvmonitor": "tv",
}
_COCO = [name for _, name in COCO_CATEGORIES]

FROM: dict[Pair, int] = {"coco_to_voc": len(_COCO)}
"""Classes of the file."""


def of(pair: Pair, num_classes: int) -> list[int]:
    """Which of the file's classes are ours, in our order.

    Args:
        pair: The two data sets.
        num_classes: Ours.

    Raises:
        InputError: The data have another number of classes, or no such pair is known.
    """
    if pair not in FROM:
        raise InputError(f"weights_rows {pair!r}: choose {', '.join(FROM)}")
    found = [_COCO.index(_NAMES.get(name, name)) for name in VOC_CLASSES]
    if len(found) != num_classes:
        raise InputError(f"weights_rows {pair} takes the rows of {len(found)} classes, but the data have {num_classes}")
    return found
