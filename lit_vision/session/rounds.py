"""Measures the arms of a claim in turn, untrained and on noise: what they cost, whatever else the machine does."""

import dataclasses
import platform
import statistics
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from typing import Any

import lightning as L
import torch
import torch.nn.functional as F
from torch import Tensor

from lit_vision.analyses import timing
from lit_vision.callbacks.verdict import PACKAGES, hardware
from lit_vision.errors import InputError
from lit_vision.experiment import names as check
from lit_vision.experiment import recipes, stages, verdicts
from lit_vision.experiment.compose import Config
from lit_vision.experiment.evidence import Rounds
from lit_vision.experiment.recipes import Experiment
from lit_vision.models import counts
from lit_vision.models.classifier import Classifier
from lit_vision.models.detector import RegionDetector
from lit_vision.runs import claim_runs, results, versions
from lit_vision.runs.folder import RunFolder
from lit_vision.runs.results import Result
from lit_vision.session import folders
from lit_vision.session.assembler import assemble
from lit_vision.tasks.task import Task

PREFIX = "analysis/"


@dataclass(frozen=True)
class Arm:
    """One side, built.

    Attributes:
        experiment: Its row.
        config: Its configuration with every default.
        trainer: What says on which device and by which precision it computes.
        task: Its network, as a training would start it, with its optimiser.
        folder: Where its result goes.
    """

    experiment: Experiment
    config: Config
    trainer: L.Trainer
    task: Task
    folder: RunFolder


def build(experiment: Experiment, folder: RunFolder) -> Arm:
    """Builds what an arm names; no data are read.

    Args:
        experiment: The arm's row, with its seed.
        folder: Where its result goes.

    Raises:
        InputError: If names are unknown, or its task has no network.
    """
    check.names(experiment)
    # A recipe in stages is looked at as it starts: none of them is run.
    plain = {key: value for key, value in experiment.config.items() if key != stages.SECTION}
    assembler = assemble(dataclasses.replace(experiment, config=plain), [])
    config = assembler.resolved()
    assembler.build()
    task: Any = assembler.model
    if not isinstance(task, Task):
        raise InputError(f"{experiment.name}: {type(task).__name__} has no network that could be measured")
    task.to(assembler.trainer.strategy.root_device)
    return Arm(experiment, config, assembler.trainer, task, folder)


def measure(arms: Mapping[str, Arm], rounds: Rounds, seed: int) -> None:
    """Runs all rounds, and writes for each arm its medians as a result, and what each round gave beside it.

    Args:
        arms: By name; each round begins with the next one.
        rounds: What is measured, and how often.
        seed: Of the images, which are the same for all arms.

    Raises:
        InputError: If a network cannot do the work.
    """
    began = time.monotonic()
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 256, (rounds.batch, 3, *rounds.size), dtype=torch.uint8, generator=generator)
    works = {name: _work(arm, rounds, images) for name, arm in arms.items()}
    found: dict[str, list[dict[str, float]]] = {name: [] for name in arms}
    for number in range(rounds.warmup + rounds.count):
        for place in range(len(arms)):
            name = list(arms)[(number + place) % len(arms)]
            measured = next(works[name])
            if number >= rounds.warmup:
                found[name].append(measured)
    for name, arm in arms.items():
        _write(arm, found[name], seed, (time.monotonic() - began) / len(arms))


def _work(arm: Arm, rounds: Rounds, images: Tensor) -> Iterator[dict[str, float]]:
    """Measures once whenever it is asked."""
    network = arm.task.network
    wanted: type[torch.nn.Module] = Classifier if rounds.work == "train" else RegionDetector
    if not isinstance(network, wanted) or getattr(network, "takes_proposals", False):
        raise InputError(
            f"evidence.rounds.work: {rounds.work} is for a {wanted.__name__} of its own, "
            f"got {type(network).__name__} of {arm.experiment.name}"
        )
    parameters = {"parameters": counts.parameters(network) / 1e6}
    step = _steps(arm, images) if rounds.work == "train" else _finds(arm, images)
    return ({**parameters, **laps} for laps in step)


def _steps(arm: Arm, images: Tensor) -> Iterator[dict[str, float]]:
    """Milliseconds of one optimiser step after the other."""
    network: Any = arm.task.network.train()
    made: Any = arm.task.configure_optimizers()
    optimizer = made["optimizer"] if isinstance(made, dict) else made
    images = images.to(arm.task.device)
    labels = torch.arange(len(images), device=images.device) % network.num_classes
    while True:
        began = timing.clock(images)
        with arm.trainer.precision_plugin.forward_context():
            loss = F.cross_entropy(network(images).float(), labels)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        yield {"ms": 1000 * (timing.clock(images) - began)}


def _finds(arm: Arm, images: Tensor) -> Iterator[dict[str, float]]:
    """Milliseconds of a detector's stages, one image after the other."""
    network: Any = arm.task.network.eval()
    sizes = torch.tensor([images.shape[-2:]], device=arm.task.device)

    def prepare(image: Tensor) -> tuple[Tensor, Tensor]:
        padded = F.pad(image, (0, -image.shape[-1] % 32, 0, -image.shape[-2] % 32))
        return padded[None].to(arm.task.device), sizes

    while True:
        with torch.no_grad(), arm.trainer.precision_plugin.forward_context():
            laps = [timing.of_image(network, prepare, image) for image in images]
        yield timing.summary({part: 1000 * statistics.fmean(lap[part] for lap in laps) for part in laps[0]})


def _write(arm: Arm, rounds: list[dict[str, float]], seed: int, seconds: float) -> None:
    """A result as an analysis leaves it, in a folder that is a run's."""
    drawn = {f"{PREFIX}{figure}": [one[figure] for one in rounds] for figure in rounds[0]}
    experiment, row = arm.experiment, arm.experiment.expected()
    arm.folder.path.mkdir(parents=True, exist_ok=True)
    folders.start(arm.folder, experiment, arm.config)
    claim_runs.note_drawn(arm.folder, drawn)
    result = Result(
        recipe=experiment.name,
        row=experiment.row,
        metric=row.metric if row else experiment.card.metric,
        figures={figure: statistics.median(values) for figure, values in drawn.items()},
        changed=experiment.changes(),
        stand_in=True,  # untrained, and on noise
        seed=seed,
        digest=recipes.identity(arm.config),
        verdict=str(verdicts.Verdict.STAND_IN),
        duration_s=round(seconds, 1),
        hardware=hardware(arm.trainer),
        code=versions.code(),
        packages={name: metadata.version(name) for name in PACKAGES} | {"python": platform.python_version()},
        card=experiment.card_content,
    )
    results.write(arm.folder.result, result)
