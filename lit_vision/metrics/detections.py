"""What every detection metric remembers: detections and truth of all images in flat tensors, gathered as they are."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities.distributed import gather_all_tensors

from lit_vision import distributed
from lit_vision.errors import InputError
from lit_vision.experiment import figures
from lit_vision.types import Detections, Target

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]

# About 30 bytes a detection; the empty tensors also give the type and width of a rank that saw no image.
EMPTY = {
    "image_ids": torch.zeros(0, dtype=torch.int64),
    "found_counts": torch.zeros(0, dtype=torch.int64),
    "found_boxes": torch.zeros(0, 4, dtype=torch.float32),
    "found_scores": torch.zeros(0, dtype=torch.float32),
    "found_labels": torch.zeros(0, dtype=torch.int64),
    "truth_counts": torch.zeros(0, dtype=torch.int64),
    "truth_boxes": torch.zeros(0, 4, dtype=torch.float64),
    "truth_labels": torch.zeros(0, dtype=torch.int64),
    "truth_crowd": torch.zeros(0, dtype=torch.bool),
    "truth_difficult": torch.zeros(0, dtype=torch.bool),
    "truth_area": torch.zeros(0, dtype=torch.float64),
}


class Evidence(NamedTuple):
    """All images in the order of their ids, whichever rank saw them when: the figures depend on nothing else.

    Attributes:
        image_ids: [N], ascending.
        found_images: [D], position 0..N-1 of each detection's image, ascending; within an image as detected.
        found_boxes: float32 [D, 4] xyxy, original pixels.
        found_scores: float32 [D].
        found_labels: [D].
        truth_images: [G], ascending.
        truth_boxes: [G, 4] xyxy, original pixels.
        truth_labels: [G].
        truth_crowd: [G].
        truth_difficult: [G].
        truth_area: [G], the data set's own.
    """

    image_ids: Integers
    found_images: Integers
    found_boxes: NDArray[np.float32]
    found_scores: NDArray[np.float32]
    found_labels: Integers
    truth_images: Integers
    truth_boxes: Floats
    truth_labels: Integers
    truth_crowd: Flags
    truth_difficult: Flags
    truth_area: Floats


class DetectionMetric(Metric):
    """Base of the detection metrics; the task calls `update` with each batch and `compute` at the end.

    All subclasses share their states, so a `MetricCollection` keeps them once. They stay on the CPU. Of several ranks
    the first gathers them, over the CPU, and computes; the others get its figures.

    Args:
        kwargs: Options of `torchmetrics.Metric`; a `process_group` is not looked at: all ranks take part.
    """

    remembered: ClassVar[tuple[str, ...]] = ()
    """Attributes that `compute` sets beside its result."""

    logs: ClassVar[figures.Group]
    """What its figures are; each is named in `experiment/figures.py`."""

    is_differentiable = False
    higher_is_better = True
    full_state_update = False
    plot_lower_bound = 0.0
    plot_upper_bound = 100.0

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        for name in self.empty:
            self.add_state(name, default=[], dist_reduce_fx="cat")

    @property
    def empty(self) -> Mapping[str, Tensor]:
        """The rows of no image, by the name of the state: what is remembered."""
        return EMPTY

    def update(self, found: Sequence[Detections], targets: Sequence[Target]) -> None:
        """Remembers a batch.

        Args:
            found: Detections of B images in original pixels.
            targets: The truth of the same B images.

        Raises:
            InputError: The two have different lengths.
        """
        if len(found) != len(targets):
            raise InputError(
                f"a detection metric got detections of {len(found)} images and targets of {len(targets)}; "
                "pass one `Detections` for each `Target`"
            )
        if len(targets):
            for name, rows in self.rows(found, targets).items():
                getattr(self, name).append(rows)

    def rows(self, found: Sequence[Detections], targets: Sequence[Target]) -> Mapping[str, Tensor]:
        """What is remembered of a batch, on the CPU, with the names, types and widths of `empty`."""
        return flat(found, targets)

    def per_class(self) -> dict[str, Tensor]:
        """The figures of each class, [K] each; none where a metric does not tell classes apart."""
        return {}

    def evidence(self) -> Evidence:
        """All images in the order of their ids.

        Raises:
            InputError: An image came twice, or a score or box is not finite.
        """
        return arrange(self._rows())

    def _rows(self) -> dict[str, Tensor]:
        """Each state as one tensor."""
        return {name: torch.cat([empty, *_as_list(getattr(self, name))]) for name, empty in self.empty.items()}

    def _sync_dist(
        self, dist_sync_fn: Callable[..., Any] = gather_all_tensors, process_group: Any | None = None
    ) -> None:
        """Gathers to rank zero as objects: ranks of any length, also empty ones, keep their types and widths.

        torchmetrics' own gather sends an empty list as a float vector, which a `[D, 4]` of another rank waits for.
        """
        parts = distributed.gather(self._rows()) or []
        for name in self.empty:
            setattr(self, name, [part[name] for part in parts])

    def _wrap_compute(self, compute: Callable[..., Any]) -> Callable[..., Any]:
        """What torchmetrics puts around `compute`, around a computation that only rank zero makes."""

        @functools.wraps(compute)
        def once() -> Any:
            return self._shared(compute) if self._is_synced else compute()

        wrapped: Callable[..., Any] = super()._wrap_compute(once)
        return wrapped

    def _shared(self, compute: Callable[[], Any]) -> Any:
        """Rank zero's result on every rank, or its complaint: else the others would wait for it."""
        outcome: tuple[Any, Any] | InputError | None = None
        if distributed.rank() == 0:
            try:
                outcome = compute(), {name: getattr(self, name) for name in self.remembered}
            except InputError as error:
                outcome = error
        outcome = distributed.share(outcome)
        if isinstance(outcome, InputError):
            raise outcome
        assert outcome is not None
        figures, remembered = outcome
        for name, value in remembered.items():
            setattr(self, name, value)
        return figures


