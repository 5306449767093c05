"""COCO as it is unpacked, a few images a split: `annotations/instances_<split>.json` and `<split>/*.jpg`.

Objects are bright rectangles whose level tells the class, so that a detector can learn them. Every split holds a crowd
region; its last image holds no object.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from lit_vision.data.names import COCO_CATEGORIES
from tests.twins import folders

SPLITS = {"train2017": 6, "val2017": 3}
SPLITS_2014 = {"train2014": 4, "val2014": 4}
MINIVAL = (20_003, 20_001)  # of the images of val2014

# The classes that occur; ids have gaps, as COCO's have.
USED = (1, 13, 90)


def write(
    root: Path,
    splits: Mapping[str, int] = SPLITS,
    categories: Sequence[tuple[int, str]] = COCO_CATEGORIES,
    used: Sequence[int] = USED,
) -> Path:
    """The files of some splits: images by split."""
    for split, count in splits.items():
        content = content_of(split, count, categories, used)
        for number, image in enumerate(content["images"]):
            objects = [entry for entry in content["annotations"] if entry["image_id"] == image["id"]]
            folders.save(root / split / image["file_name"], _picture(image, objects, used, number))
        save(root / "annotations" / f"instances_{split}.json", content)
    return root


def write_unlabelled(root: Path, split: str, folder: str, count: int) -> None:
    """A test split: images, and their list without annotations."""
    content = content_of(folder, count)
    for number, image in enumerate(content["images"]):
        folders.save(root / folder / image["file_name"], _picture(image, [], USED, number))
    save(root / "annotations" / f"image_info_{split}.json", content | {"annotations": []})


def write_2014(root: Path) -> Path:
    """The splits of 2014 with the lists that divide `val2014`."""
    write(root, SPLITS_2014)
    rest = [number for number in _ids("val2014", SPLITS_2014["val2014"]) if number not in MINIVAL]
    for split, ids in (("minival2014", MINIVAL), ("valminusminival2014", rest)):
        (root / "annotations" / f"ids_{split}.txt").write_text("".join(f"{number}\n" for number in ids))
    return root


def content_of(
    split: str, count: int, categories: Sequence[tuple[int, str]] = COCO_CATEGORIES, used: Sequence[int] = USED
) -> dict:
    """An annotation file as Python objects, ready to be spoilt."""
    images, annotations = [], []
    for number, image_id in enumerate(_ids(split, count)):
        height, width = (60, 80) if number % 2 else (80, 60)
        prefix = f"COCO_{split}_" if split.endswith("2014") else ""
        images.append({"id": image_id, "file_name": f"{prefix}{image_id:012}.jpg", "height": height, "width": width})
        for place in range(0 if number == count - 1 else 1 + number % 3):
            annotations.append(_annotation(image_id, place, used[(number + place) % len(used)]))
    if annotations:
        # As in the real files, a crowd's mask is run lengths: here of its whole box.
        image = next(image for image in images if image["id"] == annotations[-1]["image_id"])
        annotations[-1] |= {"iscrowd": 1, "segmentation": run_lengths(annotations[-1]["bbox"], image)}
    named = [{"id": number, "name": name, "supercategory": "thing"} for number, name in categories]
    # As in the real files, objects are in no order of images.
    return {"images": images, "annotations": annotations[::-1], "categories": named}


def save(path: Path, content: object) -> Path:
    """Writes an annotation file, with its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


def _ids(split: str, count: int) -> list[int]:
    start = {"train2017": 10_000, "val2017": 30_000, "train2014": 10_000, "val2014": 20_000}.get(split, 100)
    return [start + number for number in range(count)]


def _annotation(image_id: int, place: int, category: int) -> dict:
    x, y, width, height = 2.5 + 18 * place, 4.25 + 15 * place, 20.5, 24.75
    outline = [x, y, x + width, y, x + width, y + height]
    return {
        "id": 10 * image_id + place,
        "image_id": image_id,
        "category_id": category,
        "bbox": [x, y, width, height],
        "area": width * height / 2,  # of the mask, a triangle
        "iscrowd": 0,
        "segmentation": [outline],
    }


def run_lengths(box: Sequence[float], image: Mapping[str, int]) -> dict:
    """A box's whole pixels as COCO writes them for crowds: column by column, off and on in turn."""
    x, y, width, height = (round(side) for side in box)
    right, bottom = min(x + width, image["width"]), min(y + height, image["height"])
    counts = [x * image["height"] + y, bottom - y]
    for _ in range(x + 1, right):
        counts += [image["height"] - (bottom - y), bottom - y]
    counts.append(image["height"] * image["width"] - sum(counts))
    return {"size": [image["height"], image["width"]], "counts": counts}


def _picture(image: dict, objects: Sequence[dict], used: Sequence[int], number: int) -> np.ndarray:
    pixels = folders.picture(image["height"], image["width"], 0, 10, number)
    for entry in objects:
        x, y, width, height = (round(side) for side in entry["bbox"])
        pixels[y : y + height, x : x + width] = 120 + 130 * used.index(entry["category_id"]) // len(used)
    return pixels
