"""Which configuration a run had, apart from its seed and its machine. No torch here."""

import json
from typing import Any

from lit_vision.experiment import compose, recipes
from lit_vision.report.collect import Run

SEEDS = ("seed_everything", "data.seed")
_LEFT_OUT = ("card", "origin", "ckpt_path")
_MACHINE = tuple(key for key in (*recipes.HARDWARE, "checkpoint") if key not in SEEDS)


def settings(run: Run) -> dict[str, Any]:
    """Dotted leaves of the resolved configuration; what the result says was changed where the file is gone."""
    if not run.config:
        return dict(run.result.get("changed") or {})
    return compose.flatten({key: value for key, value in run.config.items() if key not in _LEFT_OUT})


def is_machine(key: str) -> bool:
    """Whether a dotted key says where a run took place, and not what it was."""
    return any(key == name or key.startswith(f"{name}.") for name in _MACHINE)


def experiment(run: Run) -> dict[str, Any]:
    """The settings that make the experiment: runs in which one differs are no repetitions of each other."""
    return {key: value for key, value in settings(run).items() if key not in SEEDS and not is_machine(key)}


def spelled(run: Run) -> str:
    """The same as text, equal for equal experiments; empty where `config.yaml` is gone, which tells nothing."""
    return json.dumps(experiment(run), sort_keys=True, default=str) if run.config else ""
