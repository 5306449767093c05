"""What trained the weights that a command tests: from their checkpoint, or nothing at all."""

from lit_vision.errors import InputError
from lit_vision.experiment import compose, recipes, typed
from lit_vision.experiment.recipes import Experiment
from lit_vision.runs import checkpoints, contents
from lit_vision.runs.results import Trained


def of(path: str) -> Trained:
    """What a checkpoint says of the training that wrote it.

    Raises:
        InputError: If the file is no checkpoint, or what it says has wrong types.
    """
    content = checkpoints.read(path)
    entry = contents.carried(content).get("trained") or {}
    said = entry | {"run": path, "steps": content.get("global_step", 0)}
    trained: Trained = typed.build(Trained, said, "trained", path, strict=False)
    return trained


def refuse_untrained(verb: str, experiment: Experiment, config: compose.Config, ckpt_path: str | None) -> None:
    """Refuses figures of random weights, which would pass for the row's.

    Raises:
        InputError: If the model has something to train, and neither a run nor a file gives its weights.
    """
    model = config["model"].get("init_args") or {}
    network = (model.get("network") or {}).get("init_args") or {}
    if ckpt_path is None and recipes.learns(config) and not network.get("weights"):
        raise InputError(
            f"{verb} of {experiment.name} needs trained weights: name a finished run by --run DIR,\n"
            "or a checkpoint by --ckpt_path FILE; lit-vision fit trains and tests"
        )
