"""After the test pass: `result.json`, the final table, and the verdict in W&B's summary."""

import dataclasses
import math
import platform
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from importlib import metadata
from typing import Any

import lightning as L
import torch

from lit_vision.experiment import verdicts
from lit_vision.experiment.card import Card, Row
from lit_vision.experiment.recipes import Experiment
from lit_vision.loggers import wandb_identity
from lit_vision.loggers.wandb import Wandb
from lit_vision.runs import folder as runs
from lit_vision.runs import results, versions
from lit_vision.runs.folder import RunFolder
from lit_vision.runs.results import Result, Trained

PACKAGES = ("torch", "torchvision", "lightning", "torchmetrics", "jsonargparse", "wandb", "numpy", "pillow")


class Verdict(L.Callback):
    """Judges a run by its test pass.

    Args:
        experiment: What was asked for.
        folder: The run's folder.
        changed: Keys and values that differ from recipe and row beyond the hardware.
        digest: Identity of the resolved configuration.
        trained: Where the tested weights come from, if not from this run.
        members: Where the weights of each member of an ensemble come from.
        stand_in: Whether it stands on a training that may not be held against the paper.
    """

    def __init__(
        self,
        experiment: Experiment,
        folder: RunFolder,
        changed: dict[str, Any],
        digest: str = "",
        trained: Trained | None = None,
        members: Sequence[Trained] = (),
        stand_in: bool = False,
    ) -> None:
        self.experiment = experiment
        self.folder = folder
        self.changed = changed
        self.digest = digest
        self.trained = trained
        self.members = list(members)
        self.stand_in = stand_in
        self.seconds_before = 0.0
        self.steps = 0
        self._started = time.monotonic()
        self._process = secrets.token_hex(8)

    def state_dict(self) -> dict[str, Any]:
        """Seconds spent so far, so that the duration of a continued run is its whole."""
        return {"seconds": self._seconds(), "process": self._process}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes the seconds of the earlier pieces over; the test pass loads what this very process has saved.

        A later test of the weights takes its own time alone.
        """
        if state_dict.get("process") != self._process and not (self.trained or self.members):
            self.seconds_before = state_dict["seconds"]

    def on_load_checkpoint(self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]) -> None:
        """Takes the optimiser steps over; where nothing but the test runs, the trainer does not know them."""
        self.steps = checkpoint["global_step"]

    def on_test_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Writes the result and prints the table, on rank zero."""
        if not trainer.is_global_zero:
            return
        result = self._result(trainer)
        results.write(self.folder.result, result)
        # The result must be on disk before relations are judged: it is one of their inputs.
        judged = results.judge_relations(self.experiment.card, self.experiment.name, self.changed)
        result = dataclasses.replace(result, relations=judged)
        results.write(self.folder.result, result)
        for logger in trainer.loggers:
            if isinstance(logger, Wandb):
                logger.summarise(wandb_identity.summary(dataclasses.asdict(result)))
        print(table(result, self.experiment, self.folder))

    def _result(self, trainer: L.Trainer) -> Result:
        card = self.experiment.card
        row = self.experiment.expected() or Row(metric=card.metric, split=card.split)
        steps, samples = self._seen(trainer)
        figures = self._last_training() | _named(trainer.callback_metrics, "test/")
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        verdict = verdicts.of_row(
            row,
            [figures.get(row.metric)],
            self.stand_in or verdicts.beyond_the_split(self.changed),
            data.official_split,
            better=card.better(row.metric),
        )
        return Result(
            recipe=self.experiment.name,
            row=self.experiment.row,
            metric=row.metric,
            figures=figures,
            changed=self.changed,
            stand_in=row.stand_in or self.stand_in or bool(self.changed),
            seed=self.experiment.config.get("seed_everything"),
            digest=self.digest,
            trained=self.trained,
            members=self.members,
            altered=_altered(trainer),
            where=row.place,
            value=figures.get(row.metric),
            expected=row.value,
            tolerance=row.tolerance,
            claim=row.claim,
            also=row.also,
            by_class=row.by_class,
            printed=row.printed,
            split=data.official_split,
            verdict=str(verdict),
            verdicts={row.metric: str(verdict)} | further(row, verdict, figures, card),
            steps=steps,
            samples_seen=samples,
            duration_s=round(self._seconds(), 1),
            data=_data(data),
            hardware=hardware(trainer),
            code=versions.code(),
            packages={name: metadata.version(name) for name in PACKAGES} | {"python": platform.python_version()},
            card=self.experiment.card_content,
            sweep=self.folder.state.get("sweep") or {},
        )

    def _seen(self, trainer: L.Trainer) -> tuple[int, int]:
        """Optimiser steps behind the weights, and training images that this run has seen; earlier stages count."""
        if self.trained or self.members:
            return self.trained.steps if self.trained else self.steps, 0
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        earlier = results.of_stages(self.folder)
        steps = self.steps + sum(stage.steps for stage in earlier)
        return steps, self.steps * data.batch_size + sum(stage.samples_seen or 0 for stage in earlier)

    def _last_training(self) -> dict[str, float | None]:
        """Training figures of the last logged step: what the papers' training curves end at."""
        if not self.folder.metrics.is_file():
            return {}
        lines = [line for line in runs.read_metrics(self.folder.metrics) if "train/loss" in line]
        return _named(lines[-1], "train/") if lines else {}

    def _seconds(self) -> float:
        return self.seconds_before + time.monotonic() - self._started


