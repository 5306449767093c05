"""Messages of Lightning that are of no use here: exactly these lines are left out, all others stay."""

import logging
import re
import warnings
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).parents[1]

# Beginnings of log lines, by the logger that writes them.
_RANK_ZERO = (
    "💡 Tip: ",  # advertises other products
    "TPU available: False",
    "Restoring states from the checkpoint path at ",  # the line after the loading says the same
)
CHATTER = {
    "lightning.pytorch.utilities.rank_zero": _RANK_ZERO,
    "lightning.fabric.utilities.rank_zero": _RANK_ZERO,  # the same lines, in case only Fabric was imported
    # Said at every checkpoint; `Trainer.save_checkpoint` is meant to save everything.
    "lightning.pytorch.trainer.connectors.checkpoint_connector": (
        "`weights_only` was not set, defaulting to `False`.",
    ),
}

# Beginnings of warnings.
WARNINGS = (
    # Lightning against torch's own deprecation, nothing that a user could change.
    "`isinstance(treespec, LeafSpec)` is deprecated",
    # We log by optimiser steps across epochs, so the advice would be wrong.
    "The number of training batches (",
    # Our sampler starts at any batch: the order goes on where it stopped (`DataModule.train_dataloader`).
    "You're resuming from a checkpoint that ended before the epoch ended and your dataloader is not resumable.",
    # `test --ckpt_path` judges nothing, and so runs without the callback that keeps a run's duration.
    "Be aware that when using `ckpt_path`, callbacks used to create the checkpoint need to be provided",
    # Of the size in MB that the summary estimates, in 32 bits.
    "Precision bf16-mixed is not supported by the model summary.",
    "Precision 16-mixed is not supported by the model summary.",
)


class _Filter(logging.Filter):
    """Drops a logger's lines that begin with given text."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line stays."""
        return not record.getMessage().startswith(CHATTER[record.name])


_FILTER = _Filter()
_format = warnings.formatwarning


def calm() -> None:
    """Leaves the lines above out, and prints our own warnings as one line. The command calls it, no library code."""
    for name in CHATTER:
        logging.getLogger(name).addFilter(_FILTER)
    for text in WARNINGS:
        warnings.filterwarnings("ignore", message=re.escape(text))
    global _format
    if warnings.formatwarning is not _ours_in_a_line:
        _format, warnings.formatwarning = warnings.formatwarning, _ours_in_a_line


def _ours_in_a_line(message: Any, category: type[Warning], filename: str, lineno: int, line: str | None = None) -> str:
    if Path(filename).is_relative_to(PACKAGE):
        return f"warning: {message}\n"
    return _format(message, category, filename, lineno, line)
