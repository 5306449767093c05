"""After the test pass: the diagnosis and, when asked, the checkpoints go to the W&B workspace."""

import lightning as L

from lit_vision.loggers.wandb import Wandb
from lit_vision.runs.folder import RunFolder


class Workspace(L.Callback):
    """Sends what the other callbacks left in the run's folder; stands after `Diagnosis`, which writes it.

    Args:
        folder: The run's folder.
    """

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder

    def on_test_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Logs panels and checkpoints."""
        for logger in trainer.loggers:
            if isinstance(logger, Wandb):
                logger.log_panels(self.folder.path)
                logger.log_checkpoints(self.folder.checkpoints)
