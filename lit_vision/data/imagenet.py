"""ImageNet (ILSVRC 2012) as it is unpacked: class folders, or a flat validation folder with the devkit."""

from pathlib import Path
from typing import Any

import torch

from lit_vision.data.base import ImageData
from lit_vision.data.fetch import catalog
from lit_vision.data.formats import lists
from lit_vision.data.image_folder import SUFFIXES, class_names, find_splits, list_images
from lit_vision.data.pipelines import photos
from lit_vision.data.pipelines.pipeline import ImagePipeline, Split
from lit_vision.errors import InputError

CLASSES = 1000
TRAIN_IMAGES = 1_281_167
VAL_IMAGES = 50_000
TEST_IMAGES = 100_000
UNLABELLED = "ILSVRC2012_test_"  # how the names of the server's images begin
DEVKIT = "ILSVRC2012_devkit_t12"
META = "data/meta.mat"
GROUND_TRUTH = "data/ILSVRC2012_validation_ground_truth.txt"


class ImageNet(ImageData):
    """ImageNet: `train/<wnid>/`, and `val/<wnid>/` or a flat `val/` with the devkit beside it.

    Classes are the synsets of the training folder, sorted by wnid: all 1,000 in the whole set.

    Args:
        root: Folder with `train`, `val` and, for a flat `val`, `ILSVRC2012_devkit_t12`.
        train: Training folder, instead of the root's.
        val: Validation folder, instead of the root's.
        test: Test folder, instead of the root's; a name alone may be one of the root's folders. The labels of ILSVRC's
            own test images (`ILSVRC2012_test_…`, no class folders) are on the server alone: they are tested where
            their folder is named here, and the run writes the file to send.
        pipeline: None is the ResNet paper's.
        kwargs: See `ImageData`.
    """

    def __init__(
        self,
        root: str = "data/imagenet",
        train: str | None = None,
        val: str | None = None,
        test: str | None = None,
        pipeline: ImagePipeline | None = None,
        **kwargs: Any,
    ) -> None:
        self.root = Path(root)
        named = self.root / test if test and not Path(test).is_dir() and (self.root / test).is_dir() else test
        self._given = {"train": train, "val": val, "test": str(named) if named else None}
        # A recipe can be shown before the data are there; `setup` then tells what is missing.
        self.present = bool(train) or (self.root / "train").is_dir()
        self.folders = find_splits(str(self.root) if self.root.is_dir() else None, self._given) if self.present else {}
        # ILSVRC's own archive has such a folder: what rows are judged on is `val` until somebody asks for the server.
        if not test and self._unlabelled:
            del self.folders["test"]
        names = class_names(self.folders["train"]) if self.present else [f"class {index}" for index in range(CLASSES)]
        super().__init__(names, pipeline or photos.paper(), **kwargs)
        self._own_pipeline = pipeline is None

    @property
    def pipeline_config(self) -> dict[str, Any] | None:
        """The default pipeline."""
        return {"class_path": "lit_vision.data.pipelines.photos.paper", "init_args": {}} if self._own_pipeline else None

    def read(self) -> dict[str, Split]:
        """The files of every split.

        Raises:
            InputError: If the tree is not there, val has other classes, or a flat val has no devkit.
        """
        if not self.present:
            tree = catalog.find("imagenet").tree.splitlines()[0].replace("{root}", str(self.root))
            raise InputError(
                f"ImageNet: {self.root}/train is missing; expected {tree};\n"
                "the whole tree: lit-vision data where imagenet"
            )
        return {split: self._read(split, folder) for split, folder in self.folders.items()}

    @property
    def official_split(self) -> str:
        """`server` where the labels are there."""
        return "server" if self._unlabelled else self.test_split

    @property
    def server_ids(self) -> list[int] | None:
        """The devkit's ILSVRC2012_ID of each class, where the test images have no labels.

        Raises:
            InputError: If the devkit is not beside them, or lacks a class.
        """
        if not self._unlabelled:
            return None
        numbers = {wnid: number for number, wnid in wnids_by_id(self._devkit(self.folders["test"]) / META).items()}
        if unknown := [wnid for wnid in self.class_names if wnid not in numbers]:
            raise InputError(f"{self.folders['train']}: the class {unknown[0]} is not among the devkit's")
        return [numbers[wnid] for wnid in self.class_names]

    def official(self) -> dict[str, int]:
        """Images of the training and the validation set, and of the test set where the server has its labels."""
        found = {"train": TRAIN_IMAGES, "val": VAL_IMAGES}
        return found | ({"test": TEST_IMAGES} if self._unlabelled else {})

    def nominal_train(self) -> int:
        """Training images of the whole set."""
        return TRAIN_IMAGES

    @property
    def _unlabelled(self) -> bool:
        folder = self.folders.get("test")
        return folder is not None and _is_flat(folder) and any(folder.glob(f"{UNLABELLED}*"))

    def _read(self, split: str, folder: Path) -> Split:
        if split == "test" and self._unlabelled:
            self._devkit(folder)  # missed now, and not after the test pass
            files = _flat_images(folder)
            return Split(files, torch.full((len(files),), -1))
        if not _is_flat(folder):
            here = class_names(folder)
            if unknown := sorted(set(here) - set(self.class_names)):
                raise InputError(f"{folder}: the classes {', '.join(unknown[:3])} are not in {self.folders['train']}")
            if missing := sorted(set(self.class_names) - set(here)):
                raise InputError(
                    f"{folder} lacks {len(missing)} classes of the training folder: {', '.join(missing[:3])} …"
                )
            return list_images(folder, self.class_names)
        return self._read_flat(split, folder)

    def _devkit(self, folder: Path) -> Path:
        """The devkit in the root or beside a folder that has no class folders.

        Raises:
            InputError: If it is in neither.
        """
        for place in (self.root, folder.parent):
            if (place / DEVKIT).is_dir():
                return place / DEVKIT
        needed = (
            "labels, and the server numbers classes by the devkit"
            if folder == self.folders.get("test")
            else "class folders, so its labels come from the devkit"
        )
        raise InputError(f"{folder} has no {needed}: put {DEVKIT}/ into {self.root}")

    def _read_flat(self, split: str, folder: Path) -> Split:
        """A folder of images alone: the devkit's ground truth, in the order of the files' names."""
        files, devkit = _flat_images(folder), self._devkit(folder)
        wnids = ground_truth(devkit)
        if len(wnids) != len(files):
            raise InputError(f"{folder} holds {len(files)} images, but {devkit / GROUND_TRUTH} has {len(wnids)} labels")
        index = {wnid: label for label, wnid in enumerate(self.class_names)}
        if outside := sorted(set(wnids) - index.keys()):
            raise InputError(f"{folder}: the classes {', '.join(outside[:3])} are not in {self.folders['train']}")
        return Split(files, torch.tensor([index[wnid] for wnid in wnids]))


