"""Faults planted in twins of data sets: each function spoils one thing, and returns what must be found of it."""

import io
import json
from pathlib import Path

import numpy as np
from PIL import Image

from tests.twins import coco, folders, voc

Found = tuple[str, str, str]  # split, kind, image

VOC_SPLITS = {"train": 16, "val": 10}


def voc_folder(root: Path, test: int = 0) -> Path:
    """A folder in VOC's layout: images 000001 to 000016 to train on, 000017 to 000026 to validate, some to test."""
    voc.folder(root, VOC_SPLITS | ({"test": test} if test else {}))
    for path in sorted((root / "JPEGImages").glob("*.jpg")):
        folders.save(path, scene(*Image.open(path).size[::-1], int(path.stem)))
    return root


def scene(height: int, width: int, seed: int) -> np.ndarray:
    """Large patches of grey, so that no two pictures look alike; uint8 [H, W, 3]."""
    patches = np.random.default_rng(seed).integers(0, 255, (6, 6)).astype(np.uint8)
    grey = Image.fromarray(patches).resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(grey.convert("RGB"))


def coco_folder(root: Path) -> Path:
    """COCO files `train.json` and `val.json`: images 1 to 14 and 101 to 108, of which the last of each is empty."""
    for split, first, count in (("train", 1, 14), ("val", 101, 8)):
        content = coco.content_of(split, count)
        moved = {image["id"]: first + number for number, image in enumerate(content["images"])}
        for number, image in enumerate(content["images"]):
            image |= {"id": moved[image["id"]], "file_name": f"{moved[image['id']]:03}.jpg"}
            folders.save(root / split / image["file_name"], scene(image["height"], image["width"], first + number))
        for entry in content["annotations"]:
            entry |= {"id": 10 * moved[entry["image_id"]] + entry["id"] % 10, "image_id": moved[entry["image_id"]]}
        (root / f"{split}.json").write_text(json.dumps(content))
    return root


def plant_voc(root: Path) -> set[Found]:
    """Everything that can be wrong with a folder in VOC's layout."""
    boxes = {
        "000001": ((20, 20, 20, 30), "zero size"),
        "000002": ((30, 20, 20, 30), "swapped corners"),
        "000003": ((90, 60, 95, 70), "outside the image"),
        "000004": (("x", 5, 9, 9), "not a box"),
        "000005": ((0, 0, 9, 9), "one pixel outside"),
        "000006": ((5, 5, 99, 45), "clipped"),
        "000007": ((0.1, 0.2, 0.5, 0.6), "relative box"),
    }
    found = set()
    for number, (stem, (box, kind)) in enumerate(boxes.items()):
        size = (50, 70) if number % 2 else (70, 50)
        voc.annotate(root, stem, [{"name": "person", "box": box}], size)
        found.add(("train", kind, stem))
    # A relative box counts from 0: VOC's pixels from 1 leave it outside by one, too.
    found.add(("train", "clipped", "000007"))
    twice = {"name": "person", "box": (3, 5, 22, 30)}
    voc.annotate(root, "000008", [twice, twice])
    voc.annotate(root, "000009", [twice, twice | {"name": "aeroplane"}], (70, 50))
    voc.annotate(root, "000010", [twice | {"difficult": "perhaps"}])
    voc.annotate(root, "000011", [twice | {"name": "Person"}], (70, 50))
    found |= {("train", "duplicate box", "000008"), ("train", "one box, two classes", "000009")}
    found |= {("train", "bad flag", "000010"), ("", "alike class names", "")}
    (root / "Annotations" / "000012.xml").write_text("<annotation><object>")
    (root / "Annotations" / "000013.xml").unlink()
    (root / "JPEGImages" / "000014.jpg").rename(root / "JPEGImages" / "000014.gif")
    found |= {("train", "bad XML", "000012"), ("train", "missing annotation", "000013")}
    found |= {("train", "missing image", "000014"), ("", "unlisted image", "000014.gif")}
    # What is left of images that the reader gives up lies in a folder of the data set all the same.
    found |= {("", "unlisted image", "000012.jpg"), ("", "unlisted image", "000013.jpg")}
    with (root / "ImageSets" / "Main" / "train.txt").open("a") as file:
        file.write("000015\n")
    tagged = root / "Annotations" / "000015.xml"
    tagged.write_text(tagged.read_text().replace("<object>", "<object><blur>1</blur>"))
    found |= {("train", "duplicate id", "000015"), ("", "custom tag", "")}
    return found | _plant_images(root)


