"""The sections of a configuration, checked before anything slow is imported. No torch here."""

import difflib
from collections.abc import Iterable
from typing import Any

from lit_vision import nearest
from lit_vision.errors import InputError
from lit_vision.experiment import compose
from lit_vision.experiment.recipes import Experiment

SECTIONS = ("model", "data", "protocol", "trainer", "stages", "seed_everything", "checkpoint", "nonfinite", "ckpt_path")

# What the command line takes beside sections: a typo may be one of these.
OPTIONS = ("--config", "--row", "--run", "--members", "--ckpt_path", "--trust-code", "--print_config")

FOREIGN = ("_wandb", "wandb_version")  # what `wandb agent` may add; `recipes.resolve` passes over it


def refuse_unknown_options(names: Iterable[str]) -> None:
    """Checks options without a dot, which are either a section or none at all.

    Raises:
        InputError: Names the option and the nearest one.
    """
    choices = (*OPTIONS, *(f"--{name}" for name in SECTIONS if name != "ckpt_path"))
    for name in names:
        if "." not in name and name not in SECTIONS and name.rstrip("+") not in SECTIONS and name not in FOREIGN:
            raise InputError(f"unknown option --{name}; {nearest.hint(f'--{name}', choices)}")


def refuse_unknown(experiment: Experiment) -> None:
    """Checks the top keys of a configuration.

    Raises:
        InputError: Names file or option, the key, and the nearest valid choice.
    """
    for section in experiment.config:
        if section not in SECTIONS:
            where = experiment.source_of(section)
            if section == "claim":
                raise InputError(f"{where} is a claim and no recipe; lit-vision claims run {where} runs it")
            raise InputError(f"{where}: unknown key {section!r}; {_hint(section, experiment.config)}")


def _hint(name: str, config: compose.Config) -> str:
    """The nearest section; a key of `model` or `data` that is spelt so takes precedence over one that is only alike."""
    inner = {key: f"{section}.{key}" for section in ("data", "model") for key in _arguments(config.get(section))}
    close = difflib.get_close_matches(name, inner, n=1, cutoff=0.8)
    return f"did you mean {inner[close[0]]!r}?" if close else nearest.hint(name, (*SECTIONS, "card"))


def _arguments(part: Any) -> compose.Config:
    return (part.get("init_args") or {}) if compose.is_part(part) else {}
