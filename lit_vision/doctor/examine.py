"""One pass over a data set: annotations, files, copies, statistics; everything that is found, whatever comes first."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from lit_vision.data.base import ImageData
from lit_vision.data.boxes import BoxData
from lit_vision.data.coco import CocoFormat
from lit_vision.data.formats.findings import Reading
from lit_vision.data.image_folder import ImageFolder
from lit_vision.data.module import DataModule
from lit_vision.data.pipelines import scenes
from lit_vision.data.pipelines.pipeline import Split, named
from lit_vision.data.voc import VocFormat
from lit_vision.doctor import anchors, boxes, copies, crowds, looks, names, tags
from lit_vision.doctor.copies import Seen
from lit_vision.doctor.looks import Look
from lit_vision.doctor.report import REFUSED, Problem, Report
from lit_vision.errors import InputError


@dataclass(frozen=True)
class Images:
    """The images of a split.

    Attributes:
        names: The data set's own, [N].
        paths: Their files, [N]; empty where they are in memory.
        pixels: uint8 [N, 3, H, W] where they are.
    """

    names: Sequence[str]
    paths: Sequence[Path] = ()
    pixels: Tensor | None = None

    def look(self, split: str, workers: int) -> list[Look | None]:
        """Each image, as far as it can be read."""
        return (
            list(looks.at_pixels(self.pixels))
            if self.pixels is not None
            else looks.at_files(self.paths, workers, split)
        )


def examine(data: DataModule[Any], network: nn.Module | None, name: str, workers: int = 1) -> Report:
    """Everything that can be found wrong with a data set.

    Args:
        data: Built, and not yet read.
        network: A detector on any device, `meta` too, whose anchors are compared with the boxes; None for none.
        name: What is examined, for the report.
        workers: Threads that decode.
    """
    report = Report(name)
    report.add(names.classes(data.class_names))
    images: dict[str, Images] = {}
    try:
        images = _boxes(data, network, report) if isinstance(data, BoxData) else _classes(data, report)
    except InputError as error:
        report.add([refusal(error)])
    report.add(_empty(report.splits))
    seen = {split: _look(split, those, workers, report) for split, those in images.items()}
    report.add(copies.find(seen))
    files = [path for those in images.values() for path in those.paths]
    report.add(names.unlisted({path.parent for path in files if path.parent.is_dir()}, set(files)))
    return report


def refusal(error: InputError) -> Problem:
    """What stops everything else."""
    return Problem("", REFUSED, "", str(error), True)


def _empty(splits: Mapping[str, Mapping[str, int]]) -> Iterator[Problem]:
    for split, counts in splits.items():
        if not counts["images"]:
            yield Problem(split, "empty split", "", "it holds no image that can be read", True)


def _classes(data: DataModule[Any], report: Report) -> dict[str, Images]:
    assert isinstance(data, ImageData)
    if isinstance(data, ImageFolder):
        report.add(names.unread(data.folders))
    found = {}
    for name, split in data.read().items():
        found[name] = _images_of(split)
        labels = split.labels
        report.splits[name] = {"images": len(split)}
        number = labels[labels >= 0].bincount(minlength=data.num_classes).tolist()
        if any(number):
            report.add(boxes.few(name, number, data.class_names, "images"))
            report.statistics[f"{name}, images of a class"] = {"fewest": str(min(number)), "most": str(max(number))}
    return found


def _images_of(split: Split) -> Images:
    if isinstance(split.images, Tensor):
        return Images(named(split), pixels=split.images)
    return Images(named(split), list(split.images))


def _boxes(data: BoxData, network: nn.Module | None, report: Report) -> dict[str, Images]:
    found = {}
    fit = anchors.of(network) if network is not None else None
    for split, reading in data.readings().items():
        report.add(_problems(split, reading))
        sound = reading.annotations
        report.add(boxes.find(split, sound, data.class_names))
        if isinstance(data, CocoFormat) and bool(sound.crowd.any()):
            report.add(crowds.find(split, data.files[split]))
        report.splits[split] = boxes.counts(sound)
        report.statistics[split] = boxes.statistics(sound, data.class_names)
        if split == "train" and fit and (sizes := data.boxes.resized(sound.sizes)):
            report.statistics["train, against the recipe's anchors"] = anchors.statistics(sound, sizes, fit)
        if data.boxes.read_image is scenes.read_file:
            found[split] = Images(sound.names, [sound.path(index) for index in range(len(sound))])
    if isinstance(data, VocFormat):
        report.add(tags.find(data.root))
    report.statistics = {title: figures for title, figures in report.statistics.items() if figures}
    return found


def _problems(split: str, reading: Reading) -> Iterator[Problem]:
    """What the reader found; pictures are known of the images that it kept."""
    found = reading.annotations
    paths = {name: found.path(index) for index, name in enumerate(found.names)}
    for finding in reading.findings:
        text = f"{finding.name}: {finding.text}"
        yield Problem(split, finding.kind, finding.image, text, finding.fatal, paths.get(finding.image), finding.box)


def _look(split: str, images: Images, workers: int, report: Report) -> list[Seen]:
    """Looks at every image of a split; notes what is wrong with it."""
    seen = []
    for index, look in enumerate(images.look(split, workers)):
        path = images.paths[index] if images.paths else None
        if look is None:  # a link to nothing, a pipe: files that a folder lists, and nobody can open
            text = "there is no file that can be opened"
            report.add([Problem(split, "unreadable image", images.names[index], text, True)])
            continue
        seen.append(Seen(images.names[index], path, look))
        for fault in look.faults:
            report.add([Problem(split, fault.kind, images.names[index], fault.text, fault.fatal, path)])
    return seen
