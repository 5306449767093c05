"""Where a run's files are, told when it begins; after its test, what belongs there goes to the W&B workspace."""

import lightning as L

from lit_vision import console
from lit_vision.loggers.wandb import Wandb
from lit_vision.runs.folder import RunFolder


class Workspace(L.Callback):
    """Sends what the other callbacks left in the run's folder; stands after `Diagnosis`, which writes it.

    Args:
        folder: The run's folder.
    """

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder

    def on_fit_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Tells the folder, now that the data are read and nothing speaks against the run any more."""
        console.say(f"run: {self.folder.path}")

    def on_test_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Logs panels and checkpoints."""
        for logger in trainer.loggers:
            if isinstance(logger, Wandb):
                logger.log_panels(self.folder.path)
                logger.log_checkpoints(self.folder.checkpoints)
