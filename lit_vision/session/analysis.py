"""One analysis from its row to its files: figures, arrays and a plot, beside a training or in a folder of their own."""

import dataclasses
import io
import math
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from lit_vision import build, launch
from lit_vision.analyses.base import Analysis, Findings, Subject
from lit_vision.callbacks.verdict import PACKAGES, further, hardware, table
from lit_vision.errors import InputError
from lit_vision.experiment import compose, recipes, stages, verdicts, yamlio
from lit_vision.experiment.card import Row
from lit_vision.experiment.compose import Config
from lit_vision.experiment.recipes import Experiment
from lit_vision.loggers import wandb_identity
from lit_vision.loggers.wandb import Wandb
from lit_vision.runs import durable, results, versions
from lit_vision.runs import folder as runs
from lit_vision.runs.folder import RunFolder
from lit_vision.runs.results import Result
from lit_vision.runs.trained import ARRAYS, PLOT, Trained
from lit_vision.session import folders, saved, subjects, weights
from lit_vision.session.assembler import Assembler, assemble
from lit_vision.session.subjects import Images

PREFIX = "analysis/"


@dataclass(frozen=True)
class Look:
    """What is looked at.

    Attributes:
        experiment: The row; on the configuration of the first training, where there is one.
        folder: Where the files go.
        parents: The trainings; none where the recipe is looked at as it starts.
        trust_code: Whether their checkpoints may name classes of any package.
    """

    experiment: Experiment
    folder: RunFolder
    parents: tuple[Trained, ...] = ()
    trust_code: bool = False

    @property
    def row(self) -> Row:
        """The row with the card's metric and split filled in."""
        row = self.experiment.expected()
        assert row is not None
        return row

    @property
    def trained(self) -> Trained | None:
        """The one training that it belongs to; None for several and for none."""
        return self.parents[0] if self.row.weights_of else None


def run(look: Look) -> int:
    """Analyses, writes and prints; returns the exit code.

    Raises:
        InputError: If several processes were started, or the analysis does not build or does not fit what it looks at.
    """
    if launch.processes() > 1:
        raise InputError("an analysis looks at networks in one process; start it without torchrun or srun")
    started = time.monotonic()
    analysis = _analysis(look.experiment)
    # A recipe in stages is looked at as it starts: none of them is run.
    plain = {key: value for key, value in look.experiment.config.items() if key != stages.SECTION}
    assembler = assemble(dataclasses.replace(look.experiment, config=plain), [])
    config = assembler.resolved()
    assembler.build()
    images = Images(assembler)
    findings = analysis.look(_subjects(look, assembler, images))
    _start(look, config)
    _write(look.folder, analysis, findings, f"{look.experiment.name}, {look.experiment.row}")
    result = _result(look, assembler, images, findings, time.monotonic() - started)
    results.write(look.folder.result, result)
    # The result must be on disk before relations are judged: it is one of their inputs.
    relations = results.judge_relations(look.experiment.card, look.experiment.name, result.changed)
    result = dataclasses.replace(result, relations=relations)
    results.write(look.folder.result, result)
    if look.trained:
        _log(assembler, look.trained, look.experiment, result, look.folder)
    print(table(result, look.experiment, look.folder))
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


def _subjects(look: Look, assembler: Assembler, images: Images) -> list[Subject]:
    if look.parents:
        return subjects.of_runs(look.parents, images, look.trust_code)
    return subjects.of_recipe(look.experiment, assembler, images)


def _start(look: Look, config: Config) -> None:
    """Makes the folder; what belongs to no single training is a run of its own."""
    look.folder.path.mkdir(parents=True, exist_ok=True)
    if look.trained:
        durable.write_text(look.folder.config, yamlio.dump(saved.in_folder(look.experiment, config)))
    else:
        folders.start(look.folder, look.experiment, config)


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


def _result(look: Look, assembler: Assembler, images: Images, findings: Findings, seconds: float) -> Result:
    row, experiment, trained = look.row, look.experiment, look.trained
    named = {f"{PREFIX}{name}": value for name, value in findings.figures.items()}
    figures = {name: value if math.isfinite(value) else None for name, value in named.items()}
    changed = weights.changed(experiment, look.parents)
    stand_in = row.stand_in or any(parent.stand_in for parent in look.parents) or bool(changed)
    verdict = verdicts.of_row(row, [figures.get(row.metric)], stand_in, better=experiment.card.better(row.metric))
    identities = [parent.identity for parent in look.parents]
    data = images.data
    return Result(
        recipe=experiment.name,
        row=experiment.row,
        metric=row.metric,
        figures=figures,
        changed=changed,
        stand_in=stand_in,
        seed=trained.seed if trained else experiment.config.get("seed_everything"),
        digest=recipes.identity(experiment.config),
        trained=trained.identity if trained else None,
        members=[] if trained else identities,
        where=row.place,
        value=figures.get(row.metric),
        expected=row.value,
        tolerance=row.tolerance,
        claim=row.claim,
        also=row.also,
        split=data.official_split if images.read else "",
        verdict=str(verdict),
        verdicts={row.metric: str(verdict)} | further(row, verdict, figures, experiment.card),
        steps=trained.identity.steps if trained else 0,
        samples_seen=0,
        duration_s=round(seconds, 1),
        data={"name": type(data).__name__, "fingerprint": data.fingerprint()} if images.read else {},
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
