"""Finished runs of a W&B project, read as if their folders lay here. Imports W&B only when asked; no torch.

A run's W&B configuration is the resolved one, with `card`, `code` and, where it was recorded, `origin` (recipe, row,
changed keys); its summary holds the figures. What W&B does not know (images seen, data, hardware) stays empty. Tested
against a stub of W&B's `Api`; a live server was not tried.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from lit_vision.errors import InputError
from lit_vision.experiment import card as cards
from lit_vision.experiment import compose
from lit_vision.experiment.card import Card, Row
from lit_vision.report import numbers
from lit_vision.report.collect import Run

SECONDS = 30  # patience with one request
STAND_IN = "stand-in"  # tag of a run that changed more than the hardware


def find(project: str, api: Any = None, known: Iterable[Run] = ()) -> list[Run]:
    """The project's finished runs, oldest first.

    Args:
        project: `entity/project`.
        api: W&B's `Api`; made here when left out.
        known: Local runs; what they synced is not read again.

    Raises:
        InputError: If the project is misnamed or not there, or W&B does not answer; says what W&B said.
    """
    if project.count("/") != 1 or not all(project.split("/")):
        raise InputError(f"--wandb {project}: should read ENTITY/PROJECT, as in https://wandb.ai/ENTITY/PROJECT")
    local = {run.state.get("wandb_id") for run in known}
    try:
        found = [run for run in (api or _api()).runs(project, filters={"state": "finished"}) if run.id not in local]
        return [as_run(run, project) for run in found]
    except InputError:
        raise
    except Exception as error:  # W&B's client raises its own, requests' and plain ValueErrors
        text = " ".join(str(error).split())[:200]
        raise InputError(
            f"--wandb {project} cannot be read: {text}\n"
            "check the name, the network and wandb login; runs on this disk need neither: leave --wandb out"
        ) from None


def as_run(theirs: Any, project: str) -> Run:
    """One W&B run as a run of this suite."""
    config: dict[str, Any] = dict(theirs.config)
    card = cards.parse(config.get("card") or {}, f"{project}, run {theirs.id}")
    origin = config.get("origin") or {}
    recipe = str(origin.get("recipe") or theirs.group or "")
    name: str | None = origin.get("row") or _row(theirs.name, card)
    changed = _changed(theirs, config, origin)
    row = card.row(name, recipe) if name in card.rows and name else Row(metric=card.metric, split=card.split)
    figures = _figures(theirs.summary)
    summary = _plain(theirs.summary)
    result = {
        "recipe": recipe,
        "row": name,
        "where": row.place,
        "metric": row.metric,
        "value": figures.get(row.metric),
        "expected": row.value,
        "tolerance": row.tolerance,
        "claim": row.claim,
        "also": row.also,
        "split": row.split,
        "stand_in": row.stand_in or bool(changed),
        "changed": changed,
        "figures": figures,
        "seed": config.get("seed_everything"),
        "duration_s": numbers.finite(summary.get("_runtime")),
        "code": config.get("code"),
        "card": config.get("card") or {},
    }
    state = {"url": theirs.url, "wandb_id": theirs.id, "time": _time(theirs.created_at)}
    return Run(Path("wandb", *project.split("/"), str(theirs.id)), result, state)


def _api() -> Any:
    import wandb

    return wandb.Api(timeout=SECONDS)


def _row(name: str, card: Card) -> str | None:
    """The row of a run called `resnet-20, seed 1`."""
    row = str(name).rpartition(", seed ")[0]
    return row if row in card.rows else None


def _changed(theirs: Any, config: Mapping[str, Any], origin: Mapping[str, Any]) -> dict[str, Any]:
    """Changed keys with their values; a stand-in that does not say what it changed is like no other run."""
    leaves = compose.flatten({key: value for key, value in config.items() if key not in ("card", "origin")})
    changed = {key: leaves.get(key) for key in origin.get("changed") or []}
    return changed or ({"changed": f"not recorded by run {theirs.id}"} if STAND_IN in (theirs.tags or []) else {})


def _figures(summary: Any) -> dict[str, float]:
    found = {key: numbers.finite(value) for key, value in _plain(summary).items()}
    return {key: value for key, value in found.items() if value is not None and key.startswith(("test/", "train/"))}


def _plain(summary: Any) -> dict[str, Any]:
    """W&B's summary is no mapping of the standard kind; it only promises `keys` and `[]`."""
    return {key: summary[key] for key in summary.keys()}  # noqa: SIM118


def _time(created: str | None) -> float:
    try:
        return datetime.fromisoformat(str(created).replace("Z", "+00:00")).timestamp()
    except ValueError:
        return 0.0
