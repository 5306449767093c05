"""One look at trained weights: builds network and data, and leaves figures, arrays and a plot beside the run."""

import dataclasses
import io
import math
import platform
import time
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lit_vision import build, launch
from lit_vision.analyses.base import Analysis, Findings
from lit_vision.callbacks.verdict import PACKAGES, hardware, table
from lit_vision.errors import InputError
from lit_vision.experiment import compose, recipes, verdicts, yamlio
from lit_vision.experiment.recipes import Experiment
from lit_vision.loggers import wandb_identity
from lit_vision.loggers.wandb import Wandb
from lit_vision.runs import durable, results, versions
from lit_vision.runs import folder as runs
from lit_vision.runs.folder import RunFolder
from lit_vision.runs.results import Result
from lit_vision.runs.trained import ARRAYS, PLOT, Trained
from lit_vision.session import saved, weights
from lit_vision.session.assembler import Assembler, assemble
from lit_vision.types import Batch

PREFIX = "analysis/"


def run(experiment: Experiment, trained: Trained, trust_code: bool) -> int:
    """Analyses, writes and prints; returns the exit code.

    Args:
        experiment: The row, on the configuration of the training.
        trained: The training.
        trust_code: Whether its checkpoint may name classes of any package.

    Raises:
        InputError: If several processes were started, or the analysis does not build or does not fit the network.
    """
    if launch.processes() > 1:
        raise InputError("an analysis looks at weights in one process; start it without torchrun or srun")
    started = time.monotonic()
    analysis = _analysis(experiment)
    assembler = assemble(experiment, [])
    config = assembler.resolved()
    assembler.build()
    findings = analysis.look(*_prepared(assembler, weights.network(trained, trust_code)))
    folder = trained.analysis(experiment.row or "")
    folder.path.mkdir(parents=True, exist_ok=True)
    durable.write_text(folder.config, yamlio.dump(saved.in_folder(experiment, config)))
    _write(folder, analysis, findings, f"{experiment.name}, {experiment.row}")
    result = _result(experiment, trained, assembler, findings, time.monotonic() - started)
    results.write(folder.result, result)
    # The result must be on disk before relations are judged: it is one of their inputs.
    relations = results.judge_relations(experiment.card, experiment.name, result.changed)
    result = dataclasses.replace(result, relations=relations)
    results.write(folder.result, result)
    _log(assembler, trained, experiment, result, folder)
    print(table(result, experiment, folder))
    return 0


def _analysis(experiment: Experiment) -> Analysis:
    row = experiment.expected()
    assert row is not None
    path = compose.class_path(row.analysis)
    if path is None:
        raise InputError(
            f"{experiment.name}, row {experiment.row!r}: analysis needs a class_path, got {row.analysis!r}"
        )
    found: Analysis = build.part(Analysis, row.analysis)
    return found


def _prepared(assembler: Assembler, network: torch.nn.Module) -> tuple[torch.nn.Module, Iterator[Batch[Any]]]:
    """The network and the test split, both on the trainer's device."""
    device = assembler.trainer.strategy.root_device
    data: Any = assembler.datamodule
    data.setup("test")

    def batches() -> Iterator[Batch[Any]]:
        for batch in data.test_dataloader():
            yield batch._replace(images=batch.images.to(device), sizes=batch.sizes.to(device))

    return network.to(device), batches()


def _write(folder: RunFolder, analysis: Analysis, findings: Findings, title: str) -> None:
    """Arrays and plot, each whole or not at all."""
    arrays: Any = dict(findings.arrays)
    figure = analysis.draw(findings, title)
    _write_whole(folder.path / ARRAYS, lambda file: np.savez(file, **arrays))
    _write_whole(folder.path / PLOT, lambda file: figure.savefig(file, format="png", dpi=150))


def _write_whole(path: Path, save: Callable[[io.BytesIO], object]) -> None:
    content = io.BytesIO()
    save(content)
    durable.put(durable.write(path, lambda file: file.write(content.getvalue()), lambda _: None), path)


def _result(
    experiment: Experiment, trained: Trained, assembler: Assembler, findings: Findings, seconds: float
) -> Result:
    row = experiment.expected()
    assert row is not None
    data: Any = assembler.datamodule
    named = {f"{PREFIX}{name}": value for name, value in findings.figures.items()}
    figures = {name: value if math.isfinite(value) else None for name, value in named.items()}
    changed = trained.changed | experiment.changes()
    stand_in = row.stand_in or trained.stand_in or bool(changed)
    value = figures.get(row.metric)
    verdict = str(verdicts.of_row(row, [value], stand_in, better=experiment.card.better(row.metric)))
    return Result(
        recipe=experiment.name,
        row=experiment.row,
        metric=row.metric,
        figures=figures,
        changed=changed,
        stand_in=stand_in,
        seed=trained.seed,
        digest=recipes.identity(experiment.config),
        trained=trained.identity,
        where=row.place,
        value=value,
        expected=row.value,
        tolerance=row.tolerance,
        claim=row.claim,
        also=row.also,
        split=data.official_split,
        verdict=verdict,
        verdicts={row.metric: verdict},
        steps=trained.identity.steps,
        samples_seen=0,
        duration_s=round(seconds, 1),
        data={"name": type(data).__name__, "fingerprint": data.fingerprint()},
        hardware=hardware(assembler.trainer),
        code=versions.code(),
        packages={name: metadata.version(name) for name in PACKAGES} | {"python": platform.python_version()},
        card=experiment.card_content,
    )


def _log(assembler: Assembler, trained: Trained, experiment: Experiment, result: Result, folder: RunFolder) -> None:
    """Figures and plot go to the training's run in W&B, under the analysis' row."""
    for logger in assembler.trainer.loggers:
        if isinstance(logger, Wandb):
            run_id = trained.folder.state.get("wandb_id", "")
            logger.describe(trained.folder.path, run_id, wandb_identity.of(trained.config))
            prefix = runs.slug(experiment.row or "")
            logger.summarise({f"{prefix}/{name}": value for name, value in result.figures.items()})
            logger.log_picture(f"{prefix}/plot", folder.path / PLOT)
            logger.finish()
