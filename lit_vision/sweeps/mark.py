"""How a run knows that it is a trial of a sweep: what the agent says in the environment. No torch here."""

import json
import os
from pathlib import Path
from typing import Any

from lit_vision.experiment import yamlio

VARIABLE = "LIT_VISION_SWEEP"

# Of the process that starts a trial, not of the trial: its run folder, and what `wandb agent` says to one run.
FOREIGN = ("LIT_VISION_RUN", "WANDB_RUN_ID", "WANDB_SWEEP_ID", "WANDB_SWEEP_PARAM_PATH", "PL_GLOBAL_SEED")


def environment(name: str, trial: int, values: dict[str, Any], metric: str, goal: str) -> dict[str, str]:
    """The environment of a trial's process.

    Args:
        name: The sweep.
        trial: Number of the trial in its plan.
        values: Its parameters by dotted key.
        metric: What ranks the trials.
        goal: `minimize` or `maximize`.
    """
    kept = {key: text for key, text in os.environ.items() if key not in FOREIGN}
    told = {"name": name, "trial": trial, "parameters": values, "metric": metric, "goal": goal}
    return kept | {VARIABLE: json.dumps(told)}


def read() -> dict[str, Any]:
    """`{"sweep": {name, trial, parameters, metric, goal}}` for `run.json`; empty where no sweep started this process.

    Inside `wandb agent` the name is W&B's id of the sweep, and the trial is the id of the run; its metric is not known.
    """
    if text := os.environ.get(VARIABLE):
        return {"sweep": json.loads(text)}
    sweep = os.environ.get("WANDB_SWEEP_ID")
    if not sweep:
        return {}
    return {"sweep": {"name": sweep, "trial": os.environ.get("WANDB_RUN_ID"), "parameters": _of_wandb()}}


def _of_wandb() -> dict[str, Any]:
    """The parameters that `wandb agent` wrote into a file: `{key: {value: …}}` beside keys of its own."""
    file = Path(os.environ.get("WANDB_SWEEP_PARAM_PATH", ""))
    if not file.is_file():
        return {}
    content = yamlio.load(file)
    return {key: entry["value"] for key, entry in content.items() if isinstance(entry, dict) and "value" in entry}
