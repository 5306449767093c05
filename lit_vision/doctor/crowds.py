"""Crowds of a file in COCO's format that are boxes alone."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lit_vision import files
from lit_vision.doctor.report import Problem


def find(split: str, file: Path) -> Iterator[Problem]:
    """A note for each crowd without a mask: detections are forgiven in the whole box, as wide as it may be.

    Args:
        split: The split.
        file: A file that was read without an error.
    """
    content: Any = json.loads(files.content(file))
    names = {entry["id"]: entry.get("file_name", "") for entry in content["images"] if isinstance(entry, dict)}
    for entry in content.get("annotations", ()):
        if isinstance(entry, dict) and entry.get("iscrowd") == 1 and not entry.get("segmentation"):
            text = (
                f"annotation {entry.get('id')}: detections count neither for nor against in all of {entry.get('bbox')}"
            )
            yield Problem(split, "crowd without a mask", names.get(entry.get("image_id"), ""), text)
