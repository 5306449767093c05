"""Milliseconds of each stage of a two-stage detector (Faster R-CNN paper, 1506.01497, Table 5)."""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import ClassVar

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from lit_vision.analyses.base import Analysis, Findings, Subject, only
from lit_vision.errors import InputError
from lit_vision.experiment import figures as vocabulary
from lit_vision.models.detector import RegionDetector

PARTS = ("conv", "proposal", "region")


class Timing(Analysis):
    """Time from a decoded image to its final boxes, one image after the other, and where it goes.

    `conv` is the shared convolutions, `proposal` what the proposal network adds with its selection, `region` all that
    follows: pooling, head, softmax and suppression. `total` also holds what comes before, the resizing and the way to
    the device. Each part ends when the device has done its work. Figures are means; other machines have others.

    Args:
        images: How many images are timed at most.
        warmup: Images before them that are not.

    Raises:
        InputError: No image is timed, or `warmup` is negative.
    """

    logs: ClassVar = vocabulary.STAGE_TIMES

    def __init__(self, images: int = 100, warmup: int = 5) -> None:
        if images < 1 or warmup < 0:
            raise InputError(f"analysis: images is {images} and warmup {warmup}; they must be at least 1 and 0")
        self.images = images
        self.warmup = warmup

    @torch.no_grad()
    def look(self, subjects: Sequence[Subject]) -> Findings:
        """Arrays `conv`, `proposal`, `region` and `total`, in milliseconds by image.

        Raises:
            InputError: The network has no two stages of its own, or there are no more images than `warmup`.
        """
        subject = only(subjects, self)
        network = subject.network()
        if not isinstance(network, RegionDetector) or network.takes_proposals:
            raise InputError(
                f"analysis Timing looks at detectors that propose and score, and {type(network).__name__} does not both"
            )
        laps = [of_image(network, subject.prepare, image) for image in self._first(subject)][self.warmup :]
        if not laps:
            raise InputError(f"analysis Timing: the test split has no more than {self.warmup} images; lower warmup")
        arrays = dict(zip((*PARTS, "total"), 1000 * np.array(laps).T, strict=True))
        return Findings(summary(laps), arrays)

    def _first(self, subject: Subject) -> Iterator[Tensor]:
        for image, _ in zip(subject.decoded(), range(self.warmup + self.images), strict=False):
            yield image

    def draw(self, findings: Findings, title: str) -> Figure:
        """The mean image as one bar, part beside part."""
        figure = Figure(figsize=(6.4, 2.2), layout="constrained")
        axes = figure.subplots()
        means = {part: float(findings.arrays[part].mean()) for part in (*PARTS, "total")}
        widths = {part: means[part] for part in PARTS}
        widths["before"] = max(0.0, means["total"] - sum(widths.values()))
        left = 0.0
        for part in ("before", *PARTS):
            axes.barh(0, widths[part], left=left, label=f"{part} {widths[part]:.1f} ms")
            left += widths[part]
        axes.set_yticks([])
        axes.set_xlabel("ms")
        axes.legend(ncols=2, fontsize="small")
        figure.suptitle(title)
        return figure


def of_image(
    network: RegionDetector, prepare: Callable[[Tensor], tuple[Tensor, Tensor]], image: Tensor
) -> tuple[float, float, float, float]:
    """Seconds of the convolutions, of the proposals, of the regions, and of all from the decoded image on.

    Args:
        network: On its device.
        prepare: Makes a batch of one image on that device, and its size.
        image: uint8 [3, H, W], as its file holds it.
    """
    began = clock(image)
    images, sizes = prepare(image)
    prepared = clock(images)
    features = network.extract(images, sizes)
    extracted = clock(images)
    regions = network.propose(features, images.shape[-2:], sizes)
    proposed = clock(images)
    network.select(network.candidates_of(network.score(features, regions), sizes))
    ended = clock(images)
    return extracted - prepared, proposed - extracted, ended - proposed, ended - began


def clock(work: Tensor) -> float:
    """Seconds, once the device of a tensor has done all that it was given."""
    if work.is_cuda:
        torch.cuda.synchronize(work.device)
    return time.perf_counter()


def summary(laps: Sequence[tuple[float, float, float, float]]) -> dict[str, float]:
    """Figures of several images: mean milliseconds of each part, images in a second, the proposals' part in percent.

    Args:
        laps: Seconds of each image, as `of_image` gives them.
    """
    means = 1000 * np.array(laps).mean(0)
    figures = {f"{part}_ms": float(mean) for part, mean in zip((*PARTS, "total"), means, strict=True)}
    figures["rate"] = 1000 / figures["total_ms"]
    figures["proposal_share"] = 100 * figures["proposal_ms"] / figures["total_ms"]
    return figures
