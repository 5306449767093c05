"""The sections of a configuration, checked before anything slow is imported. No torch here."""

from collections.abc import Iterable

from lit_vision import nearest
from lit_vision.errors import InputError
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
            raise InputError(f"{where}: unknown key {section!r}; {nearest.hint(section, (*SECTIONS, 'card'))}")
