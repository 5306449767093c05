"""Facts about the data sets: what is expected where, and how to get it. No torch here."""

from dataclasses import dataclass

from lit_vision import nearest
from lit_vision.errors import InputError

# fmt: off
CIFAR100_CLASSES = (
    "apple", "aquarium_fish", "baby", "bear", "beaver", "bed", "bee", "beetle", "bicycle", "bottle", "bowl", "boy",
    "bridge", "bus", "butterfly", "camel", "can", "castle", "caterpillar", "cattle", "chair", "chimpanzee", "clock",
    "cloud", "cockroach", "couch", "crab", "crocodile", "cup", "dinosaur", "dolphin", "elephant", "flatfish",
    "forest", "fox", "girl", "hamster", "house", "kangaroo", "keyboard", "lamp", "lawn_mower", "leopard", "lion",
    "lizard", "lobster", "man", "maple_tree", "motorcycle", "mountain", "mouse", "mushroom", "oak_tree", "orange",
    "orchid", "otter", "palm_tree", "pear", "pickup_truck", "pine_tree", "plain", "plate", "poppy", "porcupine",
    "possum", "rabbit", "raccoon", "ray", "road", "rocket", "rose", "sea", "seal", "shark", "shrew", "skunk",
    "skyscraper", "snail", "snake", "spider", "squirrel", "streetcar", "sunflower", "sweet_pepper", "table", "tank",
    "telephone", "television", "tiger", "tractor", "train", "trout", "tulip", "turtle", "wardrobe", "whale",
    "willow_tree", "wolf", "woman", "worm",
)
# fmt: on


@dataclass(frozen=True)
class DataSet:
    """What is known about a data set before any of its files is there.

    Attributes:
        name: As `lit-vision data` calls it.
        data: Class path for `data:` in a recipe.
        classes: Number of classes; 0 where the user's files decide.
        images: Images by split, in words.
        size: Size on disk, in words.
        licence: Licence or terms.
        checksum: Checksum of the archive, where there is one archive.
        root: Default folder.
        tree: Expected files below the root.
        how: How to get it.
    """

    name: str
    data: str
    classes: int
    images: str
    size: str
    licence: str
    checksum: str
    root: str
    tree: str
    how: str


_CIFAR_TREE = """\
{root}/{archive}   (or, unpacked,)
{root}/{folder}/{files}"""

_COCO_TREE = """\
{root}/annotations/instances_train<year>.json, instances_val<year>.json
{root}/train<year>/*.jpg
{root}/val<year>/*.jpg"""

_VOC_TREE = """\
{root}/VOC<year>/Annotations/*.xml
{root}/VOC<year>/ImageSets/Main/<splits>
{root}/VOC<year>/JPEGImages/*.jpg"""

_ILSVRC_TREE = """\
{{root}}/Annotations/{track}/train/<wnid>/*.xml, val/*.xml
{{root}}/Data/{track}/train/<wnid>/*.JPEG, val/*.JPEG, test/*.JPEG
{{root}}/ImageSets/{track}/{train}.txt, val.txt, test.txt    (an image a line)
{{root}}/devkit/data/{map}.txt    (wnid and number of each class)"""

