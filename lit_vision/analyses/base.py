"""What an analysis is: a look at trained weights that gives figures, arrays and a plot in the paper's style."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from matplotlib.figure import Figure
from torch import nn

from lit_vision.experiment import figures as vocabulary
from lit_vision.types import Batch

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Findings:
    """What an analysis found.

    Attributes:
        figures: Numbers by name, logged as `analysis/<name>`.
        arrays: What the plot is drawn from, by name.
    """

    figures: Mapping[str, float]
    arrays: Mapping[str, Array] = field(default_factory=dict)


class Analysis(ABC):
    """Looks at one trained network. A row names it under `analysis:`; its files go below the run that was trained.

    Attributes:
        logs: What it logs as `analysis/<name>`, with units and directions.
    """

    logs: ClassVar[vocabulary.Group]

    @abstractmethod
    def look(self, network: nn.Module, batches: Iterable[Batch[Any]]) -> Findings:
        """Measures.

        Args:
            network: Trained, in evaluation mode.
            batches: Of the test split as its pipeline hands them over, on the network's device; not all need be read.
        """

    @abstractmethod
    def draw(self, findings: Findings, title: str) -> Figure:
        """The plot."""
