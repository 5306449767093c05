"""ImageNet with boxes: ILSVRC's localisation task, and its detection task."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

from lit_vision.data.boxes import BoxData
from lit_vision.data.formats import ilsvrc, ilsvrc_results
from lit_vision.data.formats.findings import Reading
from lit_vision.data.formats.ilsvrc import Synset, Track
from lit_vision.data.formats.voc_xml import Corners, Meaning
from lit_vision.data.pipelines.scenes import BoxPipeline
from lit_vision.errors import InputError
from lit_vision.types import Detections

VAL_IMAGES = 50_000
_PRESET: dict[str, Any] = {"train": [600], "test": 600, "cap": 1000}  # as Faster R-CNN has it for Pascal VOC


class Ilsvrc(BoxData):
    """A task of ILSVRC with boxes; the layout is told in `data/formats/ilsvrc.py`.

    Args:
        root: Folder with `Annotations`, `Data` and `ImageSets`.
        train: Training lists; several are joined.
        val: Validation lists.
        test: Test lists; none tests on `val`. The run writes what to send, of the server's test images too.
        classes: The devkit's map of classes, relative to the root; None for its usual place.
        corners: How boxes are meant, see `VocFormat`.
        pipeline: None resizes to a short side of 600 pixels, at most 1000, and flips.
        kwargs: See `BoxData`.

    Raises:
        InputError: The map of classes is damaged, or not where `classes` says. Other files that are missing are told
            when the data are read.
    """

    preset = _PRESET
    track: ClassVar[Track]
    map_file: ClassVar[str]
    count: ClassVar[int]
    catalogued: ClassVar[str]
    results: ClassVar[Callable[..., str]]

    def __init__(
        self,
        root: str = "data/ilsvrc",
        train: Sequence[str] = ("train",),
        val: Sequence[str] = ("val",),
        test: Sequence[str] = (),
        classes: str | None = None,
        corners: Corners = "inclusive_0",
        pipeline: BoxPipeline | None = None,
        **kwargs: Any,
    ) -> None:
        self.root = Path(root)
        self.map = self.root / (classes or self.map_file)
        self.lists = {split: list(names) for split, names in (("train", train), ("val", val), ("test", test)) if names}
        self.corners = corners
        # A recipe can be shown before the data are there; `setup` then tells what is missing.
        known = self.map.is_file() or bool(classes)
        unknown = [Synset(number, f"class {number}") for number in range(1, self.count + 1)]
        found = self.in_order(ilsvrc.synsets(self.map) if known else unknown)
        super().__init__([synset.wnid for synset in found], pipeline, [synset.number for synset in found], **kwargs)

    @staticmethod
    @abstractmethod
    def in_order(synsets: list[Synset]) -> list[Synset]:
        """The classes by label."""

    @property
    def official_split(self) -> str:
        """`server` for test images."""
        names = self.splits[self.test_split].names if self.splits else []
        return "server" if names and names[0].startswith("test/") else self.test_split

    def readings(self) -> dict[str, Reading]:
        """Every split."""
        if not self.map.is_file():
            raise InputError(
                f"{self.map} is missing; unpack the devkit, or name the file by data.classes;\n"
                f"the whole tree: lit-vision data where {self.catalogued}"
            )
        meaning = Meaning(self.class_names, self.corners)
        return {split: ilsvrc.read(self.root, self.track, names, meaning) for split, names in self.lists.items()}

    def submission(self, split: str, found: Sequence[tuple[int, Detections]]) -> dict[str, str]:
        """The server's file, with the numbers of images and classes that the devkit gives."""
        names = self.image_names(split)
        numbered = [(ilsvrc.number_of(names[image]), detections) for image, detections in found]
        return {f"{self.track}_{split}.txt": type(self).results(numbered, self.category_ids, self.corners)}


class ImageNetLocalisation(Ilsvrc):
    """ILSVRC's localisation task: an image's class, and a box around any object of it (ResNet paper, Appendix C).

    Labels are those of `ImageNet`: classes sorted by wnid. Images without annotated boxes are in no list of it.
    Arguments as of `Ilsvrc`.
    """

    track = "CLS-LOC"
    map_file = "devkit/data/map_clsloc.txt"
    count = 1000
    catalogued = "imagenet_loc"
    results = staticmethod(ilsvrc_results.localisation)

    def __init__(self, root: str = "data/ilsvrc", train: Sequence[str] = ("train_loc",), **kwargs: Any) -> None:
        super().__init__(root, train, **kwargs)

    @staticmethod
    def in_order(synsets: list[Synset]) -> list[Synset]:
        """By wnid."""
        return sorted(synsets, key=lambda synset: synset.wnid)

    def official(self) -> dict[str, int]:
        """Images of the validation set."""
        return {"val": VAL_IMAGES} if self.lists.get("val") == ["val"] else {}


class ImageNetDetection(Ilsvrc):
    """ILSVRC's detection task, 200 classes; the halves val1 and val2 are named by the files that list them.

    Arguments as of `Ilsvrc`.
    """

    track = "DET"
    map_file = "devkit/data/map_det.txt"
    count = 200
    catalogued = "imagenet_det"
    results = staticmethod(ilsvrc_results.detection)

    @staticmethod
    def in_order(synsets: list[Synset]) -> list[Synset]:
        """By the server's number."""
        return synsets