_DATA_SETS = (
    DataSet(
        name="digits",
        data="lit_vision.data.digits.Digits",
        classes=10,
        images="1,198 train, 300 val, 299 test",
        size="none (part of scikit-learn)",
        licence="CC BY 4.0 (UCI, optical recognition of handwritten digits)",
        checksum="-",
        root="-",
        tree="(nothing to place: scikit-learn ships the images)",
        how="installed with lit_vision",
    ),
    DataSet(
        name="cifar10",
        data="lit_vision.data.cifar.CIFAR10",
        classes=10,
        images="50,000 train, 10,000 test",
        size="170 MB packed, 186 MB unpacked",
        licence="none stated by its authors; for research, citing Krizhevsky 2009",
        checksum="md5 c58f30108f718f92721af3b95e74349a (cifar-10-python.tar.gz)",
        root="data/cifar10",
        tree=_CIFAR_TREE.format(
            root="{root}",
            archive="cifar-10-python.tar.gz",
            folder="cifar-10-batches-py",
            files="data_batch_1 … data_batch_5, test_batch, batches.meta",
        ),
        how="lit-vision data get cifar10",
    ),
    DataSet(
        name="cifar100",
        data="lit_vision.data.cifar.CIFAR100",
        classes=100,
        images="50,000 train, 10,000 test",
        size="169 MB packed, 186 MB unpacked",
        licence="none stated by its authors; for research, citing Krizhevsky 2009",
        checksum="md5 eb9058c3a382ffc7106e4002c42a8d85 (cifar-100-python.tar.gz)",
        root="data/cifar100",
        tree=_CIFAR_TREE.format(
            root="{root}", archive="cifar-100-python.tar.gz", folder="cifar-100-python", files="train, test, meta"
        ),
        how="lit-vision data get cifar100",
    ),
    DataSet(
        name="imagenet",
        data="lit_vision.data.imagenet.ImageNet",
        classes=1000,
        images="1,281,167 train, 50,000 val",
        size="about 138 GB (train) and 6.3 GB (val)",
        licence="non-commercial research, on registration at image-net.org",
        checksum="md5 1d675b47d978889d74fa0da5fadfb00e (train), 29b22e2961454d5413ddabcf34fc5622 (val), "
        "fa75699e90414af021442c21a62c3abf (devkit)",
        root="data/imagenet",
        tree="""\
{root}/train/<wnid>/*.JPEG
{root}/val/<wnid>/*.JPEG
or, instead of the class folders of val,
{root}/val/ILSVRC2012_val_00000001.JPEG … with
{root}/ILSVRC2012_devkit_t12/data/meta.mat and ILSVRC2012_validation_ground_truth.txt""",
        how="register at image-net.org, download the ILSVRC 2012 archives and the devkit, unpack them as below",
    ),
    DataSet(
        name="image_folder",
        data="lit_vision.data.image_folder.ImageFolder",
        classes=0,
        images="your own",
        size="-",
        licence="your own",
        checksum="-",
        root="(your folder)",
        tree="""\
{root}/train/<class>/*.jpg
{root}/val/<class>/*.jpg       (or data.val_fraction)
{root}/test/<class>/*.jpg      (optional)
or one folder of classes, {root}/<class>/*.jpg, with data.val_fraction""",
        how="nothing to fetch: --data lit_vision.data.image_folder.ImageFolder --data.root DIR",
    ),
    DataSet(
        name="digit_scenes",
        data="lit_vision.data.digit_scenes.DigitScenes",
        classes=10,
        images="composed as they are asked for",
        size="none (part of scikit-learn)",
        licence="CC BY 4.0 (UCI, optical recognition of handwritten digits)",
        checksum="-",
        root="-",
        tree="(nothing to place: scenes are composed of the digits that scikit-learn ships)",
        how="installed with lit_vision",
    ),
    DataSet(
        name="coco2017",
        data="lit_vision.data.coco.COCO",
        classes=80,
        images="118,287 train (trainval35k), 5,000 val (minival)",
        size="20 GB packed, 21 GB unpacked",
        licence="annotations CC BY 4.0; photographs by the terms of their owners at Flickr",
        checksum="sha256 of each archive, see lit_vision/data/fetch/archives.py",
        root="data/coco",
        tree=_COCO_TREE.replace("<year>", "2017"),
        how="lit-vision data get coco2017",
    ),
    DataSet(
        name="coco2014",
        data="lit_vision.data.coco.COCO",
        classes=80,
        images="82,783 train, 40,504 val (35,504 in trainval35k, 5,000 minival)",
        size="20 GB packed, 21 GB unpacked",
        licence="annotations CC BY 4.0; photographs by the terms of their owners at Flickr",
        checksum="sha256 of each archive, see lit_vision/data/fetch/archives.py",
        root="data/coco",
        tree=_COCO_TREE.replace("<year>", "2014")
        + "\n{root}/annotations/ids_minival2014.txt, ids_valminusminival2014.txt   (one image id a line)",
        how="lit-vision data get coco2014",
    ),
    DataSet(
        name="voc2007",
        data="lit_vision.data.voc.VOC",
        classes=20,
        images="5,011 trainval, 4,952 test",
        size="911 MB packed, as much unpacked",
        licence="photographs by the terms of their owners at Flickr",
        checksum="md5 c52e279531787c972589f7e41ab4ae64 (trainval), b6e924de25625d8de591ea690078ad9f (test)",
        root="data/VOCdevkit",
        tree=_VOC_TREE.replace("<year>", "2007").replace("<splits>", "train.txt, val.txt, trainval.txt, test.txt"),
        how="lit-vision data get voc2007",
    ),
    DataSet(
        name="voc2012",
        data="lit_vision.data.voc.VOC",
        classes=20,
        images="11,540 trainval; 10,991 test, whose boxes only the evaluation server knows",
        size="2.0 GB packed, as much unpacked",
        licence="photographs by the terms of their owners at Flickr",
        checksum="md5 6cd6e144f989b92b3379bac3b3de84fd (trainval)",
        root="data/VOCdevkit",
        tree=_VOC_TREE.replace("<year>", "2012").replace("<splits>", "train.txt, val.txt, trainval.txt"),
        how="lit-vision data get voc2012; the test images on registration at host.robots.ox.ac.uk:8080",
    ),
    DataSet(
        name="imagenet_loc",
        data="lit_vision.data.ilsvrc.ImageNetLocalisation",
        classes=1000,
        images="50,000 val; of the training images those with boxes",
        size="the images of imagenet",
        licence="non-commercial research, on registration at image-net.org",
        checksum="-",
        root="data/ilsvrc",
        tree=_ILSVRC_TREE.format(track="CLS-LOC", train="train_loc", map="map_clsloc"),
        how="register at image-net.org, unpack the localisation archive and its devkit as below",
    ),
    DataSet(
        name="imagenet_det",
        data="lit_vision.data.ilsvrc.ImageNetDetection",
        classes=200,
        images="as the lists say; val1 and val2 are lists of your own",
        size="not known to us",
        licence="non-commercial research, on registration at image-net.org",
        checksum="-",
        root="data/ilsvrc",
        tree=_ILSVRC_TREE.format(track="DET", train="train", map="map_det"),
        how="register at image-net.org, unpack the detection archive and its devkit as below",
    ),
    DataSet(
        name="coco_format",
        data="lit_vision.data.coco.CocoFormat",
        classes=0,
        images="your own",
        size="-",
        licence="your own",
        checksum="-",
        root="(your folder)",
        tree="""\
{root}/train.json, val.json    (images, annotations, categories, as in COCO)
{root}/images/*.jpg""",
        how="nothing to fetch: --data lit_vision.data.coco.CocoFormat --data.root DIR",
    ),
    DataSet(
        name="voc_format",
        data="lit_vision.data.voc.VocFormat",
        classes=0,
        images="your own",
        size="-",
        licence="your own",
        checksum="-",
        root="(your folder)",
        tree="""\
{root}/Annotations/*.xml
{root}/ImageSets/Main/train.txt, val.txt    (one name a line, without suffix)
{root}/JPEGImages/*.jpg""",
        how="nothing to fetch: --data lit_vision.data.voc.VocFormat --data.root DIR",
    ),
)


def every() -> tuple[DataSet, ...]:
    """All data sets."""
    return _DATA_SETS


def find(name: str) -> DataSet:
    """The data set of a name.

    Raises:
        InputError: If there is none; names the nearest.
    """
    by_name = {entry.name: entry for entry in _DATA_SETS}
    if name not in by_name:
        raise InputError(f"no data set {name!r}; {nearest.hint(name, by_name)}")
    return by_name[name]
