"""What weights stand for, once the data are read: in the run's result, and in every checkpoint."""

from typing import Any

import lightning as L

from lit_vision.experiment import verdicts
from lit_vision.experiment.recipes import Experiment
from lit_vision.runs.results import Trained


class Provenance(L.Callback):
    """Notes what trained the weights in each checkpoint, so that a test of them cannot claim more than they are.

    What the data lack, compared with the published set, is known only when they are read: it counts as changed.

    Args:
        experiment: What was asked for.
        digest: Identity of the resolved configuration.
        changed: Keys and values that differ beyond the hardware; what the data lack is added here.
        contents: What every checkpoint carries; `trained` is added here.
    """

    def __init__(self, experiment: Experiment, digest: str, changed: dict[str, Any], contents: dict[str, Any]) -> None:
        self.experiment = experiment
        self.digest = digest
        self.changed = changed
        self.contents = contents

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Lightning has set the data up by now."""
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        if lacking := data.shortfall():
            self.changed["data"] = ", ".join(f"{split} {text}" for split, text in lacking.items())
        self.contents["trained"] = {
            "recipe": self.experiment.name,
            "row": self.experiment.row,
            "digest": self.digest,
            "seed": self.experiment.config.get("seed_everything"),
            "changed": dict(self.changed),
            "data": data.fingerprint(),
        }


def of_training(trained: Trained, experiment: Experiment) -> dict[str, Any]:
    """What tested, or continued, weights add to the changes of an experiment.

    Args:
        trained: What the checkpoint says.
        experiment: What it is tested, or trained further, as.
    """
    changed = {key: value for key, value in trained.changed.items() if key != verdicts.SPLIT_KEY}
    if not trained.recipe:
        return changed | {"weights": "of a training that the checkpoint does not record"}
    if (trained.recipe, trained.row) != experiment.training:
        return changed | {"weights": f"trained as {trained.recipe}, row {trained.row}"}
    return changed
