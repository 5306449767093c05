"""How the loss of a trained dense detector is shared among its anchors (RetinaNet, 1708.02002, Figure 4)."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from lit_vision.analyses import base
from lit_vision.analyses.base import Analysis, Array, Findings, Subject
from lit_vision.errors import InputError
from lit_vision.experiment import figures as vocabulary
from lit_vision.models.retinanet import RetinaNet
from lit_vision.ops import losses, matching
from lit_vision.types import Batch, Target

HARDEST = {"foreground": 20, "background": 1}  # percent of the anchors, by which the text and the curves are told
POINTS = 1001
SEED = 0


class LossShares(Analysis):
    """Focal losses of anchors at several gammas, apart for foreground and background, sorted and cumulated.

    The network was trained with one gamma; only the one by which its answers are judged varies. An anchor's loss is
    that of all its classes, without alpha. The figures are the shares that the hardest 20 % of the foreground and the
    hardest 1 % of the background have in all loss of their kind, `foreground_hardest20/gamma 2` for example.

    Args:
        gammas: Of the focal loss.
        images: How many images are looked at, at most.
        background: Background anchors drawn from each of them; of the foreground all count.

    Raises:
        InputError: There is no gamma or a negative one, or no image or no background anchor would be looked at.
    """

    logs: ClassVar = vocabulary.LOSS_SHARES

    def __init__(
        self, gammas: Sequence[float] = (0.0, 0.5, 1.0, 2.0), images: int = 2000, background: int = 5000
    ) -> None:
        if not gammas or min(gammas) < 0 or images < 1 or background < 1:
            raise InputError(
                "analysis LossShares needs gammas >= 0, and an image and a background anchor or more;\n"
                f"got gammas {list(gammas)}, images {images}, background {background}"
            )
        self.gammas = {f"gamma {gamma:g}": gamma for gamma in gammas}
        self.images = images
        self.background = background

    @torch.no_grad()
    def look(self, subjects: Sequence[Subject]) -> Findings:
        """Arrays `share` of the anchors, easiest first, and `foreground` and `background` of their loss, by gamma.

        Raises:
            InputError: The network is no RetinaNet, or its images have anchors of one kind alone.
        """
        subject = base.only(subjects, self)
        network = subject.network()
        if not isinstance(network, RetinaNet):
            raise InputError(
                f"analysis LossShares looks at the anchors of a RetinaNet, not at {type(network).__name__}"
            )
        figures: dict[str, float] = {}
        arrays: dict[str, Array] = {"share": np.linspace(0, 1, POINTS)}
        for kind, of_kind in self._losses(network, subject.batches()).items():
            for gamma, found in of_kind.items():
                curve = cumulated(found)
                shares = np.linspace(0, 1, len(curve))
                arrays[f"{kind}/{gamma}"] = np.interp(arrays["share"], shares, curve)
                rest = float(np.interp(1 - HARDEST[kind] / 100, shares, curve))
                figures[f"{kind}_hardest{HARDEST[kind]}/{gamma}"] = 100 * (1 - rest)
        return Findings(figures, arrays)

    def _losses(self, network: RetinaNet, batches: Iterable[Batch[Any]]) -> dict[str, dict[str, Tensor]]:
        """The losses of all anchors that are looked at, by kind and gamma."""
        generator = torch.Generator().manual_seed(SEED)
        found: dict[str, dict[str, list[Tensor]]] = {kind: {name: [] for name in self.gammas} for kind in HARDEST}
        for logits, labels, matched in itertools.islice(_images(network, batches), self.images):
            background = (matched == matching.NEGATIVE).nonzero().flatten()
            drawn = torch.randperm(len(background), generator=generator)[: self.background].to(background.device)
            for kind, which in (("foreground", matched >= 0), ("background", background[drawn])):
                for name, gamma in self.gammas.items():
                    found[kind][name].append(losses.focal(logits[which], labels[which], gamma, alpha=None).cpu())
        together = {
            kind: {name: torch.cat([torch.zeros(0), *each]) for name, each in of_kind.items()}
            for kind, of_kind in found.items()
        }
        if not all(len(each) for of_kind in together.values() for each in of_kind.values()):
            raise InputError(
                "analysis LossShares: no anchor of its images stands for an object, or none for background"
            )
        return together

    def draw(self, findings: Findings, title: str) -> Figure:
        """Foreground left, background right, one line for each gamma."""
        figure = Figure(figsize=(8.6, 4.0), layout="constrained")
        for axes, kind in zip(figure.subplots(1, 2, sharey=True), HARDEST, strict=True):
            for gamma, curve in findings.series(kind).items():
                axes.plot(findings.arrays["share"], curve, linewidth=2, label=gamma)
            axes.set_xlabel(f"share of the {kind} anchors, easiest first")
            axes.grid(alpha=0.3)
        figure.axes[0].set_ylabel("cumulative normalised loss")
        figure.axes[0].legend()
        figure.suptitle(title)
        return figure


def cumulated(found: Tensor) -> Array:
    """Of losses [N], sorted upwards: the share of their sum that the easiest 0, 1, … N have, [N + 1]."""
    sums: Array = np.concatenate([[0.0], np.cumsum(np.sort(found.double().numpy()))])
    return sums / sums[-1]


def _images(network: RetinaNet, batches: Iterable[Batch[Any]]) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Logits [A, K], labels [A] and what each anchor stands for [A], image by image."""
    for batch in batches:
        predictions = network.predict(batch.images, batch.sizes)
        targets = [Target(*(value.to(batch.images.device) for value in target)) for target in batch.targets]
        matched, _, labels = network.objective.assign(predictions.anchors, targets)
        yield from zip(predictions.logits, labels, matched, strict=True)
