"""ILSVRC with boxes as it is unpacked, a few images a list: CLS-LOC with class folders in train, and DET."""

from pathlib import Path

from tests.twins import folders, voc

WNIDS = ("n01440764", "n01443537", "n02084071")
NUMBERS = {"n01440764": 449, "n01443537": 450, "n02084071": 7}  # not in the order of the wnids

BOX = (0, 4, 19, 33)  # pixels from 0, both corners part of the box


def write(root: Path, track: str = "CLS-LOC", train: int = 2, val: int = 4, test: int = 2) -> Path:
    """All lists of a task; image `i` of `val` shows class `i % 3`."""
    lists = root / "ImageSets" / track
    lists.mkdir(parents=True)
    stems = [f"{wnid}/{wnid}_{number}" for wnid in WNIDS for number in range(1, train + 1)]
    for stem in stems:
        _image(root, track, f"train/{stem}", [(stem.split("/")[0], BOX)])
    name = "train_loc" if track == "CLS-LOC" else "train"
    (lists / f"{name}.txt").write_text(_numbered(stems))
    stems = [f"ILSVRC2012_val_{number:08}" for number in range(1, val + 1)]
    for number, stem in enumerate(stems):
        _image(root, track, f"val/{stem}", [(WNIDS[number % 3], BOX)])
    (lists / "val.txt").write_text(_numbered(stems))
    stems = [f"ILSVRC2012_test_{number:08}" for number in range(1, test + 1)]
    for stem in stems:
        folders.save(root / "Data" / track / "test" / f"{stem}.JPEG", folders.picture(50, 70, 0, 3, len(stem)))
    (lists / "test.txt").write_text(_numbered(stems))
    name = "map_clsloc.txt" if track == "CLS-LOC" else "map_det.txt"
    (root / "devkit" / "data").mkdir(parents=True, exist_ok=True)
    content = "".join(f"{wnid} {number} some_name\n" for wnid, number in sorted(NUMBERS.items(), reverse=True))
    (root / "devkit" / "data" / name).write_text(content)
    return root


def _numbered(stems) -> str:
    return "".join(f"{stem} {number}\n" for number, stem in enumerate(stems, 1))


def _image(root: Path, track: str, stem: str, shown) -> None:
    label = WNIDS.index(shown[0][0])
    folders.save(root / "Data" / track / f"{stem}.JPEG", folders.picture(50, 70, label, 3, label))
    path = root / "Annotations" / track / f"{stem}.xml"
    path.parent.mkdir(parents=True, exist_ok=True)
    made = voc.annotate(path.parent / "made", path.stem, [{"name": name, "box": box} for name, box in shown])
    made.rename(path)
