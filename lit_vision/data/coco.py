"""COCO, and a user's own data in COCO's format."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import torch

from lit_vision import files
from lit_vision.data.boxes import BoxData
from lit_vision.data.formats import coco_json, findings
from lit_vision.data.formats.annotations import Annotations
from lit_vision.data.formats.coco_json import Category
from lit_vision.data.formats.findings import Reading
from lit_vision.data.names import COCO_CATEGORIES
from lit_vision.data.pipelines.scenes import BoxPipeline
from lit_vision.errors import InputError

Test = Literal["test-dev2015", "test-dev2017", "test2015"]
Of2014 = Literal[
    "train2014", "val2014", "trainval2014", "trainval35k", "minival2014", "valminusminival2014", "first5k2014"
]
Split = Literal["train2017", "val2017"] | Of2014

_CATEGORIES = [Category(*entry) for entry in COCO_CATEGORIES]
_IMAGES = {
    **{"train2017": 118_287, "val2017": 5_000, "test-dev2017": 20_288},
    **{"train2014": 82_783, "val2014": 40_504, "minival2014": 5_000, "valminusminival2014": 35_504},
    **{"trainval2014": 123_287, "trainval35k": 118_287, "first5k2014": 5_000},
}
# In the words of cards; what is not here is for training.
_OFFICIAL = {"val2017": "minival", "minival2014": "minival", "val2014": "val", "first5k2014": "val"} | {
    "test-dev2015": "test-dev",
    "test-dev2017": "test-dev",
    "test2015": "test-std",
}
_FIRST = {"first5k2014": 5_000}
_PARTS = {"trainval2014": ("train2014", "val2014"), "trainval35k": ("train2014", "valminusminival2014")}


class CocoFormat(BoxData):
    """Images and boxes that JSON files in COCO's format list; classes are the training file's categories.

    Args:
        root: Folder that all other paths are relative to.
        train: Training file.
        val: Validation file.
        test: Test file.
        train_images: Folder of the training images. None looks, here and for the other splits, in the usual places: the
            folders named like the split or the file, there or in `images`, `images`, the file's own folder, the root.
        val_images: Folder of the validation images.
        test_images: Folder of the test images.
        pipeline: None resizes to a short side of 800 pixels, at most 1333, and flips.
        kwargs: See `BoxData`.

    Raises:
        InputError: If a file or its images are missing, or the file is not in COCO's format.
    """

    def __init__(
        self,
        root: str = ".",
        train: str = "train.json",
        val: str | None = "val.json",
        test: str | None = None,
        train_images: str | None = None,
        val_images: str | None = None,
        test_images: str | None = None,
        pipeline: BoxPipeline | None = None,
        **kwargs: Any,
    ) -> None:
        base = Path(root)
        if not files.is_folder(base):
            raise InputError(f"data.root {base}: there is no such folder")
        named = {"train": train, "val": val, "test": test}
        folders = {"train": train_images, "val": val_images, "test": test_images}
        self.files = {split: base / file for split, file in named.items() if file}
        self.folders = {split: base / folder for split, folder in folders.items() if folder}
        self.root = base
        self.categories = coco_json.categories(self.files["train"])
        super().__init__(
            [category.name for category in self.categories],
            pipeline,
            [category.id for category in self.categories],
            **kwargs,
        )

    def readings(self) -> dict[str, Reading]:
        """Every file, with the training file's categories."""
        return {split: self._read(split, file) for split, file in self.files.items()}

    def _read(self, split: str, file: Path) -> Reading:
        folder = self.folders.get(split) or self._find_images(split, file)
        return coco_json.read(file, folder, self.categories, labelled=split != "test", masks=self.masks)

    def _find_images(self, split: str, file: Path) -> Path:
        """The folder that holds the first image that the file lists."""
        stem = file.stem.removeprefix("instances_")
        images = self.root / "images"
        places = [self.root / stem, self.root / split, images / stem, images / split, images]
        places += [file.parent, file.parent / "images", self.root]
        first = coco_json.first_image(file)
        if not first:
            raise InputError(f"{file}: its list images names no image file; data.{split} needs images")
        for place in places:
            if files.is_there(place / first):
                return place
        raise InputError(
            f"{file} lists {first}, which is not in {', '.join(dict.fromkeys(str(place) for place in places))}\n"
            f"name the folder by data.{split}_images"
        )


