"""What a run is called in W&B and what its row in the run table says: one answer for training and `sync`. No torch."""

import os
import re
import secrets
from pathlib import Path
from typing import Any, NamedTuple

from lit_vision.errors import InputError
from lit_vision.experiment import card as cards
from lit_vision.experiment import compose
from lit_vision.experiment.compose import Config

PROJECT = "lit-vision"
TAG_LENGTH = 64  # W&B refuses longer ones

_ID = re.compile(r"(?:[\w-][\w.-]{0,127})?", re.ASCII)


class Identity(NamedTuple):
    """What a run is.

    Attributes:
        name: Row and seed.
        group: The recipe.
        tags: Paper and table, and whether it is a stand-in.
        config: Resolved configuration, card, version of the code.
    """

    name: str
    group: str
    tags: list[str]
    config: Config


def of(saved: Config) -> Identity:
    """The identity of a run from its `config.yaml`: the resolved configuration with `card` and `origin`."""
    origin = saved.get("origin") or {}
    recipe, row = origin.get("recipe", ""), origin.get("row")
    card = cards.parse(saved.get("card") or {}, "config.yaml")
    where = card.rows[row].place if row in card.rows else ""
    tags = (card.paper, where, "stand-in" if origin.get("changed") else "")
    config = {key: value for key, value in saved.items() if key != "card"}
    return Identity(
        name=f"{row or recipe}, seed {saved.get('seed_everything')}",
        group=recipe,
        tags=[tag[:TAG_LENGTH] for tag in tags if tag],
        config={"card": saved.get("card") or {}, "code": origin.get("code")} | config,
    )


def new_id() -> str:
    """An id for a new run, kept for its whole life: `wandb agent` has given one to each trial, else it is drawn."""
    return os.environ.get("WANDB_RUN_ID") or secrets.token_hex(4)


def id_of(folder: Path, state: dict[str, Any]) -> str:
    """The id in a run's `run.json`, which W&B makes names of folders of; empty without.

    Raises:
        InputError: If it could lead elsewhere.
    """
    found = state.get("wandb_id") or ""
    if not isinstance(found, str) or not _ID.fullmatch(found):
        raise InputError(f"{folder}/run.json: wandb_id is {found!r}; expected letters, digits, - and _; restore it")
    return found


def place(saved: Config) -> dict[str, str | None]:
    """Project and entity that the configuration's W&B logger names, else the defaults."""
    logger = (saved.get("trainer") or {}).get("logger")
    loggers = logger if isinstance(logger, list) else [logger]
    ours = [part for part in loggers if compose.is_part(part) and str(part["class_path"]).endswith(".Wandb")]
    arguments = ours[0].get("init_args") or {} if ours else {}
    return {"project": arguments.get("project") or PROJECT, "entity": arguments.get("entity")}


def summary(result: dict[str, Any]) -> dict[str, Any]:
    """What W&B's run table shows of a judged run: the paper's value, the difference, the verdict."""
    value, expected = result["value"], result["expected"]
    known = value is not None and expected is not None
    return {
        "paper/value": expected,
        "paper/difference": value - expected if known else None,
        "paper/verdict": result["verdict"],
        result["metric"]: value,
    }
