"""The whole configuration of an experiment: what its recipe says, and every default of what the recipe names."""

import dataclasses

from lit_vision.experiment import compose, stages
from lit_vision.experiment import names as check
from lit_vision.experiment.recipes import Experiment
from lit_vision.session.assembler import assemble


def resolved(experiment: Experiment, last_stage: str = "") -> compose.Config:
    """The configuration with all defaults; nothing is built and no data are read.

    Stages stay as the recipe lists them: each is this configuration with what it sets.

    Args:
        experiment: The recipe with its row.
        last_stage: The stage after which training ends; all count if empty.

    Raises:
        InputError: If a name or a value is wrong; names file or option, key and what was given.
    """
    check.names(experiment)
    listed = experiment.config.get(stages.SECTION) or []
    plain = {key: value for key, value in experiment.config.items() if key != stages.SECTION}
    config = assemble(dataclasses.replace(experiment, config=plain), []).resolved()
    names = [stage["name"] for stage in listed]
    kept = listed[: names.index(last_stage) + 1] if last_stage else listed
    return config | ({stages.SECTION: kept} if kept else {})
