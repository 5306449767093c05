"""W&B's agent as its manual describes it: macros of a sweep file's `command`, filled in for one trial.

Written from the manual ("Sweep configuration options", `command`), not from lit_vision.sweeps, so that each checks the
other. `${args_json}` holds the parameters as JSON; a flag's value is what Python's `str` makes of it.
"""

import json

import yaml


def expand(content, parameters, interpreter="python"):
    """The arguments of one trial.

    Args:
        content: The sweep file's content.
        parameters: Values by name.
        interpreter: What `${interpreter}` stands for.
    """
    macros = {
        "${env}": ["/usr/bin/env"],
        "${interpreter}": [interpreter],
        "${program}": [content["program"]],
        "${args}": [f"--{name}={value}" for name, value in parameters.items()],
        "${args_no_hyphens}": [f"{name}={value}" for name, value in parameters.items()],
        "${args_json}": [json.dumps(parameters)],
    }
    default = ["${env}", "${interpreter}", "${program}", "${args}"]
    arguments = []
    for word in content.get("command", default):
        arguments += macros.get(str(word), [str(word)])
    return arguments


def environment(run_id, sweep_id, folder, parameters):
    """What a trial finds in its environment, with the file of parameters that the agent writes."""
    file = folder / "wandb" / f"sweep-{sweep_id}" / f"config-{run_id}.yaml"
    file.parent.mkdir(parents=True)
    file.write_text(
        yaml.safe_dump({"wandb_version": 1} | {name: {"value": value} for name, value in parameters.items()})
    )
    named = {"WANDB_RUN_ID": run_id, "WANDB_SWEEP_ID": sweep_id, "WANDB_SWEEP_PARAM_PATH": str(file)}
    return named
