"""Pascal VOC, and a user's own data in VOC's format."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from lit_vision import files, nearest
from lit_vision.data.boxes import BoxData
from lit_vision.data.formats import findings, voc_xml
from lit_vision.data.formats.findings import Reading
from lit_vision.data.formats.voc_xml import Corners, Meaning
from lit_vision.data.names import VOC_CLASSES
from lit_vision.data.pipelines.scenes import BoxPipeline
from lit_vision.errors import InputError

# Faster R-CNN's test scale: short side 600; the cap of 1000 is from the authors' code.
_PRESET: dict[str, Any] = {"train": [600], "test": 600, "cap": 1000}


class VocFormat(BoxData):
    """Images and boxes in a folder with `Annotations/`, `ImageSets/Main/` and `JPEGImages/`.

    Args:
        root: The folder.
        classes: Names of the classes, in order; None takes all that the annotations name, sorted.
        ignore: Names of objects that are no class: nothing is counted where they are, neither for nor against, as in
            COCO's crowds.
        corners: How boxes are meant. `inclusive_1`: pixels count from 1 and the last belongs to the box, as in VOC;
            `inclusive_0`: they count from 0; `exclusive_0`: edges from 0, the lower right beyond the last pixel.
        train: Training list in `ImageSets/Main`.
        val: Validation list; None for none.
        test: Test list; None for none.
        pipeline: None resizes to a short side of 600 pixels, at most 1000, and flips.
        kwargs: See `BoxData`.

    Raises:
        InputError: If the folder or a list is missing, a name is both a class and ignored, or nothing has the
            name that is ignored.
    """

    preset = _PRESET
    voc_results = "comp4_det_test"

    def __init__(
        self,
        root: str,
        classes: Sequence[str] | None = None,
        train: str = "train",
        val: str | None = "val",
        test: str | None = "test",
        ignore: Sequence[str] = (),
        corners: Corners = "inclusive_1",
        pipeline: BoxPipeline | None = None,
        **kwargs: Any,
    ) -> None:
        self.root = Path(root)
        if not files.is_folder(self.root):
            raise InputError(f"data.root {self.root}: there is no such folder")
        self.lists = {split: name for split, name in {"train": train, "val": val, "test": test}.items() if name}
        there = voc_xml.splits(self.root)
        for split, name in self.lists.items():
            if name not in there:
                raise InputError(
                    f"data.{split} {name}: {self.root}/ImageSets/Main has no such list, only {', '.join(there)}\n"
                    f"name one of them, or null for no {split} split"
                )
        self.ignore, self.corners = list(ignore), corners
        super().__init__(self._names(classes), pipeline, **kwargs)

    def readings(self) -> dict[str, Reading]:
        """Every list."""
        meaning = Meaning(self.class_names, self.corners, self.ignore)
        return {split: voc_xml.read(self.root, name, meaning) for split, name in self.lists.items()}

    def _names(self, classes: Sequence[str] | None) -> list[str]:
        """The classes: those asked for, or all that are annotated and not ignored."""
        if both := sorted(set(classes or ()) & set(self.ignore)):
            raise InputError(f"data.ignore {both[0]}: it is in data.classes too; choose one of the two")
        if classes:
            return list(classes)
        annotated = voc_xml.class_names(self.root)
        if unknown := [name for name in self.ignore if name not in annotated]:
            hint = nearest.hint(unknown[0], annotated)
            raise InputError(f"data.ignore {unknown[0]}: nothing in {self.root} has that name; {hint}")
        found = [name for name in annotated if name not in self.ignore]
        if not found:
            raise InputError(f"data.ignore {', '.join(self.ignore[:3])}: no class is left in {self.root}")
        return found


# Year and list of each part. The papers write a union as a sum, and `++` where VOC 2007's test set is trained on too.
_TRAIN = {
    "07": [("2007", "trainval")],
    "12": [("2012", "trainval")],
    "07+12": [("2007", "trainval"), ("2012", "trainval")],
    "07++12": [("2007", "trainval"), ("2007", "test"), ("2012", "trainval")],
}
_IMAGES = {"07": 5011, "12": 11540, "07+12": 16551, "07++12": 21503}


class VOC(BoxData):
    """Pascal VOC 2007 and 2012: `VOC2007/` and `VOC2012/` below the root.

    There is no validation split: every training set of the papers contains it; what is watched is the test split.
    VOC 2012's test annotations are on its server alone: its figures are empty, and `voc/results` in the run's folder is
    what to pack and send. The papers' `COCO+07+12` is `07+12`, started from weights that COCO trained.

    Args:
        root: The folder with both years, `VOCdevkit`.
        train: `07`, `12`, `07+12`, or `07++12` (with VOC 2007's test images).
        test: Year of the test split.
        competition: `comp3` for what was trained on VOC's own images alone, `comp4` for all else, ImageNet's weights
            included.
        pipeline: None resizes to a short side of 600 pixels, at most 1000, and flips.
        kwargs: See `BoxData`.

    Raises:
        InputError: If the files are not there; says how to get them. If a year's folder holds another year's images.
    """

    preset = _PRESET

    def __init__(
        self,
        root: str = "data/VOCdevkit",
        train: Literal["07", "12", "07+12", "07++12"] = "07",
        test: Literal["07", "12"] = "07",
        competition: Literal["comp3", "comp4"] = "comp4",
        pipeline: BoxPipeline | None = None,
        **kwargs: Any,
    ) -> None:
        self.root = Path(root)
        self.train_set, self.test_set = train, test
        if ("2007", "test") in _TRAIN[train] and test == "07":
            raise InputError("data.train 07++12 contains VOC 2007's test images; set data.test to 12")
        self.voc_results = f"results/VOC20{test}/Main/{competition}_det_test"
        super().__init__(VOC_CLASSES, pipeline, monitor="test", **kwargs)

    def readings(self) -> dict[str, Reading]:
        """The union of the training lists, and the test list."""
        train = findings.join([self._read(year, name) for year, name in _TRAIN[self.train_set]])
        self._refuse_twice(train.annotations.names)
        return {"train": train, "test": self._read(f"20{self.test_set}", "test")}

    @property
    def official_split(self) -> str:
        """`test`, or `server` for VOC 2012, whose test annotations are there alone."""
        return "server" if self.test_set == "12" else "test"

    def official(self) -> dict[str, int]:
        """Images of the training lists, and of the test list."""
        return {"train": _IMAGES[self.train_set], "test": {"07": 4952, "12": 10_991}[self.test_set]}

    def nominal_train(self) -> int:
        """Images of the training lists."""
        return _IMAGES[self.train_set]

    def _refuse_twice(self, names: Sequence[str]) -> None:
        if twice := [name for name, times in Counter(names).items() if times > 1]:
            raise InputError(
                f"{self.root}: {len(twice)} image(s) are in several of the lists of data.train {self.train_set}, first "
                f"{twice[0]};\nthe years have no image in common: is one folder a copy of another?"
            )

    def _read(self, year: str, name: str) -> Reading:
        folder = self.root / f"VOC{year}"
        if not folder.is_dir():
            near = [path for path in (self.root / "VOCdevkit", self.root.parent) if (path / f"VOC{year}").is_dir()]
            hint = f"did you mean --data.root {near[0]}?\n" if near else ""
            raise InputError(
                f"{folder}: there is no such folder; {hint}lit-vision data where voc{year} shows what is expected"
            )
        return voc_xml.read(folder, name, Meaning(self.class_names), labelled=(year, name) != ("2012", "test"))