def _is_flat(folder: Path) -> bool:
    """Whether a folder holds no class folders; hidden ones are what systems and editors left."""
    return not any(path.is_dir() and not path.name.startswith(".") for path in folder.iterdir())


def _flat_images(folder: Path) -> list[Path]:
    """The images of a folder in the order of their names, which is the devkit's and the server's."""
    return sorted(
        path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
    )


def ground_truth(devkit: Path) -> list[str]:
    """The wnid of each validation image, in the order of the files' names.

    Raises:
        InputError: If a file of the devkit is missing, or a line is no ILSVRC2012_ID of its `meta.mat`.
    """
    wnids = {str(number): wnid for number, wnid in wnids_by_id(devkit / META).items()}
    file = devkit / GROUND_TRUTH
    if not file.is_file():
        raise InputError(f"{file} is missing; unpack the devkit whole")
    lines = lists.lines(file)
    for number, line in enumerate(lines, 1):
        if line not in wnids:
            raise InputError(
                f"{file}, line {number}: {line!r} is not among the {len(wnids)} ids of {devkit / META};\n"
                "unpack both from the same devkit"
            )
    return [wnids[line] for line in lines]


def wnids_by_id(meta: Path) -> dict[int, str]:
    """The devkit's ILSVRC2012_ID of each of the 1,000 synsets, to its wnid.

    The ids are in an order of their own, not sorted by wnid: taking them for labels scores near chance.
    """
    from scipy import io

    if not meta.is_file():
        raise InputError(f"{meta} is missing; unpack the devkit whole")
    synsets = io.loadmat(meta, squeeze_me=True, struct_as_record=False)["synsets"]
    return {int(entry.ILSVRC2012_ID): str(entry.WNID) for entry in synsets if int(entry.num_children) == 0}