class COCO(BoxData):
    """COCO's own files: `annotations/instances_<split>.json` and `<split>/` below the root.

    The papers' `trainval35k` is train2017 and their `minival` is val2017. `trainval2014` is train2014 and val2014. The
    splits `minival2014` and `valminusminival2014` read the ids in `annotations/ids_<split>.txt`, one per line, and
    `first5k2014` is the 5,000 images of val2014 with the lowest ids, on which mask proposals were compared.

    Args:
        root: Folder with `annotations/` and the images' folders, which may also lie in `images/`.
        train: Training split.
        val: Validation split; None for none, where every labelled image is trained on.
        test: `test-dev2015`, `test-dev2017`, or `test2015` with the images of test-std among them. Their annotations
            are on the server alone: the run writes the file to send. None tests on `val`.
        only: Ids of the only images to use, for a look at a few; None uses all.
        algorithm: What the server is to call the detections: letters, digits, `-` and `_`.
        pipeline: None resizes to a short side of 800 pixels, at most 1333, and flips.
        kwargs: See `BoxData`.

    Raises:
        InputError: If the files are not there; says how to get them. If no image has one of the ids, or the server
            could not read the name.
    """

    def __init__(
        self,
        root: str = "data/coco",
        train: Split = "train2017",
        val: Split | None = "val2017",
        test: Test | None = None,
        only: Sequence[int] | None = None,
        algorithm: str = "lit-vision",
        pipeline: BoxPipeline | None = None,
        **kwargs: Any,
    ) -> None:
        self.root = Path(root)
        named = {"train": train, "val": val, "test": test}
        self.names: dict[str, str] = {split: name for split, name in named.items() if name}
        self.only = only
        if not re.fullmatch(r"[\w-]+", algorithm, re.ASCII):
            raise InputError(f"data.algorithm {algorithm!r}: the server takes letters, digits, - and _ alone")
        self.coco_results = f"detections_{test}_{algorithm}_results" if test else None
        ids, class_names = zip(*COCO_CATEGORIES, strict=True)
        super().__init__(class_names, pipeline, ids, **kwargs)

    @property
    def official_split(self) -> str:
        """`minival` for val2017, `test-dev` and `test-std` for the server's splits."""
        return _OFFICIAL.get(self.names[self.test_split], "train")

    def readings(self) -> dict[str, Reading]:
        """Both splits, with the 80 categories."""
        return {
            split: findings.join([self._read(part) for part in _PARTS.get(name, (name,))])
            for split, name in self.names.items()
        }

    def read(self) -> dict[str, Annotations]:
        """Both splits, or of them the images asked for."""
        splits = super().read()
        return splits if self.only is None else {name: _chosen(split, self.only) for name, split in splits.items()}

    def official(self) -> dict[str, int]:
        """Images of the chosen splits whose number is known, those without objects included."""
        return {split: _IMAGES[name] for split, name in self.names.items() if name in _IMAGES}

    def nominal_train(self) -> int:
        """Training images with annotations, of 118,287 in all."""
        return {"train2017": 117_266, "trainval35k": 117_266}.get(self.names["train"], 0)

    def _read(self, split: str) -> Reading:
        file, images, ids = self._place(split)
        if not file.is_file():
            raise InputError(f"{file}: there is no such file; lit-vision data where coco2017 shows what is expected")
        labelled, first = not split.startswith("test"), _FIRST.get(split)
        return coco_json.read(file, images, _CATEGORIES, ids, labelled, self.masks, first)

    def _place(self, split: str) -> tuple[Path, Path, Path | None]:
        """Annotation file, folder of the images, and list of ids."""
        annotations = self.root / "annotations"
        if split.startswith("test"):
            return annotations / f"image_info_{split}.json", self._images(split.replace("-dev", "")), None
        if split in ("minival2014", "valminusminival2014"):
            return annotations / "instances_val2014.json", self._images("val2014"), annotations / f"ids_{split}.txt"
        if split in _FIRST:
            return annotations / "instances_val2014.json", self._images("val2014"), None
        return annotations / f"instances_{split}.json", self._images(split), None

    def _images(self, name: str) -> Path:
        """The folder of some images, below the root or, as many unpack them, below `images`."""
        inner = self.root / "images" / name
        return inner if inner.is_dir() and not (self.root / name).is_dir() else self.root / name


def _chosen(split: Annotations, ids: Sequence[int]) -> Annotations:
    missing = sorted(set(ids) - set(split.image_ids.tolist()))
    if missing:
        raise InputError(f"data.only: {split.folder} has no image {missing[0]} among its {len(split)}")
    return split.take(torch.isin(split.image_ids, torch.tensor(list(ids))).nonzero().flatten())