def flat(found: Sequence[Detections], targets: Sequence[Target]) -> dict[str, Tensor]:
    """A batch as `EMPTY` has it, on the CPU; `join` puts several together."""
    rows = {
        "image_ids": torch.stack([target.image_id for target in targets]),
        "found_counts": torch.tensor([len(one.scores) for one in found]),
        "found_boxes": torch.cat([one.boxes for one in found]),
        "found_scores": torch.cat([one.scores for one in found]),
        "found_labels": torch.cat([one.labels for one in found]),
        "truth_counts": torch.tensor([len(target.labels) for target in targets]),
        "truth_boxes": torch.cat([target.original_boxes for target in targets]),
        "truth_labels": torch.cat([target.labels for target in targets]),
        "truth_crowd": torch.cat([target.crowd for target in targets]),
        "truth_difficult": torch.cat([target.difficult for target in targets]),
        "truth_area": torch.cat([target.area for target in targets]),
    }
    return {name: rows[name].detach().to("cpu", empty.dtype) for name, empty in EMPTY.items()}


def join(parts: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    """Several batches, or what several ranks saw, as one."""
    return {name: torch.cat([empty, *(part[name] for part in parts)]) for name, empty in EMPTY.items()}


def arrange(rows: dict[str, Tensor]) -> Evidence:
    """The images of `flat` or `join` in the order of their ids.

    Raises:
        InputError: An image came twice, or a score or box is not finite.
    """
    state = {name: values.numpy() for name, values in rows.items()}
    order = np.argsort(state["image_ids"], kind="stable")
    ids = state["image_ids"][order]
    refuse_duplicates(ids)
    found_images, found_order = _owners(state["found_counts"], order)
    truth_images, truth_order = _owners(state["truth_counts"], order)
    sorted_rows = {
        name: values[found_order if name.startswith("found") else truth_order]
        for name, values in state.items()
        if name in Evidence._fields and name != "image_ids"
    }
    evidence = Evidence(image_ids=ids, found_images=found_images, truth_images=truth_images, **sorted_rows)
    _refuse_infinite(evidence)
    return evidence


def _as_list(state: Tensor | list[Tensor]) -> list[Tensor]:
    return [part.cpu() for part in ([state] if isinstance(state, Tensor) else state)]


def _owners(counts: Integers, order: Integers) -> tuple[Integers, Integers]:
    """Sorted position of each row's image, and the order that sorts the rows, which keeps each image's own.

    Args:
        counts: [N], rows of each image.
        order: [N], the images in the order of their ids.
    """
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    images = np.repeat(place, counts)
    rows = np.argsort(images, kind="stable")
    return images[rows], rows


def refuse_duplicates(ids: Integers) -> None:
    """Refuses ascending ids with an image that came twice."""
    repeated = ids[1:][ids[1:] == ids[:-1]]
    if len(repeated):
        raise InputError(
            f"image id {repeated[0]} was evaluated more than once ({len(set(repeated.tolist()))} such ids); "
            "deal every image to one batch of one rank, and call reset() between passes"
        )


def _refuse_infinite(evidence: Evidence) -> None:
    wrong = ~(np.isfinite(evidence.found_scores) & np.isfinite(evidence.found_boxes).all(1))
    if wrong.any():
        row = int(wrong.argmax())
        raise InputError(
            f"image {evidence.image_ids[evidence.found_images[row]]}: a detection has the score "
            f"{evidence.found_scores[row]} and the box {evidence.found_boxes[row].tolist()}\n"
            "detections must be finite: the weights may have diverged"
        )
