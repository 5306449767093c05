"""What a run keeps of its configuration: in its folder, and in each checkpoint."""

import copy
from typing import Any

from lit_vision.experiment import compose, recipes
from lit_vision.experiment.recipes import Experiment
from lit_vision.runs import versions


def in_folder(experiment: Experiment, config: compose.Config) -> compose.Config:
    """What `config.yaml` holds: the resolved configuration, what it stands for and where it came from."""
    origin = _origin(experiment) | {"code": versions.code()}
    origin["seal"] = recipes.seal(config, origin)
    return {"card": experiment.card_content, "origin": origin} | config


def in_checkpoint(experiment: Experiment, config: compose.Config) -> compose.Config:
    """What a checkpoint carries: enough to rebuild model and data, and to judge them, anywhere."""
    return {
        "card": experiment.card_content,
        "origin": _origin(experiment),
        "trainer": {"precision": config["trainer"]["precision"]},
        **{key: copy.deepcopy(config.get(key)) for key in ("model", "data", "protocol", "seed_everything")},
    }


def for_prediction(data: Any, config: compose.Config) -> dict[str, Any]:
    """Class names, and the pipeline that prepares an image: they go into a checkpoint beside the configuration."""
    pipeline = data.pipeline_config or config["data"]["init_args"].get("pipeline")
    return {"class_names": list(data.class_names), "pipeline": pipeline}


def _origin(experiment: Experiment) -> compose.Config:
    return {"recipe": experiment.name, "row": experiment.row, "changed": experiment.changed}
