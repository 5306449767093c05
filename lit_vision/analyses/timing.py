"""Milliseconds of each stage of a detector (Faster R-CNN paper, 1506.01497, Table 5; RetinaNet, Table 1e)."""

import itertools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from typing import ClassVar

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from lit_vision.analyses import proposals
from lit_vision.analyses.base import Analysis, Findings, Subject, only
from lit_vision.errors import InputError
from lit_vision.experiment import figures as vocabulary
from lit_vision.models.detector import Detector, RegionDetector


class Timing(Analysis):
    """Time from a decoded image to its final boxes, one image after the other, and where it goes.

    `conv` is the shared convolutions, `proposal` what the proposal network adds with its selection, `region` all that
    follows: pooling, head, softmax and suppression. A detector of one stage has no `proposal`, and its `region` is the
    head at all anchors, and suppression. `total` also holds what comes before, the resizing and the way to the device.
    Each part ends when the device has done its work. Figures are means; other machines have others.

    Args:
        images: How many images are timed at most.
        warmup: Images before them that are not.
        limit: Proposals of an image; None for as many as the network was tested with.

    Raises:
        InputError: No image is timed, `warmup` is negative, or there is no proposal.
    """

    logs: ClassVar = vocabulary.STAGE_TIMES

    def __init__(self, images: int = 100, warmup: int = 5, limit: int | None = None) -> None:
        if images < 1 or warmup < 0:
            raise InputError(f"analysis: images is {images} and warmup {warmup}; they must be at least 1 and 0")
        if limit is not None and limit < 1:
            raise InputError(f"analysis: limit is {limit}; it must be at least 1, or null for the network's own")
        self.images = images
        self.warmup = warmup
        self.limit = limit

    @torch.no_grad()
    def look(self, subjects: Sequence[Subject]) -> Findings:
        """Arrays `conv`, `proposal`, `region` and `total`, in milliseconds by image.

        Raises:
            InputError: The network does not find objects by itself, or there are no more images than `warmup`.
        """
        subject = only(subjects, self)
        network = subject.network()
        if not isinstance(network, Detector) or network.takes_proposals:
            raise InputError(
                f"analysis Timing looks at detectors that need no proposals, and {type(network).__name__} is none"
            )
        with nullcontext() if self.limit is None else proposals.keeping(proposals.part_of(network, self), self.limit):
            laps = [of_image(network, subject.prepare, image) for image in self._first(subject)][self.warmup :]
        if not laps:
            raise InputError(f"analysis Timing: the test split has no more than {self.warmup} images; lower warmup")
        arrays = {part: 1000 * np.array([lap[part] for lap in laps]) for part in laps[0]}
        return Findings(summary({part: float(values.mean()) for part, values in arrays.items()}), arrays)

    def _first(self, subject: Subject) -> Iterator[Tensor]:
        for image, _ in zip(subject.decoded(), range(self.warmup + self.images), strict=False):
            yield image

    def draw(self, findings: Findings, title: str) -> Figure:
        """The mean image as one bar, part beside part."""
        figure = Figure(figsize=(6.4, 2.2), layout="constrained")
        axes = figure.subplots()
        means = {part: float(values.mean()) for part, values in findings.arrays.items()}
        before = max(0.0, means.pop("total") - sum(means.values()))
        left = 0.0
        for part, width in {"before": before, **means}.items():
            axes.barh(0, width, left=left, label=f"{part} {width:.1f} ms")
            left += width
        axes.set_yticks([])
        axes.set_xlabel("ms")
        axes.legend(ncols=2, fontsize="small")
        figure.suptitle(title)
        return figure


def of_image(network: Detector, prepare: Callable[[Tensor], tuple[Tensor, Tensor]], image: Tensor) -> dict[str, float]:
    """Seconds of each part, and of all from the decoded image on.

    Args:
        network: On its device.
        prepare: Makes a batch of one image on that device, and its size.
        image: uint8 [3, H, W], as its file holds it.
    """
    began = clock(image)
    images, sizes = prepare(image)
    ends = {"before": clock(images)}
    features = network.extract(images, sizes)
    ends["conv"] = clock(images)
    if isinstance(network, RegionDetector):
        regions = network.propose(features, images.shape[-2:], sizes)
        ends["proposal"] = clock(images)
        candidates = network.candidates_of(network.score(features, regions, sizes), sizes)
    else:
        candidates = network.candidates(features, images.shape[-2:], sizes)
    network.select(candidates)
    ends["region"] = clock(images)
    lengths = {part: end - start for (_, start), (part, end) in itertools.pairwise(ends.items())}
    return lengths | {"total": ends["region"] - began}


def clock(work: Tensor) -> float:
    """Seconds, once the device of a tensor has done all that it was given."""
    if work.is_cuda:
        torch.cuda.synchronize(work.device)
    return time.perf_counter()


def summary(means: Mapping[str, float]) -> dict[str, float]:
    """Figures: milliseconds of each part, images in a second, and the proposals' part of the total in percent.

    Args:
        means: Milliseconds by part, `total` among them.
    """
    figures = {f"{part}_ms": mean for part, mean in means.items()}
    figures["rate"] = 1000 / means["total"]
    if "proposal" in means:
        figures["proposal_share"] = 100 * means["proposal"] / means["total"]
    return figures
