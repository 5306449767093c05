"""What an analysis looks at: trained runs, or the recipe as it starts; networks and images are made when asked for."""

import functools
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from lit_vision.analyses.base import Subject
from lit_vision.data.boxes import BoxData
from lit_vision.data.pipelines import collate
from lit_vision.errors import InputError
from lit_vision.experiment.recipes import Experiment
from lit_vision.runs import folder as runs
from lit_vision.runs.trained import Trained
from lit_vision.session import shapes, weights
from lit_vision.session.assembler import Assembler
from lit_vision.tasks.task import Task
from lit_vision.types import Batch


class Images:
    """The row's test split, on the trainer's device, as often as it is asked for.

    Args:
        assembler: Built.

    Attributes:
        read: Whether anybody has asked.
    """

    def __init__(self, assembler: Assembler) -> None:
        self.device = assembler.trainer.strategy.root_device
        self.data: Any = assembler.datamodule
        self.read = False

    def setup(self) -> None:
        """Finds the images, once."""
        if not self.read:
            self.data.setup("test")
        self.read = True

    def __call__(self) -> Iterator[Batch[Any]]:
        """Batches of the test split."""
        self.setup()
        for batch in self.data.test_dataloader():
            yield batch._replace(images=batch.images.to(self.device), sizes=batch.sizes.to(self.device))

    def decoded(self) -> Iterator[Tensor]:
        """Images of the test split one by one, as their files hold them."""
        self.setup()
        for number in self.data.image_names("test"):
            yield self.data.original("test", number)

    def prepare(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """A batch of one image as the test split's loader makes it, and its size, on the device."""
        prepared = self.data.pipeline.prepare(image)
        sizes = torch.tensor([prepared.shape[-2:]])
        batch = collate.pad_batch([prepared], sizes, always=isinstance(self.data, BoxData))
        return batch.to(self.device), sizes.to(self.device)


def of_runs(parents: Sequence[Trained], images: Images, trust_code: bool) -> list[Subject]:
    """Trained runs; all of them see the images of the row.

    Args:
        parents: The runs.
        images: The row's.
        trust_code: Whether their checkpoints may name classes of any package.
    """
    return [_of_run(name, parent, images, trust_code) for name, parent in zip(_names(parents), parents, strict=True)]


def of_recipe(experiment: Experiment, assembler: Assembler, images: Images) -> list[Subject]:
    """The recipe as a training would start.

    Args:
        experiment: The row.
        assembler: Built with it.
        images: The row's.
    """
    network = functools.partial(_started, experiment, assembler, images)
    return [
        Subject(
            experiment.row or "",
            network,
            lambda: shapes.skeleton(experiment.config),
            images,
            (),
            images.decoded,
            images.prepare,
        )
    ]


def _of_run(name: str, parent: Trained, images: Images, trust_code: bool) -> Subject:
    log = runs.read_metrics(parent.folder.metrics) if parent.folder.metrics.is_file() else ()
    return Subject(
        name,
        lambda: weights.network(parent, trust_code).to(images.device),
        lambda: shapes.skeleton(parent.config),
        images,
        log,
        images.decoded,
        images.prepare,
        parent.figures,
    )


def _started(experiment: Experiment, assembler: Assembler, images: Images) -> nn.Module:
    """The network with the weights that the seed draws, and the statistics of the data."""
    task = assembler.model
    if not isinstance(task, Task):
        raise InputError(f"row {experiment.row!r}: {type(task).__name__} has no network that an analysis could look at")
    images.setup()
    network: Any = task.network
    if network.follows_data:
        network.normalise.set(images.data.mean, images.data.std)
    network.eval().to(images.device)
    return task.network


def _names(parents: Sequence[Trained]) -> list[str]:
    """The row of each run; with its recipe where they are of several, with its seed where a row stands there twice."""
    several = len({parent.result.recipe for parent in parents}) > 1
    rows = [
        f"{parent.result.recipe}: {parent.result.row}" if several else parent.result.row or "" for parent in parents
    ]
    seeds = [f" (seed {parent.seed})" if rows.count(row) > 1 else "" for row, parent in zip(rows, parents, strict=True)]
    return [f"{row}{seed}" for row, seed in zip(rows, seeds, strict=True)]
