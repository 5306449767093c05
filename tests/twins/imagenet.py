"""ImageNet as it is unpacked: class folders, and a flat validation folder with the devkit."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from scipy import io

from lit_vision.data.imagenet import DEVKIT, GROUND_TRUTH, META
from tests.twins import folders

WNIDS = ("n01440764", "n01443537", "n01484850", "n01491361")

# As in the real devkit, ids are in an order of their own: not that of the wnids.
IDS = {"n01440764": 3, "n01443537": 1, "n01484850": 4, "n01491361": 2}

# Ids of the flat validation images in the order of their names; every class twice.
FLAT_IDS = (4, 1, 1, 3, 2, 4, 3, 2)


def class_folders(root: Path, splits: Mapping[str, int] = {"train": 6, "val": 2}) -> Path:
    """`<root>/<split>/<wnid>/*.JPEG`, images per class by split."""
    return folders.photographs(root, WNIDS, splits, suffix="JPEG")


def flat(root: Path, train: int = 6, ids: Sequence[int] = FLAT_IDS, images: int | None = None) -> Path:
    """Class folders for train; a flat `val` with the devkit beside it. Other `images` than ids: a fault."""
    class_folders(root, {"train": train})
    labels = {IDS[wnid]: label for label, wnid in enumerate(WNIDS)}
    for number in range(len(ids) if images is None else images):
        label = labels[ids[number % len(ids)]]
        path = root / "val" / f"ILSVRC2012_val_{number + 1:08}.JPEG"
        folders.save(path, folders.picture(50, 60, label, len(WNIDS), number))
    devkit(root / DEVKIT, ids)
    return root


def without_labels(root: Path, images: int = 6, train: int = 6) -> Path:
    """Class folders for train and val, a flat `test` whose labels nobody has here, and the devkit."""
    class_folders(root, {"train": train, "val": 2})
    for number in range(images):
        path = root / "test" / f"ILSVRC2012_test_{number + 1:08}.JPEG"
        folders.save(path, folders.picture(50, 60, number % len(WNIDS), len(WNIDS), number))
    devkit(root / DEVKIT)
    return root


def devkit(folder: Path, ids: Sequence[int] = FLAT_IDS) -> None:
    """`meta.mat` with leaves and, as in the real one, an inner synset; and the ground truth, one id a line."""
    (folder / "data").mkdir(parents=True)
    fields = [("ILSVRC2012_ID", object), ("WNID", object), ("num_children", object)]
    leaves = [(number, wnid, 0) for wnid, number in IDS.items()]
    synsets = np.array([*leaves, (len(leaves) + 1, "n00001740", len(leaves))], dtype=fields)
    io.savemat(folder / META, {"synsets": synsets[:, None]})
    (folder / GROUND_TRUTH).write_text("".join(f"{number}\n" for number in ids))