def _named(figures: Mapping[str, Any], prefix: str) -> dict[str, float | None]:
    """Figures of a phase; None where there was nothing to measure, as JSON has no NaN."""
    named = {name: float(value) for name, value in figures.items() if name.startswith(prefix) and value is not None}
    return {name: value if math.isfinite(value) else None for name, value in named.items()}


def _altered(trainer: L.Trainer) -> str:
    """What the protocol changed in the network before it looked."""
    protocol = getattr(trainer.lightning_module, "protocol", None)
    return str(getattr(protocol, "alters", ""))


def _data(data: Any) -> dict[str, Any]:
    """What was tested on; images that are also trained on are kept with it, for they make a figure too good."""
    found = {"name": type(data).__name__, "fingerprint": data.fingerprint()}
    return found | ({"overlaps": data.overlaps} if data.overlaps else {})


def hardware(trainer: L.Trainer) -> dict[str, Any]:
    """What the run ran on."""
    on_gpu = trainer.strategy.root_device.type == "cuda"
    return {
        "device": torch.cuda.get_device_name() if on_gpu else platform.processor() or platform.machine(),
        "devices": trainer.world_size,
        "nodes": trainer.num_nodes,
        "precision": str(trainer.precision),
        "threads": torch.get_num_threads(),
    }


def further(row: Row, verdict: verdicts.Verdict, figures: Mapping[str, float | None], card: Card) -> dict[str, str]:
    """Verdicts on the row's further figures, where the first has this one."""
    return {
        metric: str(verdicts.of_further(verdict, expected, row.tolerance, [figures.get(metric)], card.better(metric)))
        for metric, expected in row.also.items()
    }


def table(result: Result, experiment: Experiment, folder: RunFolder) -> str:
    """The final table as text: metric, expected, got, verdict; then relations and the run's folder."""
    lines = [("metric", "expected", "got", "verdict")]
    expected = {result.metric: result.expected} | result.also
    per_class = [name for name in result.figures if name.count("/") > 1 and not name.startswith("analysis/")]
    for name in dict.fromkeys([*expected, *(name for name in result.figures if name not in per_class)]):
        got, paper = result.figures.get(name), expected.get(name)
        cells = (
            "-" if paper is None else f"{paper:g} (tolerance {result.tolerance:g})",
            "-" if got is None else f"{got:.4g}" if name.startswith("analysis/") else f"{got:.2f}",
        )
        lines.append((name, *cells, result.verdicts.get(name, "")))
    widths = [max(len(line[column]) for line in lines) for column in range(4)]
    title = f"{result.recipe}  {result.row or ''}".rstrip()
    text = [
        "",
        title,
        *("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines),
    ]
    if per_class:
        text.append(f"figures of single classes are in {folder.result}")
    return "\n".join([*text, *_remarks(result, experiment), f"run: {folder.path}"])


def _remarks(result: Result, experiment: Experiment) -> Iterator[str]:
    row = experiment.expected()
    if result.claim:
        yield f"claim: {result.claim}"
    if result.printed:
        yield f"the paper's {result.printed.told()}"
    if result.trained:
        yield f"weights of {result.trained.run}: {result.trained.recipe or 'unknown'}, {result.trained.steps:,} steps"
    if result.altered:
        yield f"the network as tested: {result.altered}"
    if result.changed:
        yield f"stand-in, because it changes {', '.join(result.changed)}"
    if row and result.split and result.split != row.split:
        yield f"measured on {result.split}; the row's figure is of {row.split}"
    verdict_of = {relation: result.relations[relation.id] for relation in experiment.card.relations}
    for relation, verdict in verdict_of.items():
        if verdict != "not run":
            yield f"relation {relation.id}: {verdict}  [{relation.expr}]"
    if waiting := list(verdict_of.values()).count("not run"):
        yield f"{waiting} relation(s) wait for other rows: lit-vision recipes show {result.recipe}"
