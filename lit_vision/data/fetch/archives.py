"""Where the detection data sets are kept, with the checksums that are known; and how to get them. No torch here."""

import json
from pathlib import Path

from lit_vision.data.fetch import download
from lit_vision.data.fetch.download import Archive

_VOC = "https://thor.robots.ox.ac.uk/pascal/VOC"
_COCO = "http://images.cocodataset.org"  # its certificate is that of the storage service, so no https

_COCO_2017_BOXES = Archive(
    f"{_COCO}/annotations/annotations_trainval2017.zip",
    "sha256:113a836d90195ee1f884e704da6304dfaaecff1f023f49b6ca93c4aaae470268",
    ("annotations/instances_train2017.json", "annotations/instances_val2017.json"),
)

# MD5 sums as in torchvision (`datasets/voc.py`), SHA-256 sums as in TensorFlow Datasets (`url_checksums/coco.txt`).
ARCHIVES = {
    "voc2007": (
        Archive(
            f"{_VOC}/voc2007/VOCtrainval_06-Nov-2007.tar",
            "md5:c52e279531787c972589f7e41ab4ae64",
            ("VOC2007/ImageSets/Main/trainval.txt",),
            "VOCdevkit",
        ),
        Archive(
            f"{_VOC}/voc2007/VOCtest_06-Nov-2007.tar",
            "md5:b6e924de25625d8de591ea690078ad9f",
            ("VOC2007/ImageSets/Main/test.txt",),
            "VOCdevkit",
        ),
    ),
    "voc2012": (
        Archive(
            f"{_VOC}/voc2012/VOCtrainval_11-May-2012.tar",
            "md5:6cd6e144f989b92b3379bac3b3de84fd",
            ("VOC2012/ImageSets/Main/trainval.txt",),
            "VOCdevkit",
        ),
    ),
    "coco2014": (
        _COCO_2017_BOXES,  # they tell which images of val2014 are minival
        Archive(
            f"{_COCO}/annotations/annotations_trainval2014.zip",
            "sha256:031296bbc80c45a1d1f76bf9a90ead27e94e99ec629208449507a4917a3bf009",
            ("annotations/instances_train2014.json", "annotations/instances_val2014.json"),
        ),
        Archive(
            f"{_COCO}/zips/val2014.zip",
            "sha256:fe9be816052049c34717e077d9e34aa60814a55679f804cd043e3cbee3b9fde0",
            ("val2014",),
        ),
        Archive(
            f"{_COCO}/zips/train2014.zip",
            "sha256:ede4087e640bddba550e090eae701092534b554b42b05ac33f0300b984b31775",
            ("train2014",),
        ),
    ),
    "coco2017": (
        _COCO_2017_BOXES,
        Archive(
            f"{_COCO}/zips/val2017.zip",
            "sha256:4f7e2ccb2866ec5041993c9cf2a952bbed69647b115d0f74da7ce8f4bef82f05",
            ("val2017",),
        ),
        Archive(
            f"{_COCO}/zips/train2017.zip",
            "sha256:69a8bb58ea5f8f99d24875f21416de2e9ded3178e903f1f7603e283b9e06d929",
            ("train2017",),
        ),
    ),
}


def get(name: str, root: Path) -> None:
    """Fetches and unpacks a data set; for COCO 2014, also writes the lists of image ids of the papers' splits.

    Raises:
        InputError: If something cannot be fetched or unpacked.
    """
    download.install(ARCHIVES[name], root)
    if name == "coco2014":
        write_id_lists(root / "annotations")


def write_id_lists(folder: Path) -> None:
    """`ids_minival2014.txt` and `ids_valminusminival2014.txt`, one image id a line.

    COCO kept the ids when it dealt its images anew in 2017: `val2017` is the 5,000 images of `minival`, and what else
    `val2014` has went into `train2017`, which is `trainval35k`.
    """
    old, new = (
        {image["id"] for image in json.loads((folder / f"instances_{split}.json").read_bytes())["images"]}
        for split in ("val2014", "val2017")
    )
    for split, ids in (("minival2014", old & new), ("valminusminival2014", old - new)):
        (folder / f"ids_{split}.txt").write_text("".join(f"{number}\n" for number in sorted(ids)))
