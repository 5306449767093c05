"""Images that are there twice: within a split, and in one that is trained on and one that is evaluated."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from lit_vision.doctor import sketch
from lit_vision.doctor.looks import Look
from lit_vision.doctor.report import Problem


class Seen(NamedTuple):
    """An image of a split that could be read.

    Attributes:
        name: The data set's own.
        path: Its file; None where images are in memory.
        look: What was seen.
    """

    name: str
    path: Path | None
    look: Look


def find(splits: Mapping[str, Sequence[Seen]]) -> Iterator[Problem]:
    """Copies, exact ones and near ones.

    Args:
        splits: Images by split.

    Yields:
        A note for each copy within a split. For each evaluated image that is trained on, too, a finding of the training
        image: it is the one to leave out.
    """
    for split, images in splits.items():
        yield from _within(split, images)
    trained = splits.get("train", ())
    for split, images in splits.items():
        if split != "train":
            yield from _shared(split, images, trained)


def _within(split: str, images: Sequence[Seen]) -> Iterator[Problem]:
    first: dict[str, str] = {}
    for image in images:
        earlier = first.setdefault(image.look.digest, image.name)
        if earlier != image.name:
            yield Problem(split, "the same image twice", image.name, f"it is {earlier}, too", path=image.path)


def _shared(split: str, images: Sequence[Seen], trained: Sequence[Seen]) -> Iterator[Problem]:
    exact = {image.look.digest: image for image in images}
    for image in trained:
        if other := exact.get(image.look.digest):
            text = f"the same as {other.name} of {split}"
            yield Problem("train", "trained and evaluated on", image.name, text, True, image.path)
    ours, theirs = _with_sketch(trained), _with_sketch(images)
    for mine, yours in sketch.alike([drawn for _, drawn in ours], [drawn for _, drawn in theirs]):
        image, alike = ours[mine][0], theirs[yours][0]
        if image.look.digest != alike.look.digest:
            text = f"looks like {alike.name} of {split}"
            yield Problem("train", "nearly the same image", image.name, text, path=image.path)


def _with_sketch(images: Sequence[Seen]) -> list[tuple[Seen, sketch.Sketch]]:
    return [(image, image.look.sketch) for image in images if image.look.sketch]
