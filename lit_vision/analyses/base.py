"""What an analysis is: a look at networks or their runs that gives figures, arrays and a plot in the paper's style."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from lit_vision.errors import InputError
from lit_vision.experiment import figures as vocabulary
from lit_vision.types import Batch

Array = np.ndarray[Any, Any]


def _as_it_is(image: Tensor) -> tuple[Tensor, Tensor]:
    return image[None], torch.tensor([image.shape[-2:]])


@dataclass(frozen=True)
class Subject:
    """What is looked at: one trained run, or a recipe as it starts. Whatever costs time is made when it is called.

    Attributes:
        name: Its row.
        network: Makes the network, in evaluation mode: the trained one, or the one that a training would start with.
        skeleton: Makes the network on the `meta` device, where it can be counted and not run; and height and width of
            its images, None where they vary. Reads no data.
        batches: Batches of the test split as its pipeline hands them over, on the network's device.
        log: Lines of the run's `metrics.jsonl`, each with its `step`; empty where nothing was trained.
        decoded: Images of the test split one by one, uint8 [3, H, W], as their files hold them.
        prepare: What the pipeline makes of one of them: a batch on the network's device, and its sizes.
        said: Figures of the run's own test, of later tests and of analyses, by row; empty where nothing was trained.
    """

    name: str
    network: Callable[[], nn.Module]
    skeleton: Callable[[], tuple[nn.Module, tuple[int, int] | None]]
    batches: Callable[[], Iterable[Batch[Any]]]
    log: Sequence[Mapping[str, Any]] = ()
    decoded: Callable[[], Iterable[Tensor]] = tuple
    prepare: Callable[[Tensor], tuple[Tensor, Tensor]] = _as_it_is
    said: Callable[[], Mapping[str, Mapping[str, float | None]]] = dict


@dataclass(frozen=True)
class Findings:
    """What an analysis found.

    Attributes:
        figures: Numbers by name, logged as `analysis/<name>`; `<name>/<row>` where several runs are looked at.
        arrays: What the plot is drawn from, by name; likewise.
    """

    figures: Mapping[str, float]
    arrays: Mapping[str, Array] = field(default_factory=dict)

    def series(self, name: str) -> dict[str, Array]:
        """The arrays of one name by row; by an empty name where one run was looked at."""
        split = [(key.partition("/"), values) for key, values in self.arrays.items()]
        return {row: values for (first, _, row), values in split if first == name}


class Analysis(ABC):
    """Looks at a network, or at several. A row names it under `analysis:`.

    Attributes:
        logs: What it logs as `analysis/<name>`, with units and directions.
    """

    logs: ClassVar[vocabulary.Group]

    @abstractmethod
    def look(self, subjects: Sequence[Subject]) -> Findings:
        """Measures.

        Args:
            subjects: What the row is about: the run of its `weights_of`, those of its `members`, or the recipe itself.
        """

    @abstractmethod
    def draw(self, findings: Findings, title: str) -> Figure:
        """The plot."""


def only(subjects: Sequence[Subject], analysis: Analysis) -> Subject:
    """The one subject of an analysis that compares nothing.

    Raises:
        InputError: If the row has several members.
    """
    if len(subjects) != 1:
        raise InputError(
            f"analysis {type(analysis).__name__} looks at one network, and the row has {len(subjects)} members;\n"
            "give the row `weights_of` instead of `members`"
        )
    return subjects[0]


def by_row(found: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """What was found in each subject under one mapping: `name/row`, or `name` alone where there is one subject."""
    several = len(found) > 1
    return {f"{name}/{row}" if several else name: value for row, each in found.items() for name, value in each.items()}