def _plant_images(root: Path) -> set[Found]:
    """Faults of the images to validate; their headers are sound, so that reading alone finds nothing."""

    def file(stem: str) -> Path:
        return root / "JPEGImages" / f"{stem}.jpg"

    file("000017").write_bytes(file("000001").read_bytes())
    voc.annotate(root, "000017", [], (70, 50))
    buffer = io.BytesIO()
    Image.open(file("000003")).save(buffer, "JPEG", quality=70)
    file("000018").write_bytes(buffer.getvalue())
    voc.annotate(root, "000018", [], (70, 50))
    whole = file("000019").read_bytes()
    file("000019").write_bytes(whole[: len(whole) * 9 // 10])
    file("000020").write_bytes(b"")
    Image.open(file("000021")).save(file("000021"), "PNG")
    Image.open(file("000022")).convert("CMYK").save(file("000022"))
    exif = Image.Exif()
    exif[0x0112] = 3
    Image.open(file("000023")).save(file("000023"), exif=exif)
    voc.annotate(root, "000024", [], (51, 70))
    Image.fromarray(np.zeros((12, 70, 3), dtype=np.uint8)).save(file("000025"))
    voc.annotate(root, "000025", [], (12, 70))
    found = {("train", "trained and evaluated on", "000001"), ("train", "nearly the same image", "000003")}
    found |= {("val", "truncated image", "000019"), ("val", "unreadable image", "000020")}
    found |= {("val", "wrong suffix", "000021"), ("val", "odd mode", "000022"), ("val", "turned by EXIF", "000023")}
    found |= {("val", "other size", "000024"), ("val", "tiny image", "000025")}
    found |= {("", "unlisted image", "000020.jpg"), ("", "unlisted image", "000024.jpg")}
    return found | {("val", "image without objects", stem) for stem in ("000017", "000018", "000025")}


def plant_coco(root: Path) -> set[Found]:
    """Everything that can be wrong with files in COCO's format."""
    path = root / "train.json"
    content = json.loads(path.read_text())
    objects = {entry["image_id"]: entry for entry in content["annotations"]}
    boxes = {
        1: ([5, 5, 0, 9], "zero size"),
        2: ([5, 5, 9, -3], "swapped corners"),
        3: ([90, 5, 9, 9], "outside the image"),
        4: ([5, 5, 9], "not a box"),
        5: ([-9, 5, 30, 9], "clipped"),
        6: ([0.1, 0.2, 0.4, 0.4], "relative box"),
    }
    found = set()
    for number, (box, kind) in boxes.items():
        objects[number]["bbox"] = box
        found.add(("train", kind, f"{number:03}.jpg"))
    objects[7]["category_id"] = 12  # a gap in COCO's numbers
    objects[8]["iscrowd"] = "some"
    content["annotations"].append(dict(objects[9]))
    objects[10] |= {"iscrowd": 1, "segmentation": []}
    content["annotations"].append(objects[11] | {"id": 999_999})
    content["annotations"].append(objects[1] | {"id": 999_998, "image_id": 555})
    found |= {("train", "unknown category", "007.jpg"), ("train", "bad flag", "008.jpg")}
    found |= {("train", "duplicate id", "009.jpg"), ("train", "crowd without a mask", "010.jpg")}
    found |= {("train", "duplicate box", "011.jpg"), ("train", "unknown image", "")}
    content["images"].append(content["images"][11] | {"id": 556})
    content["images"].append({"id": 557, "height": 9, "width": 9})
    (root / "train" / "013.jpg").rename(root / "train" / "013.JPG")
    found |= {("train", "duplicate file", "012.jpg"), ("train", "bad image entry", "")}
    found |= {("train", "missing image", "013.jpg"), ("", "unlisted image", "013.JPG")}
    path.write_text(json.dumps(content))
    return found


def class_folders(root: Path) -> Path:
    """Folders of classes with photographs of many sizes."""
    folders.photographs(root)
    for number, path in enumerate(sorted(root.rglob("*.jpg"))):
        folders.save(path, scene(*Image.open(path).size[::-1], number))
    return root


def plant_classes(root: Path) -> set[Found]:
    """What can be wrong with class folders of photographs."""
    ant = root / "train" / "ant"
    (root / "val" / "ant" / "000.jpg").write_bytes((ant / "000.jpg").read_bytes())
    (ant / "002.jpg").write_bytes((ant / "001.jpg").read_bytes())
    (ant / "003.jpg").write_bytes(b"no image")
    (ant / "004.jpg").write_bytes(b"")
    pictures = [Image.fromarray(scene(40, 40, seed)).convert("P") for seed in (901, 902)]
    pictures[0].save(ant / "005.gif", save_all=True, append_images=pictures[1:])
    Image.fromarray(np.full((40, 40), 7000, dtype=np.uint16)).save(ant / "006.png")
    found = {("train", "trained and evaluated on", "ant/000.jpg"), ("train", "the same image twice", "ant/002.jpg")}
    found |= {("train", "unreadable image", "ant/003.jpg"), ("train", "empty file", "ant/004.jpg")}
    found |= {("train", "animation", "ant/005.gif"), ("train", "odd mode", "ant/005.gif")}
    return found | {("train", "odd mode", "ant/006.png")}
